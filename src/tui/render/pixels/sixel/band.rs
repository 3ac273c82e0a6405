//! Six rows of pixels as sixel data, in as few bytes as they take.
//!
//! Owns the entries of one band (colour, column, which of its six pixels) and their order. Must not know pictures or
//! palettes. Driven by the painter band by band, column by column.

/// Pixels of one colour in one column.
#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    x: u16,
    colour: u8,
    /// The lowest bit is the uppermost pixel.
    mask: u8,
}

/// Collects a band and writes it.
pub(super) struct Band {
    entries: Vec<Entry>,
    /// The entries by colour, and by column within one.
    sorted: Vec<Entry>,
    /// For each colour how many entries it has.
    counts: [u32; 256],
    /// The colours that are not written yet.
    left: Vec<Colour>,
    /// For each column the pixels that are not written yet.
    open: Vec<u8>,
}

/// One colour's part of the sorted entries.
#[derive(Clone, Copy)]
struct Colour {
    number: u8,
    /// Its first column.
    first: u16,
    from: u32,
    to: u32,
}

/// A run of equal sixels that is still growing. Pixels that a later colour paints anyway may be painted or not, so
/// that a run has pixels that it must have and pixels that it may have.
#[derive(Clone, Copy, Default)]
struct Run {
    must: u8,
    may: u8,
    length: u32,
}

impl Band {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), sorted: Vec::new(), counts: [0; 256], left: Vec::new(), open: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the pixels of one colour in one column. Columns come from left to right, and no pixel twice.
    #[inline(always)]
    pub(super) fn push(&mut self, x: u16, colour: u8, mask: u8) {
        self.counts[usize::from(colour)] += 1;
        self.entries.push(Entry { x, colour, mask });
    }

    /// Appends the band without the `-` that ends it, and is empty again. `select` appends the choice of a colour.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, mut select: impl FnMut(u8, &mut Vec<u8>)) {
        self.sort();
        // The terminal writes from left to right until it is told to start over: as many colours as fit one after
        // the other go into one pass.
        self.left.sort_unstable_by_key(|colour| colour.first);
        let mut left = std::mem::take(&mut self.left);
        let mut x = 0;
        while !left.is_empty() {
            left.retain(|colour| {
                let fits = u32::from(colour.first) >= x;
                if fits {
                    select(colour.number, out);
                    x = self.write_colour(colour, x, out);
                }
                !fits
            });
            if !left.is_empty() {
                out.push(b'$');
                x = 0;
            }
        }
        self.left = left;
        self.entries.clear();
    }

    /// Puts the entries in order of colour, and notes what there is to write.
    fn sort(&mut self) {
        self.left.clear();
        let (mut places, mut sum) = ([0_u32; 256], 0);
        for ((number, count), place) in (0..=255).zip(&mut self.counts).zip(&mut places) {
            if *count > 0 {
                self.left.push(Colour { number, first: 0, from: sum, to: sum + *count });
            }
            *place = sum;
            sum += std::mem::take(count);
        }
        self.open.clear();
        self.open.resize(self.entries.last().map_or(0, |entry| usize::from(entry.x) + 1), 0);
        self.sorted.resize(self.entries.len(), Entry::default());
        for &entry in &self.entries {
            let place = &mut places[usize::from(entry.colour)];
            self.sorted[*place as usize] = entry;
            *place += 1;
            self.open[usize::from(entry.x)] |= entry.mask;
        }
        for colour in &mut self.left {
            colour.first = self.sorted[colour.from as usize].x;
        }
    }

    /// Appends all of one colour, beginning at column `x`, and returns the column after its last.
    fn write_colour(&mut self, colour: &Colour, mut x: u32, out: &mut Vec<u8>) -> u32 {
        let mut run = Run::default();
        for entry in &self.sorted[colour.from as usize..colour.to as usize] {
            let column = u32::from(entry.x);
            while x < column && run.length > 0 && run.grow(0, self.open[x as usize]) {
                x += 1;
            }
            if x < column {
                run.end(out);
                repeat(out, 0, column - x);
                x = column;
            }
            let open = &mut self.open[usize::from(entry.x)];
            if run.length == 0 || !run.grow(entry.mask, *open) {
                run.end(out);
                run = Run { must: entry.mask, may: *open, length: 1 };
            }
            *open &= !entry.mask;
            x += 1;
        }
        run.end(out);
        x
    }
}

impl Run {
    /// Takes in a column with pixels `must` that has the pixels `may` left to be painted, if it can.
    #[inline(always)]
    fn grow(&mut self, must: u8, may: u8) -> bool {
        let (must, may) = (self.must | must, self.may & may);
        let grows = must & !may == 0;
        if grows {
            *self = Self { must, may, length: self.length + 1 };
        }
        grows
    }

    /// Appends the run, which is over.
    fn end(&mut self, out: &mut Vec<u8>) {
        repeat(out, self.must, self.length);
        *self = Self::default();
    }
}

/// Appends `count` times the sixel of `mask`.
fn repeat(out: &mut Vec<u8>, mask: u8, count: u32) {
    let sixel = b'?' + mask;
    if count < 4 {
        for _ in 0..count {
            out.push(sixel);
        }
    } else {
        out.push(b'!');
        number(out, count);
        out.push(sixel);
    }
}

/// Appends a number in decimal digits.
pub(super) fn number(out: &mut Vec<u8>, value: u32) {
    if value >= 10 {
        number(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}
