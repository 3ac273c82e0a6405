// The code in a picture: four rows of twenty light and dark cells that hold 24 bits of the picture's number, 24 of the time
// of capture in units of 256 us, and the CRC-32 of both. letsmeet's `pattern` carries it (src/media/synthetic/pattern.rs), and
// so do the pictures of this page, so that each side knows what it sees.

const COLUMNS = 20;
const CELLS = 80;

/** Left, top, width and height of a cell: consecutive cells fill squares of two by two, two rows at the top and two at the bottom. */
function bounds(cell, width, height) {
  const [square, quarter] = [cell >> 2, cell & 3];
  const column = (square % (COLUMNS / 2)) * 2 + (quarter & 1);
  const row = Math.floor(square / (COLUMNS / 2)) * 9 + (quarter >> 1);
  const x = (column) => Math.floor((column * width) / COLUMNS);
  const y = (row) => Math.floor((row * Math.min(9 * width, 16 * height)) / 180);
  return [x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row)];
}

/** CRC-32 of the low 48 bits, the highest byte first. */
function crc(message) {
  let crc = 0xffffffff;
  for (let shift = 40n; shift >= 0n; shift -= 8n) {
    crc ^= Number((message >> shift) & 0xffn);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Paints the code of picture `number`, captured now. */
export function paintCode(context, number) {
  const { width, height } = context.canvas;
  const micros = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
  const message = (BigInt(number & 0xffffff) << 24n) | ((micros >> 8n) & 0xffffffn);
  const bits = (message << 32n) | BigInt(crc(message));
  for (let cell = 0; cell < CELLS; cell++) {
    const light = (bits >> BigInt(CELLS - 1 - cell)) & 1n;
    context.fillStyle = light ? "rgb(232 232 232)" : "rgb(28 28 28)";
    context.fillRect(...bounds(cell, width, height));
  }
}

/** The number of the picture in `context`, or null when none can be read. */
export function readNumber(context) {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  let bits = 0n;
  for (let cell = 0; cell < CELLS; cell++) {
    const [left, top, w, h] = bounds(cell, width, height);
    let [sum, count] = [0, 0];
    for (let y = top + (h >> 2); y < top + h - (h >> 2); y++) {
      for (let x = left + (w >> 2); x < left + w - (w >> 2); x++) {
        sum += data[(y * width + x) * 4 + 1];
        count++;
      }
    }
    bits = (bits << 1n) | (sum / count > 128 ? 1n : 0n);
  }
  const message = bits >> 32n;
  return crc(message) === Number(bits & 0xffffffffn) ? Number(message >> 24n) : null;
}
