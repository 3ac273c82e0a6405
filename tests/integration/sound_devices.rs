//! Calls whose microphone and speaker are a real sound server's.

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use letsmeet::media::WallTime;
use letsmeet::media::source::open_sound;
use tempfile::TempDir;

use crate::harness::pesq::{saved, scores, spoken};
use crate::harness::pulse::{Pulse, RATE, Recorder};
use crate::harness::{Home, Process, SOON, Server, until};

const HZ: f32 = 1_000.0;
/// How loud the tone is that is played: -13 dBFS.
const LOUD: f32 = 0.3;
/// From one chirp's start to the next, and how long one is.
const EVERY: usize = RATE / 2;
const CHIRP: usize = RATE / 20;

fn tone(seconds: usize) -> Vec<f32> {
    (0..seconds * RATE).map(|at| LOUD * (TAU * HZ * (at % RATE) as f32 / RATE as f32).sin()).collect()
}

/// Rising whistles of 50 ms, each of which can be found again to the sample.
fn chirps(count: usize) -> Vec<f32> {
    (0..count * EVERY)
        .map(|at| {
            let at = at % EVERY;
            if at >= CHIRP {
                return 0.0;
            }
            let (seconds, length) = (at as f32 / RATE as f32, CHIRP as f32 / RATE as f32);
            let edge = (at.min(CHIRP - at) as f32 / 240.0).min(1.0);
            0.5 * edge * (TAU * (500.0 * seconds + 1_250.0 * seconds * seconds / length)).sin()
        })
        .collect()
}

/// The amplitude of `hz` in these samples.
fn amplitude(samples: &[f32], hz: f32) -> f32 {
    let (mut a, mut b) = (0.0f64, 0.0f64);
    for (at, &sample) in samples.iter().enumerate() {
        let (sin, cos) = (f64::from(hz) * std::f64::consts::TAU * at as f64 / RATE as f64).sin_cos();
        a += f64::from(sample) * sin;
        b += f64::from(sample) * cos;
    }
    (a.hypot(b) * 2.0 / samples.len() as f64) as f32
}

/// Whether the tone is what is heard now.
fn hears_the_tone(recorder: &Recorder) -> Option<()> {
    let last = recorder.last(RATE / 10)?;
    (amplitude(&last, HZ) > LOUD / 3.0).then_some(())
}

/// Where in `samples` the `pattern` fits best.
fn best_fit(samples: &[f32], pattern: &[f32]) -> usize {
    let fit = |at: usize| -> f32 { pattern.iter().zip(&samples[at..]).map(|(a, b)| a * b).sum() };
    let places = samples.len().saturating_sub(pattern.len());
    (0..places).max_by(|&a, &b| fit(a).total_cmp(&fit(b))).unwrap_or_default()
}

struct Call {
    _server: Server,
    _homes: [Home; 2],
    alice: Process,
    bob: Process,
}

/// Alice speaks into `mic`, Bob hears her at `speaker`.
fn call(pulse: &Pulse, mic: &str, speaker: &str) -> Call {
    let server = Server::start();
    let homes = [Home::new(), Home::new()];
    let (mic, speaker) = (format!("mic:{mic}"), format!("speaker:{speaker}"));
    let mut args =
        vec!["login", "--name", "bob", "--server", server.url(), "--headless", "--answer", "accept"];
    args.extend(["--video", "none", "--audio", "silence", "--hear", &speaker]);
    let mut bob = pulse.run(&homes[0], &args);
    bob.wait_for("registered", SOON);
    let mut args = vec!["call", "bob", "--name", "alice", "--server", server.url(), "--headless"];
    args.extend(["--video", "none", "--audio", &mic, "--duration", "60s"]);
    // To noise suppression a tone that never ends is noise.
    args.extend(["--no-echo-cancellation", "--no-noise-suppression", "--no-gain"]);
    let mut alice = pulse.run(&homes[1], &args);
    alice.wait_for("connected", SOON);
    Call { _server: server, _homes: homes, alice, bob }
}

#[test]
fn what_is_said_into_one_end_is_heard_at_the_other_within_150_ms() {
    heard_within_150_ms(&Pulse::start(&["near", "far"]));
}

#[test]
fn through_pipewire_it_is_heard_within_150_ms_as_well() {
    heard_within_150_ms(&Pulse::start_pipewire(&["near", "far"]));
}

#[allow(clippy::print_stdout, reason = "the figures, for whoever runs the test to see them")]
fn heard_within_150_ms(pulse: &Pulse) {
    let _call = call(pulse, "=near.monitor", "=far");
    let (near, far) = (pulse.record("near"), pulse.record("far"));
    let playing = pulse.play("near", tone(10));
    until(SOON, "the tone is heard at the far end", || hears_the_tone(&far));
    // A busy machine leaves out a moment now and then, which a second of the tone without that has not seen.
    let mut strays = Vec::new();
    let heard = until(SOON, "a second of nothing but the tone", || {
        let last = far.last(RATE)?;
        let tone = amplitude(&last, HZ);
        let stray = |hertz: f32| (hertz, amplitude(&last, hertz) / tone);
        strays = [900.0, 980.0, 1_020.0, 1_100.0, 2_000.0].map(stray).to_vec();
        let alone = strays.iter().all(|(_, share)| *share < 0.05);
        (amplitude(&last[..RATE / 10], HZ) > LOUD / 3.0 && alone).then_some(last)
    });
    let level = 20.0 * (amplitude(&heard, HZ) / LOUD).log10();
    println!("the tone is {level:+.1} dB at the far end, beside it {strays:.3?}");
    assert!(level.abs() < 6.0, "{level} dB");
    drop(playing);

    let (from_near, from_far) = (near.all().0.len(), far.all().0.len());
    let _playing = pulse.play("near", chirps(30));
    // Long enough that a moment which a busy machine leaves out, and the seconds in which the delay comes back, are not half of it.
    until(3 * SOON, "25 seconds of chirps", || (near.all().0.len() > from_near + 25 * RATE).then_some(()));
    let ((near, near_start), (far, far_start)) = (near.all(), far.all());
    let (near_start, far_start) = (near_start.expect("heard"), far_start.expect("heard"));
    let at = |start: Instant, sample: usize| start + Duration::from_secs_f64(sample as f64 / RATE as f64);
    let mut delays = Vec::new();
    let mut place = from_near;
    // A chirp at the near end is found by its first loud sample, and at the far end by its shape.
    while let Some(found) = near[place..].iter().position(|sample| sample.abs() > 0.05) {
        let chirp = place + found;
        place = chirp + EVERY * 3 / 4;
        let spoken = at(near_start, chirp);
        let since = spoken.saturating_duration_since(far_start).as_secs_f64();
        let first = (since * RATE as f64) as usize;
        let (Some(pattern), Some(window)) =
            (near.get(chirp..chirp + CHIRP), far.get(first..first + EVERY * 3 / 4))
        else {
            break;
        };
        delays.push(best_fit(window, pattern) as f64 * 1e3 / RATE as f64);
    }
    assert!(from_far > 0 && delays.len() >= 10, "{} chirps in {from_far}", delays.len());
    delays.sort_by(f64::total_cmp);
    let median = delays[delays.len() / 2];
    println!("mouth to ear: median {median:.1} ms, {:.1} to {:.1} ms", delays[0], delays[delays.len() - 1]);
    assert!(median < 150.0, "{delays:.1?}");
}

#[test]
fn a_spoken_sentence_is_as_good_at_the_other_speaker() {
    let folder = TempDir::with_prefix("letsmeet-spoken-").unwrap();
    let words = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.";
    let sentence = spoken(folder.path(), "en+f3", words);
    let mut samples = vec![0.0; 5 * RATE];
    open_sound(&sentence).unwrap().read(WallTime(0), &mut samples).unwrap();
    let pulse = Pulse::start(&["near", "far"]);
    let _call = call(&pulse, "=near.monitor", "=far");
    let far = pulse.record("far");
    let all = samples.repeat(6);
    let _playing = pulse.play("near", all.clone());
    until(6 * SOON, "six repetitions and what they take", || {
        (far.all().0.len() > all.len() + 2 * RATE).then_some(())
    });
    let clean = saved(&folder.path().join("clean.wav"), &samples);
    let heard = scores(&clean, &saved(&folder.path().join("heard.wav"), &far.all().0));
    eprintln!("PESQ-WB of a spoken sentence from one sound server's sink to another: {heard:.2?}");
    // On a busy machine a sound server that may not have the processor at once leaves out a moment now and then; which repetition that
    // falls into says nothing of the way between the devices.
    assert!(heard.iter().any(|&score| score >= 4.2), "{heard:.2?}");
}

#[test]
fn a_call_outlives_its_sound_server_and_sounds_again_when_that_is_back() {
    let mut pulse = Pulse::start(&["near", "far"]);
    let mut call = call(&pulse, "=near.monitor", "=far");
    {
        let far = pulse.record("far");
        let _playing = pulse.play("near", tone(20));
        until(SOON, "the tone is heard", || hears_the_tone(&far));
    }
    pulse.kill();
    pulse.restart();
    let far = pulse.record("far");
    let _playing = pulse.play("near", tone(30));
    let since = Instant::now();
    until(Duration::from_secs(20), "the tone is heard again", || hears_the_tone(&far));
    println!("sound is back {:.1} s after the server is", since.elapsed().as_secs_f64());
    call.alice.signal(crate::harness::Signal::Interrupt);
    let report = call.bob.wait_for_report();
    assert_eq!(report.result.name, "ok", "{report:#?}");
    // Two stretches of the tone; the silence between them is left out (DTX).
    assert!(report.receive.audio.packets_received > 25, "{report:#?}");
}

#[test]
fn a_speaker_that_is_pulled_out_is_replaced_and_taken_up_again() {
    let pulse = Pulse::start(&["near", "spare"]);
    let plug = ["load-module", "module-null-sink", "sink_name=headset", "rate=48000", "channels=2"];
    let module = pulse.control(&plug);
    pulse.control(&["set-default-sink", "spare"]);
    let _call = call(&pulse, "=near.monitor", "headset");
    let _playing = pulse.play("near", tone(120));
    {
        let headset = pulse.record("headset");
        until(SOON, "the tone is heard at the headset", || hears_the_tone(&headset));
    }
    let spare = pulse.record("spare");
    pulse.control(&["unload-module", &module]);
    until(SOON, "the tone is heard at another speaker", || hears_the_tone(&spare));
    pulse.control(&plug);
    let headset = pulse.record("headset");
    // A device that comes and goes is tried more rarely each time.
    until(3 * SOON, "the tone is heard at the headset again", || hears_the_tone(&headset));
}

#[test]
fn a_device_that_is_not_there_ends_the_call_before_it_rings() {
    let pulse = Pulse::start(&["near"]);
    let home = Home::new();
    let args = ["call", "bob", "--name", "alice", "--server", "ws://127.0.0.1:9", "--headless"];
    for (flag, spec, said) in [
        ("--audio", "mic:=gone", "cannot open microphone \"gone\": no such device (see: letsmeet devices)"),
        ("--hear", "speaker:=gone", "cannot open speaker \"gone\": no such device (see: letsmeet devices)"),
    ] {
        let mut args = args.to_vec();
        args.extend([flag, spec]);
        let outcome = pulse.run(&home, &args).finish(SOON).expect_code(6);
        assert!(outcome.says(said), "{outcome}");
    }
}
