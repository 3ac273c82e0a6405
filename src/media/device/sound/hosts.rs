//! The sound system of this machine: which one there is, its devices, and in which format each is opened.
//!
//! Owns the choice of cpal's host (PulseAudio's server, which PipeWire also is, before ALSA; elsewhere what the platform has). Must not
//! know what is done with a device.

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange};

use super::callback::understands;
#[cfg(target_os = "linux")]
use super::pulse::Registry;
use crate::media::SAMPLE_RATE;
use crate::media::device::{Device, Kind};

/// How long a block of the device should be: 10 ms.
const BLOCKS_PER_SECOND: u32 = 100;

/// A connection to the sound system.
pub(super) struct Host {
    cpal: cpal::Host,
    /// Where the sound system is PulseAudio.
    #[cfg(target_os = "linux")]
    registry: Option<Registry>,
}

/// A device as it is listed and as it is opened.
pub(super) struct Found {
    pub(super) listed: Device,
    pub(super) handle: cpal::Device,
}

impl Host {
    /// The preferred one of those that answer.
    pub(super) fn new() -> Self {
        #[cfg(target_os = "linux")]
        if let Err(error) = super::pulse::bake_cookie() {
            tracing::warn!(%error, "cannot write the cookie for the sound server");
        }
        #[cfg(any(
            target_os = "linux",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "dragonfly"
        ))]
        for id in [cpal::HostId::PulseAudio, cpal::HostId::Alsa] {
            if let Ok(host) = cpal::host_from_id(id) {
                return Self::from(host);
            }
        }
        Self::from(cpal::default_host())
    }

    /// The same again, after its server went away.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) fn again(&self) -> Result<Self, cpal::Error> {
        cpal::host_from_id(self.cpal.id()).map(Self::from)
    }

    /// Whether a stream goes on elsewhere, without a word, when its device goes away: PulseAudio moves it.
    pub(super) fn moves_streams(&self) -> bool {
        self.cpal.id().to_string().eq_ignore_ascii_case("pulseaudio")
    }

    /// The number that the sound system has for this device, where it has one: another one once the device was away.
    #[cfg(target_os = "linux")]
    pub(super) fn number(&self, kind: Kind, id: &str) -> Option<u32> {
        self.registry.as_ref()?.number(kind, id).ok()?
    }

    /// The number that the sound system has for this device, where it has one.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn number(&self, _: Kind, _: &str) -> Option<u32> {
        None
    }

    /// Whether the device with this number, whose stream would go on elsewhere, is not there any more. False when that can't be told.
    pub(super) fn lost(&self, kind: Kind, id: &str, number: Option<u32>) -> bool {
        #[cfg(target_os = "linux")]
        if let (Some(registry), Some(number)) = (&self.registry, number) {
            return registry.number(kind, id).is_ok_and(|now| now != Some(number));
        }
        let _ = number;
        let gone = |found: Vec<Found>| found.iter().all(|found| found.listed.id != id);
        self.moves_streams() && self.devices(kind, false).is_ok_and(gone)
    }

    /// Whether this is one of ALSA's ways to convert sound or to reach a sound server, which has no device by itself. What has one is
    /// named after a card (`hw:CARD=PCH,DEV=0`), or is the usual one.
    fn is_plugin(&self, id: &str) -> bool {
        self.cpal.id().to_string().eq_ignore_ascii_case("alsa") && id != "default" && !id.contains(':')
    }

    /// The devices of this kind; those that only repeat what a speaker plays come last. `formats` costs time on some systems.
    ///
    /// # Errors
    /// The sound system does not answer.
    pub(super) fn devices(&self, kind: Kind, formats: bool) -> Result<Vec<Found>, cpal::Error> {
        let microphone = kind == Kind::Microphone;
        let usual =
            if microphone { self.cpal.default_input_device() } else { self.cpal.default_output_device() };
        let usual = usual.and_then(|device| device.id().ok());
        let mut found = Vec::new();
        for handle in self.cpal.devices()? {
            let fits = if microphone { handle.supports_input() } else { handle.supports_output() };
            let Ok(id) = handle.id() else {
                continue;
            };
            if !fits || self.is_plugin(id.id()) {
                continue;
            }
            let name =
                handle.description().map_or_else(|_| id.id().to_owned(), |said| said.name().to_owned());
            let (formats, busy) = match formats {
                true => match formats_of(&handle, microphone) {
                    Some(known) => known,
                    None => continue,
                },
                false => (Vec::new(), None),
            };
            let default = usual.as_ref() == Some(&id);
            let id = id.id().to_owned();
            found.push(Found { listed: Device { kind, id, name, formats, default, busy }, handle });
        }
        found.sort_by_key(|found| repeats_a_speaker(&found.listed));
        Ok(found)
    }
}

impl From<cpal::Host> for Host {
    fn from(cpal: cpal::Host) -> Self {
        #[cfg(target_os = "linux")]
        let registry = (cpal.id() == cpal::HostId::PulseAudio).then(Registry::new).flatten();
        Self {
            cpal,
            #[cfg(target_os = "linux")]
            registry,
        }
    }
}

/// Whether this microphone is what PulseAudio calls the monitor of a sink.
pub(super) fn repeats_a_speaker(device: &Device) -> bool {
    device.kind == Kind::Microphone && device.id.ends_with(".monitor")
}

/// The formats of a device and whether somebody has it; `None` when it only has a name.
fn formats_of(handle: &cpal::Device, microphone: bool) -> Option<(Vec<String>, Option<bool>)> {
    let usual = if microphone { handle.default_input_config() } else { handle.default_output_config() };
    match usual {
        Ok(format) => {
            let channels = format.channels();
            let plural = if channels == 1 { "" } else { "s" };
            Some((vec![format!("{} Hz, {channels} channel{plural}", format.sample_rate())], None))
        }
        Err(error) => match error.kind() {
            cpal::ErrorKind::DeviceBusy => Some((Vec::new(), Some(true))),
            cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::HostUnavailable => None,
            _ => Some((Vec::new(), None)),
        },
    }
}

/// The format to open a device in: 48 kHz, floats, few channels, short blocks, as far as it can.
///
/// # Errors
/// The device does not say what it can, or nothing that we can use.
pub(super) fn format(handle: &cpal::Device, kind: Kind) -> Result<(StreamConfig, SampleFormat), cpal::Error> {
    let ranges: Vec<SupportedStreamConfigRange> = if kind == Kind::Microphone {
        handle.supported_input_configs()?.collect()
    } else {
        handle.supported_output_configs()?.collect()
    };
    best(&ranges).ok_or_else(|| {
        cpal::Error::with_message(cpal::ErrorKind::UnsupportedConfig, "it has no format that can be used")
    })
}

fn best(ranges: &[SupportedStreamConfigRange]) -> Option<(StreamConfig, SampleFormat)> {
    let usable = ranges.iter().filter(|range| understands(range.sample_format()) && range.channels() > 0);
    let rate = |range: &SupportedStreamConfigRange| {
        SAMPLE_RATE.clamp(range.min_sample_rate(), range.max_sample_rate().max(range.min_sample_rate()))
    };
    let range = usable.min_by_key(|range| {
        let format = match range.sample_format() {
            SampleFormat::F32 => 0,
            SampleFormat::I32 | SampleFormat::I24 | SampleFormat::F64 => 1,
            SampleFormat::I16 => 2,
            _ => 3,
        };
        // Below 48 kHz something is lost, above it only time.
        let off = rate(range).abs_diff(SAMPLE_RATE);
        (rate(range) < SAMPLE_RATE, off, format, range.channels())
    })?;
    let sample_rate = rate(range);
    let wanted = sample_rate / BLOCKS_PER_SECOND;
    let buffer_size = match *range.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => BufferSize::Fixed(wanted.clamp(min, max)),
        _ => BufferSize::Default,
    };
    Some((StreamConfig { channels: range.channels(), sample_rate, buffer_size }, range.sample_format()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, from: u32, to: u32, format: SampleFormat) -> SupportedStreamConfigRange {
        let size = SupportedBufferSize::Range { min: 1, max: 100_000 };
        SupportedStreamConfigRange::new(channels, from, to, size, format)
    }

    #[test]
    fn the_format_is_as_near_to_48_khz_floats_as_the_device_can() {
        let ranges = [
            range(2, 8_000, 44_100, SampleFormat::F32),
            range(2, 96_000, 96_000, SampleFormat::F32),
            range(8, 44_100, 192_000, SampleFormat::F32),
            range(2, 48_000, 48_000, SampleFormat::I16),
        ];
        let (config, format) = best(&ranges).unwrap();
        assert_eq!((config.channels, config.sample_rate, format), (8, 48_000, SampleFormat::F32));
        assert_eq!(config.buffer_size, BufferSize::Fixed(480));
        let (config, _) = best(&ranges[..2]).unwrap();
        assert_eq!(config.sample_rate, 96_000, "44.1 kHz would lose something");
        let (config, _) = best(&ranges[..1]).unwrap();
        assert_eq!(config.sample_rate, 44_100);
        assert!(best(&[range(2, 48_000, 48_000, SampleFormat::DsdU8)]).is_none());
    }
}
