//! A small terminal that keeps what sixel sequences paint: a canvas and nothing else. Independent of the painter.

/// A canvas of RGB pixels, and where it was painted.
pub(crate) struct Screen {
    width: usize,
    height: usize,
    pub(crate) rgb: Vec<u8>,
    /// The pixels that were painted since the last look.
    pub(crate) painted: usize,
    /// Size that the last sequence stated.
    pub(crate) stated: (usize, usize),
    /// Cursor position (column, row, from 1) of the last sequence.
    pub(crate) at: (usize, usize),
}

impl Screen {
    /// A black screen.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![0; width * height * 3], painted: 0, stated: (0, 0), at: (0, 0) }
    }

    /// Takes what a painter wrote: cursor positions, erasing and sixel sequences. Every sequence has colours of its own, as in
    /// a terminal with private registers.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let [0x1b, rest @ ..] = bytes {
            match rest {
                [b'[', rest @ ..] => {
                    let end = rest.iter().position(u8::is_ascii_alphabetic).expect("a sequence ends");
                    if rest[end] == b'H' {
                        let text = std::str::from_utf8(&rest[..end]).expect("digits");
                        let (row, column) = text.split_once(';').expect("two numbers");
                        self.at = (column.parse().expect("a column"), row.parse().expect("a row"));
                    }
                    bytes = &rest[end + 1..];
                }
                [b'P', rest @ ..] => {
                    let end = rest.windows(2).position(|two| two == b"\x1b\\").expect("a sequence ends");
                    self.sixel(&rest[..end]);
                    bytes = &rest[end + 2..];
                }
                [b'7' | b'8', rest @ ..] => bytes = rest,
                _ => panic!("an unknown sequence: {:?}", &rest[..rest.len().min(20)]),
            }
        }
        assert!(bytes.is_empty(), "text outside of sequences: {:?}", &bytes[..bytes.len().min(20)]);
    }

    fn sixel(&mut self, sequence: &[u8]) {
        let data = sequence.strip_prefix(b"7;1q\"1;1;").expect("transparent, square pixels, a size");
        let mut at = 0;
        let width = number(data, &mut at).expect("a width");
        assert_eq!(data[at], b';');
        at += 1;
        self.stated = (width, number(data, &mut at).expect("a height"));
        let mut colours = [None; 1024];
        let (mut x, mut top, mut colour) = (0, 0, [0_u8; 3]);
        while at < data.len() {
            let byte = data[at];
            at += 1;
            match byte {
                b'#' => {
                    let index = number(data, &mut at).expect("a colour");
                    if data.get(at) == Some(&b';') {
                        let mut values = [0; 4];
                        for value in &mut values {
                            assert_eq!(data[at], b';');
                            at += 1;
                            *value = number(data, &mut at).expect("a value");
                        }
                        assert_eq!(values[0], 2, "RGB");
                        assert!(values.iter().all(|&value| value <= 100));
                        colours[index] = Some([1, 2, 3].map(|i| ((values[i] * 255 + 50) / 100) as u8));
                    } else {
                        // As in xterm, only this chooses.
                        colour = colours[index].expect("a colour is defined before it is used");
                    }
                }
                b'$' => x = 0,
                b'-' => (x, top) = (0, top + 6),
                b'!' => {
                    let count = number(data, &mut at).expect("a count");
                    let mask = data[at] - b'?';
                    at += 1;
                    (0..count).for_each(|i| self.paint(x + i, top, mask, colour));
                    x += count;
                }
                b'?'..=b'~' => {
                    self.paint(x, top, byte - b'?', colour);
                    x += 1;
                }
                _ => panic!("{byte:#x} in sixel data"),
            }
        }
    }

    fn paint(&mut self, x: usize, top: usize, mask: u8, colour: [u8; 3]) {
        for row in (0..6).filter(|row| mask >> row & 1 != 0) {
            let y = top + row;
            assert!(x < self.stated.0 && y < self.stated.1, "({x}, {y}) outside of {:?}", self.stated);
            assert!(x < self.width && y < self.height);
            self.rgb[3 * (y * self.width + x)..][..3].copy_from_slice(&colour);
            self.painted += 1;
        }
    }
}

fn number(data: &[u8], at: &mut usize) -> Option<usize> {
    let digits = data[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = std::str::from_utf8(&data[*at..*at + digits]).ok()?;
    *at += digits;
    text.parse().ok()
}
