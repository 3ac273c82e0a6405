//! From flags, environment and file to a session's configuration.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::{env, fs};

use anyhow::Result;

use super::args::{AlertLevel, Files, Global, Media, Receive, Trust};
use super::face::Face;
use super::failure::{Device, Usage};
use super::output::mask;
use super::profile::Profile;
use crate::call::Timing;
use crate::config::{self, DEFAULT_SERVER, Folders, Settings};
use crate::identity::Identity;
use crate::media::device::Kind;
use crate::media::record;
use crate::media::spec::{self, AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::media::{VideoFormat, device};
use crate::session::files::Policy;
use crate::session::{self, Choice};
use crate::signaling::client;
use crate::signaling::protocol::Name;

/// What every command that signs in has read before it does anything.
#[derive(Debug)]
pub(super) struct Ground {
    /// Where things are kept.
    pub(super) folders: Folders,
    /// The settings file.
    pub(super) settings: Settings,
    /// The settings file, which may not be there.
    pub(super) file: PathBuf,
}

/// The largest file that is accepted, unless told otherwise, bytes.
const LARGEST_FILE: u64 = 10_000_000_000;

/// The largest secret file that is read, bytes.
const LARGEST_SECRET: u64 = 4096;

impl Ground {
    /// Finds the folders and reads the settings.
    ///
    /// # Errors
    /// No home folder, or a settings file that is not valid.
    pub(super) fn read(global: &Global) -> Result<Self> {
        let folders = Folders::find()?;
        let settings = Settings::load(global.config.as_deref(), &folders)?;
        let file = Settings::file(global.config.as_deref(), &folders);
        Ok(Self { folders, settings, file })
    }

    /// Opens the profile that the flags, the file or the last login name.
    ///
    /// # Errors
    /// As [`Profile::open`].
    pub(super) fn profile(&self, global: &Global) -> Result<Profile> {
        let name = global.name.as_deref().or(self.settings.name.as_deref());
        if let Some(name) = name {
            // Before a key is made for what no server takes.
            Name::new(name).map_err(|error| Usage::new(format!("--name {name:?}: {error}")))?;
        }
        Profile::open(&self.folders.data, name)
    }

    /// Whether any name is known to sign in with: of the flags, the file or the last login.
    ///
    /// # Errors
    /// The data folder can't be read.
    pub(super) fn has_profile(&self, global: &Global) -> Result<bool> {
        let named = global.name.is_some() || self.settings.name.is_some();
        Ok(named || Profile::last(&self.folders.data)?.is_some())
    }

    /// The server's shared token, of the flag, the settings file or LETSMEET_TOKEN, in this order.
    ///
    /// # Errors
    /// The token file can't be read.
    pub(super) fn token(&self, global: &Global) -> Result<Option<String>> {
        match global.token_file.as_deref().or(self.settings.token_file.as_deref()) {
            Some(path) => secret(path).map(Some),
            None => Ok(env::var("LETSMEET_TOKEN").ok().filter(|token| !token.is_empty())),
        }
    }

    /// The server, and how it is reached.
    ///
    /// # Errors
    /// Its address makes no sense, the file of authorities can't be read, the environment names a proxy that can't be used.
    pub(super) fn server(&self, global: &Global) -> Result<(client::ServerAddress, client::Way)> {
        let server = global.server.as_deref().or(self.settings.server.as_deref()).unwrap_or(DEFAULT_SERVER);
        let server: client::ServerAddress =
            server.parse().map_err(|error| Usage::new(format!("--server: {error}")))?;
        mask::hide_server(&server.to_string());
        let way =
            client::Way { trust: self.authorities(global)?, proxies: client::Proxies::from_environment() };
        // Said before anything is tried; a server may still lead elsewhere.
        way.check(&server).map_err(|error| Usage::new(error.to_string()))?;
        Ok((server, way))
    }

    /// Where and how to sign in.
    ///
    /// # Errors
    /// The server's address makes no sense, or the token file can't be read.
    pub(super) fn signaling(
        &self,
        global: &Global,
        profile: &Profile,
        identity: &Arc<Identity>,
    ) -> Result<client::Config> {
        let token = self.token(global)?;
        mask::hide_name(&profile.name);
        let (server, way) = self.server(global)?;
        let name = Name::new(&profile.name)
            .map_err(|error| Usage::new(format!("--name {:?}: {error}", profile.name)))?;
        Ok(client::Config { way, token, ..client::Config::new(server, name, signer(identity)) })
    }

    /// Everything a session needs.
    ///
    /// # Errors
    /// A setting or a flag that makes no sense, a secret that can't be read.
    pub(super) fn session(
        &self,
        global: &Global,
        profile: &Profile,
        media: &Media,
        path: &super::args::Path,
        trust: &Trust,
        face: Face,
    ) -> Result<session::Config> {
        let identity = Arc::clone(&profile.identity);
        Ok(session::Config {
            signaling: self.signaling(global, profile, &identity)?,
            identity,
            trust: session::Trust {
                known_peers: Some(profile.known_peers.clone()),
                expect_key: trust.expect_key.clone(),
            },
            media: self.media(media, face)?,
            // What a person or a script wants otherwise is said by whoever takes files.
            files: self.files(&Files::default())?,
            ice_servers: self.ice_servers(&path.servers)?,
            ice_policy: path.ice.into(),
            authorities: self.authorities(global)?,
            timing: Timing::default(),
        })
    }

    /// What becomes of files, by flag, then file.
    ///
    /// # Errors
    /// A setting that makes no sense.
    pub(super) fn files(&self, flags: &Files) -> Result<session::files::Settings> {
        let file = &self.settings.files;
        let policy = match (flags.files, file.receive.as_deref()) {
            _ if flags.accept_files => Policy::Accept,
            (Some(Receive::Accept), _) | (None, Some("accept")) => Policy::Accept,
            (Some(Receive::Decline), _) | (None, Some("decline")) => Policy::Decline,
            (Some(Receive::Ask), _) | (None, None | Some("ask")) => Policy::Ask,
            (None, Some(other)) => {
                let why = format!("in the settings file: receive {other:?} is none of ask, accept, decline");
                return Err(Usage::new(why).into());
            }
        };
        let folder = flags.download.clone().or_else(|| file.download.clone());
        Ok(session::files::Settings {
            folder: folder.unwrap_or_else(|| self.folders.download()),
            policy,
            max_size: flags.max_file_size.or(file.max_size).unwrap_or(LARGEST_FILE),
            only: false,
        })
    }

    /// Media by flag, then file, then what fits: a pattern and a tone for a machine; for a person the camera, the microphone and the
    /// speaker, those that were used last before others.
    fn media(&self, flags: &Media, face: Face) -> Result<session::Media> {
        let file = &self.settings.media;
        let headless = face == Face::Headless;
        let video = pick(&flags.video, &file.video, || match headless {
            true => VideoSpec::Pattern(None),
            false if there_is(Kind::Camera) => VideoSpec::Camera(file.camera.clone()),
            false => VideoSpec::None,
        })?;
        let usual = video.usual_format();
        let size = flags.size.map_or((usual.width, usual.height), |size| (size.width, size.height));
        let audio = pick(&flags.audio, &file.audio, || match headless {
            true => AudioSpec::Tone(None),
            false if there_is(Kind::Microphone) => AudioSpec::Mic(file.microphone.clone()),
            false => AudioSpec::None,
        })?;
        for path in [as_file_video(&video), as_file_audio(&audio)].into_iter().flatten() {
            // Said before anybody's phone rings.
            fs::File::open(path)
                .map_err(|error| Device::new(format!("cannot open {}: {error}", path.display())))?;
        }
        if let Some(path) = &flags.record {
            recordable(path, [as_file_video(&video), as_file_audio(&audio)])?;
        }
        let otherwise = if face == Face::Screen { ShowSpec::Terminal } else { ShowSpec::Null };
        let show = pick(&flags.show, &file.show, || otherwise)?;
        let hear = pick(&flags.hear, &file.hear, || match headless {
            false if there_is(Kind::Speaker) => HearSpec::Speaker(file.speaker.clone()),
            _ => HearSpec::Null,
        })?;
        if matches!(show, ShowSpec::Terminal) && face != Face::Screen {
            return Err(Device::new("pictures can be shown in the terminal only by the screen: leave out --headless, --json and --plain").into());
        }
        // What has to be this device, or is asked for by a script, is looked for before anybody's phone rings; what a person's call
        // goes on without is told there.
        for choice in [Choice::Video(video.clone()), Choice::Audio(audio.clone()), Choice::Hear(hear.clone())]
        {
            if headless || !choice.may_be_missing() {
                look_for(&choice)?;
            }
        }
        let voice = &self.settings.voice;
        Ok(session::Media {
            video,
            audio,
            show,
            hear,
            format: VideoFormat { width: size.0, height: size.1, fps: flags.fps.unwrap_or(usual.fps) },
            video_bitrate: flags.video_bitrate.map(|kbps| kbps * 1000),
            audio_bitrate: flags.audio_bitrate.unwrap_or(48) * 1000,
            max_bitrate: flags.max_bitrate.map(|kbps| kbps * 1000),
            forgiving: !headless,
            push_to_talk: flags.push_to_talk || self.settings.push_to_talk,
            voice: session::Voice {
                echo_cancellation: voice.echo_cancellation && !flags.no_echo_cancellation,
                noise_suppression: voice.noise_suppression && !flags.no_noise_suppression,
                gain: voice.gain && !flags.no_gain,
            },
            record: flags.record.clone(),
            recordings: self.folders.recordings.clone(),
            alert: alert(flags.alert, &self.settings.alert)?,
            echo: None,
            monitor: None,
        })
    }
}

/// The hand-on-face alert by flag, then file; off unless somebody wants it.
///
/// # Errors
/// The settings file names no sensitivity, or a threshold that is none.
pub(super) fn alert(flag: Option<AlertLevel>, file: &config::Alert) -> Result<session::Alert> {
    let usage = |error: String| Usage::new(format!("in the settings file: alert: {error}"));
    let usual = session::AlertSettings::default();
    let threshold = file.threshold.unwrap_or(f64::from(usual.threshold));
    if !(0.0..=1.0).contains(&threshold) {
        return Err(usage(format!("threshold {threshold} is not between 0 and 1")).into());
    }
    let of_file = file.sensitivity.as_deref().map(str::parse).transpose().map_err(usage)?;
    let of_flag = flag.and_then(AlertLevel::sensitivity);
    let on = flag.map_or(file.on, |level| level != AlertLevel::Off);
    let sensitivity = of_flag.or(of_file).unwrap_or_default();
    Ok(session::Alert { on, settings: session::AlertSettings { sensitivity, threshold: threshold as f32 } })
}

struct ProfileSigner(Arc<Identity>);

impl client::Signer for ProfileSigner {
    fn public_key(&self) -> [u8; 32] {
        *self.0.public_key().as_bytes()
    }

    fn sign(&self, context: &str, message: &[u8]) -> [u8; 64] {
        *self.0.sign(context, message).as_bytes()
    }
}

/// The identity as the signaling client uses it.
#[must_use]
pub(super) fn signer(identity: &Arc<Identity>) -> Arc<dyn client::Signer> {
    Arc::new(ProfileSigner(Arc::clone(identity)))
}

/// A secret kept in a file, without the line end that editors add.
///
/// # Errors
/// The file can't be read, is too large or is empty.
pub(super) fn secret(path: &Path) -> Result<String> {
    let fail = |why: String| Device::new(format!("cannot read the secret in {}: {why}", path.display()));
    let about = fs::metadata(path).map_err(|error| fail(error.to_string()))?;
    if about.len() > LARGEST_SECRET {
        return Err(fail(format!("larger than {LARGEST_SECRET} bytes")).into());
    }
    let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(fail("it is empty".into()).into()),
        secret => Ok(secret.to_owned()),
    }
}

fn as_file_video(spec: &VideoSpec) -> Option<&Path> {
    if let VideoSpec::File(path) = spec { Some(path) } else { None }
}

fn as_file_audio(spec: &AudioSpec) -> Option<&Path> {
    if let AudioSpec::File(path) = spec { Some(path) } else { None }
}

/// Whether a call can be recorded there, said before anybody's phone rings.
///
/// # Errors
/// The name is none of a recording, the file can't be written, or it is one that is sent.
fn recordable(path: &Path, sent: [Option<&Path>; 2]) -> Result<()> {
    record::check(path)?;
    let same = |sent: &Path| {
        fs::canonicalize(sent).is_ok_and(|sent| fs::canonicalize(path).is_ok_and(|to| to == sent))
    };
    if sent.into_iter().flatten().any(same) {
        return Err(Usage::new(format!("--record {}: this file is sent in the call", path.display())).into());
    }
    Ok(())
}

/// Whether the system knows of any device of this kind. One that can't be listed can't be used either.
fn there_is(kind: Kind) -> bool {
    match device::list(kind) {
        Ok(devices) => !devices.is_empty(),
        Err(error) => {
            tracing::info!(%error, "no {kind} by default");
            false
        }
    }
}

/// Looks for the device of a choice, if it is one, without opening it.
///
/// # Errors
/// It is not there, or the system does not say what is.
fn look_for(choice: &Choice) -> Result<()> {
    match choice {
        Choice::Audio(spec) => return Ok(spec::find_audio(spec)?),
        Choice::Hear(spec) => return Ok(spec::find_hear(spec)?),
        Choice::Video(_) => {}
    }
    let Some((kind, id)) = choice.device() else {
        return Ok(());
    };
    let mut devices = device::list(kind)?;
    if kind == Kind::Screen {
        devices.extend(device::list(Kind::Window)?);
    }
    let wish = device::Wish::new(id);
    // Another window is never shared in place of the one that was named.
    let found = device::choose(&devices, &wish);
    if found.iter().any(|(_, wished)| *wished || kind == Kind::Camera) {
        return Ok(());
    }
    let which = wish.name().map_or_else(String::new, |name| format!(" {name:?}"));
    let why = match (kind, devices.is_empty()) {
        (Kind::Camera, true) => {
            "there is no camera (plug one in, or take --video file:PATH, screen, pattern or none)"
        }
        (Kind::Camera, false) => "no such device (see: letsmeet devices)",
        _ => "no such screen or window (see: letsmeet devices)",
    };
    Err(Device::new(format!("cannot open {kind}{which}: {why}")).into())
}

fn pick<T: FromStr + Clone>(
    flag: &Option<T>,
    file: &Option<String>,
    otherwise: impl FnOnce() -> T,
) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    match (flag, file) {
        (Some(flag), _) => Ok(flag.clone()),
        (None, Some(text)) => {
            text.parse().map_err(|error| Usage::new(format!("in the settings file: {error}")).into())
        }
        (None, None) => Ok(otherwise()),
    }
}
