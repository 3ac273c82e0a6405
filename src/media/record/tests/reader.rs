//! A small reader of WebM, for tests: strict about what is there, forgiving about where the file ends.

/// A whole file, taken apart.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) doc_type: String,
    /// Where the segment's body begins.
    pub(super) segment: u64,
    pub(super) segment_size: Option<u64>,
    pub(super) duration: Option<f64>,
    pub(super) timestamp_scale: u64,
    /// Ids in the seek head, and whether that element is there.
    pub(super) seek: Vec<(u64, bool)>,
    pub(super) tracks: Vec<Entry>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) blocks: Vec<Found>,
    pub(super) cues: Vec<Cue>,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) codec: String,
    pub(super) private: Vec<u8>,
    pub(super) delay: u64,
    pub(super) default: bool,
    pub(super) size: Option<(u64, u64)>,
}

#[derive(Debug)]
pub(super) struct Cluster {
    /// From the beginning of the file.
    pub(super) position: u64,
    pub(super) end: u64,
    /// From its first to its last block, ms.
    pub(super) length: u64,
}

#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) track: u64,
    pub(super) at: u64,
    pub(super) keyframe: bool,
    pub(super) data: Vec<u8>,
    /// Of its cluster, from the segment's body.
    pub(super) cluster: u64,
    /// From the cluster's body.
    pub(super) offset: u64,
}

#[derive(Debug, Default)]
pub(super) struct Cue {
    pub(super) track: u64,
    pub(super) at: u64,
    pub(super) cluster: u64,
    pub(super) block: u64,
}

/// An element: its id, where it begins, its body.
struct Element<'a> {
    id: u64,
    at: usize,
    body: &'a [u8],
}

/// Reads a file; a cluster that is cut off at the end is not there.
pub(super) fn read(bytes: &[u8]) -> Result<File, String> {
    let mut file = File::default();
    let (head, after) = element(bytes, 0)?.ok_or("no head")?;
    assert_eq!(head.id, 0x1a45dfa3);
    for part in elements(head.body)? {
        if part.id == 0x4282 {
            file.doc_type = text(part.body);
        }
    }
    let (id, at) = number(bytes, after, false).ok_or("no segment")?;
    assert_eq!(id, 0x18538067);
    let (size, at) = number(bytes, at, true).ok_or("no segment's size")?;
    file.segment = at as u64;
    file.segment_size = (size != (1 << 56) - 1).then_some(size);
    let mut next = at;
    while let Some((part, after)) = element(bytes, next)? {
        next = after;
        match part.id {
            0x114d9b74 => {
                for seek in elements(part.body)? {
                    let parts = elements(seek.body)?;
                    let [id, place] = [0x53ab, 0x53ac].map(|id| uint(&parts, id).unwrap());
                    let there = element(bytes, at + place as usize)?.is_some_and(|(found, _)| found.id == id);
                    file.seek.push((id, there));
                }
            }
            0x1549a966 => {
                let parts = elements(part.body)?;
                file.timestamp_scale = uint(&parts, 0x2ad7b1).unwrap();
                file.duration = body(&parts, 0x4489).map(|body| f64::from_be_bytes(body.try_into().unwrap()));
            }
            0x1654ae6b => {
                for entry in elements(part.body)? {
                    file.tracks.push(track(&elements(entry.body)?)?);
                }
            }
            0x1f43b675 => cluster(&mut file, &part, at, after)?,
            0x1c53bb6b => {
                for point in elements(part.body)? {
                    let parts = elements(point.body)?;
                    let place = elements(body(&parts, 0xb7).unwrap())?;
                    file.cues.push(Cue {
                        at: uint(&parts, 0xb3).unwrap(),
                        track: uint(&place, 0xf7).unwrap(),
                        cluster: uint(&place, 0xf1).unwrap(),
                        block: uint(&place, 0xf0).unwrap(),
                    });
                }
            }
            0xec => {}
            other => return Err(format!("unknown element {other:x}")),
        }
    }
    Ok(file)
}

fn track(parts: &[Element]) -> Result<Entry, String> {
    let video = body(parts, 0xe0).map(elements).transpose()?;
    Ok(Entry {
        number: uint(parts, 0xd7).unwrap(),
        codec: text(body(parts, 0x86).unwrap()),
        private: body(parts, 0x63a2).unwrap_or_default().to_vec(),
        delay: uint(parts, 0x56aa).unwrap_or_default(),
        default: uint(parts, 0x88) == Some(1),
        size: video.map(|video| (uint(&video, 0xb0).unwrap(), uint(&video, 0xba).unwrap())),
    })
}

fn cluster(file: &mut File, part: &Element, segment: usize, end: usize) -> Result<(), String> {
    let parts = elements(part.body)?;
    let start = uint(&parts, 0xe7).ok_or("a cluster without a time")?;
    let mut length = 0;
    for block in parts.iter().filter(|block| block.id == 0xa3) {
        let (track, at) = number(block.body, 0, true).ok_or("no track")?;
        let since = i16::from_be_bytes([block.body[at], block.body[at + 1]]);
        let since = u64::try_from(since).map_err(|_| "a block before its cluster")?;
        length = length.max(since);
        file.blocks.push(Found {
            track,
            at: start + since,
            keyframe: block.body[at + 2] & 0x80 != 0,
            data: block.body[at + 3..].to_vec(),
            cluster: (part.at - segment) as u64,
            offset: block.at as u64,
        });
    }
    file.clusters.push(Cluster { position: part.at as u64, end: end as u64, length });
    Ok(())
}

/// An id or a size, and where it ends; `None` at the end of the bytes.
fn number(bytes: &[u8], at: usize, size: bool) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    let length = first.leading_zeros() as usize + 1;
    let whole = bytes.get(at..at + length)?;
    let value = whole.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((if size { value & ((1 << (7 * length)) - 1) } else { value }, at + length))
}

fn element(bytes: &[u8], at: usize) -> Result<Option<(Element<'_>, usize)>, String> {
    let Some((id, body)) = number(bytes, at, false) else { return Ok(None) };
    let Some((size, body)) = number(bytes, body, true) else { return Ok(None) };
    let end = body + usize::try_from(size).map_err(|error| error.to_string())?;
    Ok(bytes.get(body..end).map(|body| (Element { id, at, body }, end)))
}

fn elements(bytes: &[u8]) -> Result<Vec<Element<'_>>, String> {
    let mut all = Vec::new();
    let mut next = 0;
    while let Some((found, after)) = element(bytes, next)? {
        all.push(found);
        next = after;
    }
    if next == bytes.len() { Ok(all) } else { Err(format!("{} bytes are no element", bytes.len() - next)) }
}

fn body<'a>(parts: &[Element<'a>], id: u64) -> Option<&'a [u8]> {
    parts.iter().find(|part| part.id == id).map(|part| part.body)
}

fn uint(parts: &[Element], id: u64) -> Option<u64> {
    body(parts, id).map(|body| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
