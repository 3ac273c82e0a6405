//! The processing itself: sonora, a port of what browsers do to a microphone.
//!
//! Owns its settings, of which the gain is the delicate one: a gain for soft voices is a gain for what is left of an echo too,
//! so that it starts at none, is bounded, and moves slowly. Driven by the thread that captures.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, FixedDigital, GainController2, HighPassFilter, MaxProcessingRate,
    NoiseSuppression, NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::reference::Played;
use super::{FRAME, Settings};
use crate::media::SAMPLE_RATE;

/// What a soft voice gains at most, decibels.
const MOST_GAIN: f32 = 9.0;
/// How fast the gain moves, decibels a second.
const GAIN_PACE: f32 = 3.0;
/// A gain that would lift the noise of the place above this is not given, dBFS.
const NOISE_LIMIT: f32 = -50.0;

/// The processing of what is captured, frame by frame.
pub struct Capture {
    settings: Settings,
    /// `None` while everything is off.
    processing: Option<AudioProcessing>,
    played: Played,
}

impl Capture {
    pub(super) fn new(settings: Settings, played: Played) -> Self {
        let mut capture = Self { settings: Settings::OFF, processing: None, played };
        capture.set(settings);
        capture
    }

    /// What is done.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Does this from the next block on. What was learned of the room is kept where that can be.
    pub fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        self.played.want(settings.echo_cancellation);
        if settings == Settings::OFF {
            self.processing = None;
        } else if let Some(processing) = &mut self.processing {
            processing.apply_config(config(settings));
        } else {
            let stream = StreamConfig::new(SAMPLE_RATE, 1);
            let built = AudioProcessing::builder().config(config(settings));
            self.processing = Some(built.capture_config(stream).render_config(stream).build());
        }
    }

    /// Works on a block in place, in whole frames of 10 ms; what is left over of it passes as it is. Takes in everything
    /// that was played until now.
    pub fn process(&mut self, block: &mut [f32]) {
        let Some(processing) = &mut self.processing else {
            return;
        };
        let mut out = [0.0; FRAME];
        if self.settings.echo_cancellation {
            let mut played = [0.0; FRAME];
            while self.played.take(&mut played) {
                if let Err(error) = processing.process_render_f32(&[&played], &mut [&mut out]) {
                    tracing::debug!(%error, "played sound refused");
                }
            }
        }
        for frame in block.chunks_exact_mut(FRAME) {
            match processing.process_capture_f32(&[frame], &mut [&mut out]) {
                Ok(()) => frame.copy_from_slice(&out),
                // The sound is better unprocessed than gone.
                Err(error) => tracing::debug!(%error, "captured sound refused"),
            }
        }
    }

    /// Samples played that were not looked at, because nothing was captured meanwhile.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.played.overruns()
    }
}

fn config(settings: Settings) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: settings.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: settings.noise_suppression.then(|| NoiseSuppression {
            level: NoiseSuppressionLevel::Moderate,
            ..NoiseSuppression::default()
        }),
        gain_controller2: settings.gain.then(|| GainController2 {
            input_volume_controller: false,
            adaptive_digital: Some(AdaptiveDigital {
                max_gain_db: MOST_GAIN,
                initial_gain_db: 0.0,
                max_gain_change_db_per_second: GAIN_PACE,
                max_output_noise_level_dbfs: NOISE_LIMIT,
                ..AdaptiveDigital::default()
            }),
            fixed_digital: FixedDigital::default(),
        }),
        ..Config::default()
    }
}
