//! The words for sources and sinks: one grammar for flags, configuration and commands.
//!
//! Owns `--video`, `--audio`, `--show` and `--hear`: parsing, printing, opening. Must not know who asks.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::device::{Kind, Notices, Wish};
use super::frame::{MAX_FPS, MAX_SIDE};
use super::synthetic::{Pattern, Tone, pattern, tone};
use super::{AudioSink, AudioSource, Error, VideoFormat, VideoSink, VideoSource, sink, source};

/// Where pictures come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VideoSpec {
    /// `camera[:ID]`
    Camera(Option<String>),
    /// `screen[:ID]`
    Screen(Option<String>),
    /// `pattern[:WIDTHxHEIGHT[@FPS]]`
    Pattern(Option<PatternSize>),
    /// `file:PATH`
    File(PathBuf),
    /// What the other side sends ([`echo`](super::echo)). No word of the grammar: it belongs to a call that is answered so.
    Echo,
    /// `none`
    #[default]
    None,
}

/// The size and perhaps the rate that a pattern was asked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternSize {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, when said.
    pub fps: Option<u32>,
}

/// Where sound comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AudioSpec {
    /// `mic[:ID]`
    Mic(Option<String>),
    /// `tone[:HZ]`
    Tone(Option<u32>),
    /// `file:PATH`
    File(PathBuf),
    /// `silence`: sound is sent, and it is silent.
    Silence,
    /// What the other side sends, as [`VideoSpec::Echo`].
    Echo,
    /// `none`: no sound is sent.
    #[default]
    None,
}

/// Where received pictures go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShowSpec {
    /// `terminal`
    Terminal,
    /// `file:PATH`
    File(PathBuf),
    /// `null`: decoded and measured, shown to nobody.
    #[default]
    Null,
}

/// Where received sound goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HearSpec {
    /// `speaker[:ID]`
    Speaker(Option<String>),
    /// `file:PATH`
    File(PathBuf),
    /// `null`: decoded and measured, played to nobody.
    #[default]
    Null,
}

impl VideoSpec {
    /// What is sent of this source when nobody says a size or a rate.
    pub fn usual_format(&self) -> VideoFormat {
        match self {
            Self::Screen(_) => VideoFormat { width: 1280, height: 720, fps: 15 },
            _ => VideoFormat::DEFAULT,
        }
    }

    /// The format to open this source with, when `usual` is what would be sent otherwise.
    pub fn format(&self, usual: VideoFormat) -> VideoFormat {
        match self {
            Self::Pattern(Some(size)) => {
                VideoFormat { width: size.width, height: size.height, fps: size.fps.unwrap_or(usual.fps) }
            }
            _ => usual,
        }
    }
}

impl FromStr for VideoSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match word(text) {
            ("camera", id) => Ok(Self::Camera(identifier(text, id)?)),
            ("screen", id) => Ok(Self::Screen(identifier(text, id)?)),
            ("pattern", size) => Ok(Self::Pattern(size.map(|size| pattern_size(text, size)).transpose()?)),
            ("file", path) => Ok(Self::File(file(text, path)?)),
            ("none", None) => Ok(Self::None),
            _ => Err(unknown(
                "video source",
                text,
                "camera[:ID], screen[:ID], pattern[:WxH[@FPS]], file:PATH or none",
            )),
        }
    }
}

impl FromStr for AudioSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match word(text) {
            ("mic", id) => Ok(Self::Mic(identifier(text, id)?)),
            ("tone", hz) => Ok(Self::Tone(hz.map(|hz| pitch(text, hz)).transpose()?)),
            ("file", path) => Ok(Self::File(file(text, path)?)),
            ("silence", None) => Ok(Self::Silence),
            ("none", None) => Ok(Self::None),
            _ => Err(unknown("audio source", text, "mic[:ID], tone[:HZ], file:PATH, silence or none")),
        }
    }
}

impl FromStr for ShowSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match word(text) {
            ("terminal", None) => Ok(Self::Terminal),
            ("file", path) => Ok(Self::File(file(text, path)?)),
            ("null", None) => Ok(Self::Null),
            _ => Err(unknown("place to show", text, "terminal, file:PATH or null")),
        }
    }
}

impl FromStr for HearSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match word(text) {
            ("speaker", id) => Ok(Self::Speaker(identifier(text, id)?)),
            ("file", path) => Ok(Self::File(file(text, path)?)),
            ("null", None) => Ok(Self::Null),
            _ => Err(unknown("place to play", text, "speaker[:ID], file:PATH or null")),
        }
    }
}

impl fmt::Display for VideoSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera(id) => with(f, "camera", id.as_ref()),
            Self::Screen(id) => with(f, "screen", id.as_ref()),
            Self::Pattern(size) => with(f, "pattern", size.as_ref()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Echo => f.write_str("echo"),
            Self::None => f.write_str("none"),
        }
    }
}

impl fmt::Display for PatternSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)?;
        self.fps.map_or(Ok(()), |fps| write!(f, "@{fps}"))
    }
}

impl fmt::Display for AudioSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mic(id) => with(f, "mic", id.as_ref()),
            Self::Tone(hz) => with(f, "tone", hz.as_ref()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Silence => f.write_str("silence"),
            Self::Echo => f.write_str("echo"),
            Self::None => f.write_str("none"),
        }
    }
}

impl fmt::Display for ShowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminal => f.write_str("terminal"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for HearSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Speaker(id) => with(f, "speaker", id.as_ref()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Null => f.write_str("null"),
        }
    }
}

/// Opens a video source that produces `wanted`, and tells `notices` what happens to a device later; a film is scaled and its rate changed to that. Waits for a film's
/// first picture, so that a bad file is told here and not in the call.
///
/// # Errors
/// [`Error::Spec`] for a size that the pattern cannot have, [`Error::Open`] when the device or file cannot be
/// opened, [`Error::Decode`] when the file is damaged.
pub fn open_video(
    spec: &VideoSpec,
    wanted: VideoFormat,
    notices: &Notices,
) -> Result<Box<dyn VideoSource>, Error> {
    let wanted = spec.format(wanted);
    if !(1..=MAX_FPS).contains(&wanted.fps) {
        return Err(Error::Spec(format!("{} frames a second are not between 1 and {MAX_FPS}", wanted.fps)));
    }
    match spec {
        VideoSpec::Camera(id) => camera(Wish::new(id.as_deref()), wanted, notices),
        VideoSpec::Screen(id) => screen(Wish::new(id.as_deref()), wanted, notices),
        VideoSpec::Pattern(_) => Ok(Box::new(Pattern::new(wanted)?)),
        VideoSpec::File(path) => source::open_film(path, wanted),
        // An echo's own source is made when it is known what comes.
        VideoSpec::Echo | VideoSpec::None => Ok(Box::new(source::NoPicture::new(wanted))),
    }
}

/// Opens an audio source, and tells `notices` what happens to a device later.
///
/// # Errors
/// As [`open_video`].
pub fn open_audio(spec: &AudioSpec, notices: &Notices) -> Result<Box<dyn AudioSource>, Error> {
    match spec {
        AudioSpec::Mic(id) => microphone(Wish::new(id.as_deref()), notices),
        AudioSpec::Tone(hz) => Ok(Box::new(Tone::new(hz.unwrap_or(tone::DEFAULT_HZ))?)),
        AudioSpec::File(path) => source::open_sound(path),
        AudioSpec::Silence | AudioSpec::Echo | AudioSpec::None => Ok(Box::new(source::Silence)),
    }
}

/// Says what is wrong with a microphone that is not there; opens nothing, and knows nothing of what is no device.
///
/// # Errors
/// [`Error::Open`] as [`open_audio`] would say it.
pub fn find_audio(spec: &AudioSpec) -> Result<(), Error> {
    match spec {
        AudioSpec::Mic(id) => find(Kind::Microphone, &Wish::new(id.as_deref())),
        _ => Ok(()),
    }
}

/// Says what is wrong with a speaker that is not there; opens nothing, and knows nothing of what is no device.
///
/// # Errors
/// [`Error::Open`] as [`open_hear`] would say it.
pub fn find_hear(spec: &HearSpec) -> Result<(), Error> {
    match spec {
        HearSpec::Speaker(id) => find(Kind::Speaker, &Wish::new(id.as_deref())),
        _ => Ok(()),
    }
}

/// Opens a place to show pictures that come `fps` times a second. Those for the terminal need none: its owner
/// watches them through a [`super::Monitor`].
///
/// # Errors
/// [`Error::Open`] when the file cannot be made.
pub fn open_show(spec: &ShowSpec, fps: u32) -> Result<Box<dyn VideoSink>, Error> {
    match spec {
        ShowSpec::File(path) => Ok(Box::new(sink::Film::create(path, fps)?)),
        ShowSpec::Terminal | ShowSpec::Null => Ok(Box::new(sink::Null)),
    }
}

/// Opens a place to play sound, and tells `notices` what happens to a device later.
///
/// # Errors
/// [`Error::Open`] when the device or file cannot be opened.
pub fn open_hear(spec: &HearSpec, notices: &Notices) -> Result<Box<dyn AudioSink>, Error> {
    match spec {
        HearSpec::Speaker(id) => speaker(Wish::new(id.as_deref()), notices),
        HearSpec::File(path) => Ok(Box::new(sink::Sound::create(path)?)),
        HearSpec::Null => Ok(Box::new(sink::Null)),
    }
}

#[cfg(feature = "devices")]
fn camera(wish: Wish, wanted: VideoFormat, notices: &Notices) -> Result<Box<dyn VideoSource>, Error> {
    super::device::camera::open(wish, wanted, notices.clone())
}

#[cfg(not(feature = "devices"))]
fn camera(wish: Wish, _: VideoFormat, _: &Notices) -> Result<Box<dyn VideoSource>, Error> {
    Err(no_device(Kind::Camera, wish.name()))
}

#[cfg(feature = "screen")]
fn screen(wish: Wish, wanted: VideoFormat, notices: &Notices) -> Result<Box<dyn VideoSource>, Error> {
    super::device::screen::open(wish, wanted, notices.clone())
}

#[cfg(not(feature = "screen"))]
fn screen(wish: Wish, _: VideoFormat, _: &Notices) -> Result<Box<dyn VideoSource>, Error> {
    Err(no_device(Kind::Screen, wish.name()))
}

#[cfg(feature = "devices")]
fn microphone(wish: Wish, notices: &Notices) -> Result<Box<dyn AudioSource>, Error> {
    super::device::sound::open_microphone(wish, notices.clone())
}

#[cfg(not(feature = "devices"))]
fn microphone(wish: Wish, _: &Notices) -> Result<Box<dyn AudioSource>, Error> {
    Err(no_device(Kind::Microphone, wish.name()))
}

#[cfg(feature = "devices")]
fn speaker(wish: Wish, notices: &Notices) -> Result<Box<dyn AudioSink>, Error> {
    super::device::sound::open_speaker(wish, notices.clone())
}

#[cfg(not(feature = "devices"))]
fn speaker(wish: Wish, _: &Notices) -> Result<Box<dyn AudioSink>, Error> {
    Err(no_device(Kind::Speaker, wish.name()))
}

#[cfg(feature = "devices")]
fn find(kind: Kind, wish: &Wish) -> Result<(), Error> {
    super::device::sound::find(kind, wish)
}

#[cfg(not(feature = "devices"))]
fn find(kind: Kind, wish: &Wish) -> Result<(), Error> {
    Err(no_device(kind, wish.name()))
}

#[cfg(not(all(feature = "devices", feature = "screen")))]
fn no_device(kind: Kind, id: Option<&str>) -> Error {
    let what = id.map_or_else(|| kind.to_string(), |id| format!("{kind} {id:?}"));
    Error::open(what, format!("this build has no {kind} support"))
}

fn word(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)))
}

fn with(f: &mut fmt::Formatter<'_>, word: &str, detail: Option<&impl fmt::Display>) -> fmt::Result {
    f.write_str(word)?;
    detail.map_or(Ok(()), |detail| write!(f, ":{detail}"))
}

fn identifier(text: &str, id: Option<&str>) -> Result<Option<String>, Error> {
    match id {
        Some("") => Err(Error::Spec(format!("{text:?} names no device after the colon"))),
        id => Ok(id.map(str::to_owned)),
    }
}

fn file(text: &str, path: Option<&str>) -> Result<PathBuf, Error> {
    match path {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(Error::Spec(format!("{text:?} names no file (write file:PATH)"))),
    }
}

fn pattern_size(text: &str, size: &str) -> Result<PatternSize, Error> {
    let (least_width, least_height) = pattern::MIN_SIZE;
    let wrong = || {
        Error::Spec(format!(
            "{text:?} is no pattern size (write pattern:640x360@25; \
             {least_width}x{least_height} to {MAX_SIDE}x{MAX_SIDE}, 1 to {MAX_FPS} frames a second)"
        ))
    };
    let (size, fps) = match size.split_once('@') {
        Some((size, fps)) => {
            (size, Some(number(fps).filter(|fps| (1..=MAX_FPS).contains(fps)).ok_or_else(wrong)?))
        }
        None => (size, None),
    };
    let (width, height) = size.split_once('x').ok_or_else(wrong)?;
    let width = number(width).filter(|width| (least_width..=MAX_SIDE).contains(width)).ok_or_else(wrong)?;
    let height =
        number(height).filter(|height| (least_height..=MAX_SIDE).contains(height)).ok_or_else(wrong)?;
    Ok(PatternSize { width, height, fps })
}

fn pitch(text: &str, hz: &str) -> Result<u32, Error> {
    let (low, high) = (tone::HZ.start(), tone::HZ.end());
    number(hz).filter(|hz| tone::HZ.contains(hz)).ok_or_else(|| {
        Error::Spec(format!("{text:?} is no tone (write tone:{}; {low} to {high} Hz)", tone::DEFAULT_HZ))
    })
}

/// Plain digits only: no sign, no space.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn unknown(kind: &str, text: &str, grammar: &str) -> Error {
    Error::Spec(format!("{text:?} is no {kind} (one of {grammar})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::device::logged;

    fn id() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[^\\PC]{1,12}")
    }

    fn path() -> impl Strategy<Value = PathBuf> {
        "[^\\PC]{1,20}".prop_map(PathBuf::from)
    }

    fn video() -> impl Strategy<Value = VideoSpec> {
        let size = (80_u32..4097, 45_u32..4097, proptest::option::of(1_u32..121))
            .prop_map(|(width, height, fps)| PatternSize { width, height, fps });
        prop_oneof![
            id().prop_map(VideoSpec::Camera),
            id().prop_map(VideoSpec::Screen),
            proptest::option::of(size).prop_map(VideoSpec::Pattern),
            path().prop_map(VideoSpec::File),
            Just(VideoSpec::None),
        ]
    }

    fn audio() -> impl Strategy<Value = AudioSpec> {
        prop_oneof![
            id().prop_map(AudioSpec::Mic),
            proptest::option::of(tone::HZ).prop_map(AudioSpec::Tone),
            path().prop_map(AudioSpec::File),
            Just(AudioSpec::Silence),
            Just(AudioSpec::None),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(video in video(), audio in audio(), path in path(), id in id()) {
            prop_assert_eq!(video.to_string().parse::<VideoSpec>().unwrap(), video);
            prop_assert_eq!(audio.to_string().parse::<AudioSpec>().unwrap(), audio);
            for show in [ShowSpec::Terminal, ShowSpec::Null, ShowSpec::File(path.clone())] {
                prop_assert_eq!(show.to_string().parse::<ShowSpec>().unwrap(), show);
            }
            for hear in [HearSpec::Speaker(id), HearSpec::Null, HearSpec::File(path)] {
                prop_assert_eq!(hear.to_string().parse::<HearSpec>().unwrap(), hear);
            }
        }

        #[test]
        fn any_text_parses_or_says_why(text: String) {
            for error in [
                text.parse::<VideoSpec>().err(), text.parse::<AudioSpec>().err(),
                text.parse::<ShowSpec>().err(), text.parse::<HearSpec>().err(),
            ].into_iter().flatten() {
                prop_assert!(matches!(error, Error::Spec(_)));
            }
        }
    }

    #[test]
    fn paths_and_devices_may_hold_colons() {
        let spec: VideoSpec = "file:C:\\x:y".parse().unwrap();
        assert_eq!(spec, VideoSpec::File("C:\\x:y".into()));
        let spec: AudioSpec = "mic:hw:0,1".parse().unwrap();
        assert_eq!(spec, AudioSpec::Mic(Some("hw:0,1".into())));
    }

    #[test]
    fn mistakes_are_told_with_the_grammar() {
        let said = |text: &str| text.parse::<VideoSpec>().unwrap_err().to_string();
        assert_eq!(
            said("webcam"),
            "\"webcam\" is no video source (one of camera[:ID], screen[:ID], pattern[:WxH[@FPS]], file:PATH or none)"
        );
        assert_eq!(said("file:"), "\"file:\" names no file (write file:PATH)");
        assert_eq!(said("camera:"), "\"camera:\" names no device after the colon");
        for bad in [
            "pattern:",
            "pattern:1x1",
            "pattern:640",
            "pattern:640x360@0",
            "pattern:+640x360",
            "none:x",
            "file",
        ] {
            assert!(bad.parse::<VideoSpec>().is_err(), "{bad}");
        }
        for bad in ["tone:", "tone:99", "tone:9000", "tone:-1", "silence:1", "Tone"] {
            assert!(bad.parse::<AudioSpec>().is_err(), "{bad}");
        }
        assert!("null:x".parse::<ShowSpec>().is_err() && "terminal:1".parse::<ShowSpec>().is_err());
    }

    #[test]
    fn devices_are_refused_with_a_reason() {
        let missing = VideoSpec::Camera(Some("=no such camera".into()));
        let said = open_video(&missing, VideoFormat::DEFAULT, &logged()).err().unwrap();
        assert!(matches!(said, Error::Open { .. }));
        assert!(said.to_string().starts_with("cannot open camera \""), "{said}");
        let gone = Some("=no such device".to_owned());
        assert!(open_audio(&AudioSpec::Mic(gone.clone()), &logged()).is_err());
        assert!(open_hear(&HearSpec::Speaker(gone), &logged()).is_err());
    }

    #[test]
    fn a_pattern_has_the_size_asked_for_or_the_usual() {
        let open = |text: &str| {
            open_video(&text.parse().unwrap(), VideoFormat::DEFAULT, &logged()).unwrap().format().to_string()
        };
        assert_eq!(open("pattern"), "640x360@25");
        assert_eq!(open("pattern:320x180"), "320x180@25");
        assert_eq!(open("pattern:160x90@12"), "160x90@12");
    }
}
