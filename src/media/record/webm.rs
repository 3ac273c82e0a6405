//! A WebM file (Matroska, RFC 9559) that can be played at any moment of its writing, and after a crash.
//!
//! Owns the layout and the order of writes. Must not know where frames come from, nor threads, nor clocks.
//!
//! ```text
//! EBML head │ Segment, size unknown: SeekHead │ Info │ Tracks, each with room │ Cluster │ Cluster │ … │ Cues
//! ```
//!
//! Clusters are at most a second long and are written whole. After each of them the duration is set, so that a file that was left in
//! the middle tells it too. A track is described when its first picture tells the size, in the room that was kept for it. The end sets
//! the size of the segment, writes the cues and says where they are.

use std::io::{self, Seek, SeekFrom, Write};

use bytes::Bytes;

use super::ebml;
use crate::media::codec::VideoCodec;

/// Timestamps are milliseconds, as a WebM file should have them.
const NANOS_A_TICK: u64 = 1_000_000;
/// The longest cluster, ms.
const CLUSTER: u64 = 1_000;
/// A player that looks for a place in sound alone finds one at least this often, ms.
const SOUND_CUES: u64 = 5_000;
/// Room for where things are.
const SEEK_ROOM: usize = 128;
/// Room for three tracks.
const TRACKS_ROOM: usize = 640;
/// What a decoder of Opus has to hear before it is right, ns (RFC 7845, section 4.2).
const SEEK_PRE_ROLL: u64 = 80_000_000;
/// Length of a block of sound, ms.
pub(super) const SOUND_BLOCK: u64 = 20;

mod name {
    pub(super) const EBML: u32 = 0x1a45_dfa3;
    pub(super) const EBML_VERSION: u32 = 0x4286;
    pub(super) const EBML_READ_VERSION: u32 = 0x42f7;
    pub(super) const EBML_MAX_ID_LENGTH: u32 = 0x42f2;
    pub(super) const EBML_MAX_SIZE_LENGTH: u32 = 0x42f3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(super) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(super) const SEEK: u32 = 0x4dbb;
    pub(super) const SEEK_ID: u32 = 0x53ab;
    pub(super) const SEEK_POSITION: u32 = 0x53ac;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const DATE: u32 = 0x4461;
    pub(super) const MUXING_APP: u32 = 0x4d80;
    pub(super) const WRITING_APP: u32 = 0x5741;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_UID: u32 = 0x73c5;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_DEFAULT: u32 = 0x88;
    pub(super) const FLAG_LACING: u32 = 0x9c;
    pub(super) const NAME: u32 = 0x536e;
    pub(super) const LANGUAGE: u32 = 0x22_b59c;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const CODEC_PRIVATE: u32 = 0x63a2;
    pub(super) const CODEC_DELAY: u32 = 0x56aa;
    pub(super) const SEEK_PRE_ROLL: u32 = 0x56bb;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const AUDIO: u32 = 0xe1;
    pub(super) const SAMPLING_FREQUENCY: u32 = 0xb5;
    pub(super) const CHANNELS: u32 = 0x9f;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TIMESTAMP: u32 = 0xe7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(super) const CUES: u32 = 0x1c53_bb6b;
    pub(super) const CUE_POINT: u32 = 0xbb;
    pub(super) const CUE_TIME: u32 = 0xb3;
    pub(super) const CUE_TRACK_POSITIONS: u32 = 0xb7;
    pub(super) const CUE_TRACK: u32 = 0xf7;
    pub(super) const CUE_CLUSTER_POSITION: u32 = 0xf1;
    pub(super) const CUE_RELATIVE_POSITION: u32 = 0xf0;
}

/// The three tracks of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Track {
    /// The other side's picture.
    Remote,
    /// Our picture.
    Own,
    /// Both voices.
    Sound,
}

impl Track {
    fn number(self) -> u64 {
        self as u64 + 1
    }
}

/// One frame of a track.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) track: Track,
    /// Since the beginning, ms.
    pub(super) at: u64,
    pub(super) keyframe: bool,
    pub(super) data: Bytes,
}

/// Where a file can be entered.
#[derive(Debug)]
struct Cue {
    track: Track,
    at: u64,
    /// Of the cluster, from the beginning of the segment.
    cluster: u64,
    /// Of the block, from the beginning of the cluster's body.
    block: u64,
}

/// What a file is written to.
pub(super) trait Storage: Write + Seek {
    /// Forgets everything from here on.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Storage for std::fs::File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// The blocks of the next cluster.
#[derive(Debug, Default)]
struct Cluster {
    start: u64,
    body: Vec<u8>,
    cues: Vec<(Track, u64, u64)>,
}

/// Writes one file.
#[derive(Debug)]
pub(super) struct Writer<S> {
    storage: S,
    /// Where the segment's body begins.
    segment: u64,
    info: u64,
    tracks: u64,
    duration: u64,
    /// Where the next cluster goes.
    end: u64,
    /// Samples that the sound lags behind.
    pre_skip: u16,
    /// The codec and the first size of each picture.
    pictures: [Option<(VideoCodec, (u32, u32))>; 2],
    /// Blocks that are not in a cluster yet.
    waiting: Vec<Block>,
    cluster: Cluster,
    /// The latest time of each track.
    last: [Option<u64>; 3],
    /// Everything before this is in a cluster.
    settled: u64,
    /// When the last block ends.
    length: u64,
    cues: Vec<Cue>,
    last_cue: Option<u64>,
}

impl<S: Storage> Writer<S> {
    /// Writes everything that stands before the first cluster. `pre_skip` is how far the sound lags behind, samples; `began` is a
    /// wall time, ns since the beginning of 2001.
    pub(super) fn new(mut storage: S, pre_skip: u16, began: i64) -> io::Result<Self> {
        let mut out = Vec::new();
        ebml::master(&mut out, name::EBML, |out| {
            ebml::uint(out, name::EBML_VERSION, 1);
            ebml::uint(out, name::EBML_READ_VERSION, 1);
            ebml::uint(out, name::EBML_MAX_ID_LENGTH, 4);
            ebml::uint(out, name::EBML_MAX_SIZE_LENGTH, 8);
            ebml::text(out, name::DOC_TYPE, "webm");
            ebml::uint(out, name::DOC_TYPE_VERSION, 4);
            ebml::uint(out, name::DOC_TYPE_READ_VERSION, 2);
        });
        ebml::id(&mut out, name::SEGMENT);
        out.extend_from_slice(&ebml::UNKNOWN);
        let segment = out.len() as u64;
        ebml::void(&mut out, SEEK_ROOM);
        let info = out.len() as u64;
        ebml::master(&mut out, name::INFO, |out| {
            // First, so that its place is known.
            ebml::float(out, name::DURATION, 0.0);
            ebml::uint(out, name::TIMESTAMP_SCALE, NANOS_A_TICK);
            ebml::date(out, name::DATE, began);
            let app = concat!("letsmeet ", env!("CARGO_PKG_VERSION"));
            ebml::text(out, name::MUXING_APP, app);
            ebml::text(out, name::WRITING_APP, app);
        });
        // The id and the short size of Info, then the same of the duration.
        let duration = info + 4 + 1 + 2 + 1;
        let tracks = out.len() as u64;
        ebml::void(&mut out, TRACKS_ROOM);
        let end = out.len() as u64;
        storage.write_all(&out)?;
        let mut writer = Self {
            storage,
            segment,
            info,
            tracks,
            duration,
            end,
            pre_skip,
            pictures: [None; 2],
            waiting: Vec::new(),
            cluster: Cluster::default(),
            last: [None; 3],
            settled: 0,
            length: 0,
            cues: Vec::new(),
            last_cue: None,
        };
        writer.write_tracks()?;
        writer.write_seek_head(None)?;
        Ok(writer)
    }

    /// Tells the codec and the first size of a picture, before its first block.
    pub(super) fn describe(&mut self, track: Track, codec: VideoCodec, size: (u32, u32)) -> io::Result<()> {
        if let Some(known) = self.pictures.get_mut(track as usize) {
            *known = Some((codec, size));
            self.write_tracks()?;
        }
        Ok(())
    }

    /// Takes a block in. One that comes later than its time stands where there is still room; a track never goes back.
    pub(super) fn push(&mut self, mut block: Block) {
        let last = &mut self.last[block.track as usize];
        block.at = block.at.max(self.settled).max(last.map_or(0, |last| last + 1));
        *last = Some(block.at);
        self.waiting.push(block);
    }

    /// Puts everything before `until`, ms, into clusters, and writes those that are complete.
    pub(super) fn settle(&mut self, until: u64) -> io::Result<()> {
        self.waiting.sort_by_key(|block| block.at);
        let ready = self.waiting.partition_point(|block| block.at < until);
        let rest = self.waiting.split_off(ready);
        for block in std::mem::replace(&mut self.waiting, rest) {
            let entry = block.track == Track::Remote && block.keyframe;
            let over = block.at >= self.cluster.start + CLUSTER;
            if !self.cluster.body.is_empty() && (entry || over) {
                self.write_cluster()?;
            }
            self.cluster.push(&block);
            let length = if block.track == Track::Sound { SOUND_BLOCK } else { 0 };
            self.length = self.length.max(block.at + length);
        }
        if !self.cluster.body.is_empty() && until >= self.cluster.start.saturating_add(CLUSTER) {
            self.write_cluster()?;
        }
        self.settled = self.settled.max(until);
        Ok(())
    }

    /// Writes what is left, the cues, and what is known only at the end.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.settle(u64::MAX)?;
        if !self.cluster.body.is_empty() {
            self.write_cluster()?;
        }
        self.seal()
    }

    /// Completes a file that can't take any more: everything that was written stays playable.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
        self.cluster = Cluster::default();
        // What was begun behind the last cluster is cut off, which makes room; places inside the file are there in any case.
        let _ = self.storage.cut(self.end);
        if self.seal().is_err() {
            let _ = self.storage.cut(self.end);
        }
    }

    /// How long it plays, ms.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes written.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }

    /// What was written to.
    #[cfg(test)]
    pub(super) fn into_storage(self) -> S {
        self.storage
    }

    fn seal(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        ebml::master(&mut out, name::CUES, |out| {
            for cue in &self.cues {
                ebml::master(out, name::CUE_POINT, |out| {
                    ebml::uint(out, name::CUE_TIME, cue.at);
                    ebml::master(out, name::CUE_TRACK_POSITIONS, |out| {
                        ebml::uint(out, name::CUE_TRACK, cue.track.number());
                        ebml::uint(out, name::CUE_CLUSTER_POSITION, cue.cluster);
                        ebml::uint(out, name::CUE_RELATIVE_POSITION, cue.block);
                    });
                });
            }
        });
        let cues = self.end;
        // Without a block there is nothing to enter, and an empty list is not allowed.
        if !self.cues.is_empty() {
            self.append(&out)?;
            self.write_seek_head(Some(cues))?;
        }
        self.write_duration()?;
        self.patch(self.segment - 8, &ebml::wide_size(self.end - self.segment))?;
        self.storage.flush()
    }

    fn write_cluster(&mut self) -> io::Result<()> {
        let cluster = std::mem::take(&mut self.cluster);
        let position = self.end - self.segment;
        let mut out = Vec::with_capacity(cluster.body.len() + 16);
        ebml::element(&mut out, name::CLUSTER, &cluster.body);
        self.append(&out)?;
        for (track, at, block) in cluster.cues {
            let due = self.last_cue.is_none_or(|last| at >= last + SOUND_CUES);
            if track != Track::Sound || due {
                self.cues.push(Cue { track, at, cluster: position, block });
                self.last_cue = Some(at);
            }
        }
        self.write_duration()
    }

    /// Where the parts of the segment are.
    fn write_seek_head(&mut self, cues: Option<u64>) -> io::Result<()> {
        let parts = [(name::INFO, Some(self.info)), (name::TRACKS, Some(self.tracks)), (name::CUES, cues)];
        let mut out = Vec::new();
        ebml::master(&mut out, name::SEEK_HEAD, |out| {
            for (part, position) in parts {
                let Some(position) = position else { continue };
                ebml::master(out, name::SEEK, |out| {
                    ebml::element(out, name::SEEK_ID, &part.to_be_bytes());
                    ebml::uint(out, name::SEEK_POSITION, position - self.segment);
                });
            }
        });
        let out = ebml::padded(out, SEEK_ROOM).ok_or_else(no_room)?;
        self.patch(self.segment, &out)
    }

    fn write_tracks(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        ebml::master(&mut out, name::TRACKS, |out| {
            for (track, title) in [(Track::Remote, "the other side"), (Track::Own, "own picture")] {
                let Some((codec, (width, height))) = self.pictures[track as usize] else { continue };
                let codec = match codec {
                    VideoCodec::Vp8 => "V_VP8",
                    VideoCodec::Vp9 => "V_VP9",
                };
                entry(out, track, 1, title, |out| {
                    ebml::text(out, name::CODEC_ID, codec);
                    ebml::master(out, name::VIDEO, |out| {
                        ebml::uint(out, name::PIXEL_WIDTH, width.into());
                        ebml::uint(out, name::PIXEL_HEIGHT, height.into());
                    });
                });
            }
            entry(out, Track::Sound, 2, "both voices", |out| {
                ebml::text(out, name::CODEC_ID, "A_OPUS");
                ebml::element(out, name::CODEC_PRIVATE, &opus_head(self.pre_skip));
                ebml::uint(out, name::CODEC_DELAY, u64::from(self.pre_skip) * 1_000_000_000 / 48_000);
                ebml::uint(out, name::SEEK_PRE_ROLL, SEEK_PRE_ROLL);
                ebml::master(out, name::AUDIO, |out| {
                    ebml::float(out, name::SAMPLING_FREQUENCY, 48_000.0);
                    ebml::uint(out, name::CHANNELS, 1);
                });
            });
        });
        let out = ebml::padded(out, TRACKS_ROOM).ok_or_else(no_room)?;
        self.patch(self.tracks, &out)
    }

    fn write_duration(&mut self) -> io::Result<()> {
        // The body only: id and size stand there already.
        self.patch(self.duration, &(self.length as f64).to_be_bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.storage.seek(SeekFrom::Start(self.end))?;
        self.storage.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.seek(SeekFrom::Start(at))?;
        self.storage.write_all(bytes)
    }
}

impl Cluster {
    fn push(&mut self, block: &Block) {
        if self.body.is_empty() {
            self.start = block.at;
            ebml::uint(&mut self.body, name::TIMESTAMP, block.at);
        }
        if block.keyframe {
            self.cues.push((block.track, block.at, self.body.len() as u64));
        }
        let since = u16::try_from(block.at - self.start).unwrap_or(0);
        ebml::id(&mut self.body, name::SIMPLE_BLOCK);
        ebml::size(&mut self.body, 4 + block.data.len() as u64);
        self.body.push(0x80 | block.track.number() as u8);
        self.body.extend_from_slice(&since.to_be_bytes());
        self.body.push(if block.keyframe { 0x80 } else { 0 });
        self.body.extend_from_slice(&block.data);
    }
}

/// A track's entry, with what is only for its kind.
fn entry(out: &mut Vec<u8>, track: Track, kind: u64, title: &str, fill: impl FnOnce(&mut Vec<u8>)) {
    ebml::master(out, name::TRACK_ENTRY, |out| {
        ebml::uint(out, name::TRACK_NUMBER, track.number());
        ebml::uint(out, name::TRACK_UID, track.number());
        ebml::uint(out, name::TRACK_TYPE, kind);
        // Of two pictures a player shows the other side's.
        ebml::uint(out, name::FLAG_DEFAULT, (track != Track::Own).into());
        ebml::uint(out, name::FLAG_LACING, 0);
        ebml::text(out, name::NAME, title);
        ebml::text(out, name::LANGUAGE, "und");
        fill(out);
    });
}

/// The identification header of one channel at 48 kHz (RFC 7845, section 5.1).
fn opus_head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&48_000u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

fn no_room() -> io::Error {
    io::Error::other("a part of the file is larger than the room for it")
}
