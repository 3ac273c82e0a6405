// What the page sends: a canvas that moves and a tone. What it makes of what it gets: numbers of pictures, pitch of sound.

import { paintCode, readNumber } from "./pattern.js";

const FPS = 25;
/** A picture that stays longer than this stands still, as letsmeet counts it. */
const FREEZE_MS = 200;
/** The ground of our pictures and the disc on it. */
const [GROUND, DISC] = ["rgb(200 40 40)", "rgb(40 60 220)"];

/** A canvas with a code and a disc that goes round, as a video track. */
export function movingPicture(width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  let number = 0;
  const paint = () => {
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, height);
    context.fillStyle = DISC;
    context.beginPath();
    const [x, y] = [width * (0.5 + 0.31 * Math.cos(number / 20)), height * (0.5 + 0.14 * Math.sin(number / 20))];
    context.arc(x, y, height / 9, 0, 7);
    context.fill();
    paintCode(context, number++);
  };
  paint();
  setInterval(paint, 1000 / FPS);
  const [track] = canvas.captureStream(FPS).getVideoTracks();
  track.contentHint = "motion";
  return track;
}

/** A sine of this pitch as an audio track. */
export function tone(audio, hz) {
  const out = audio.createMediaStreamDestination();
  const loudness = new GainNode(audio, { gain: 0.3 });
  const oscillator = new OscillatorNode(audio, { frequency: hz });
  oscillator.connect(loudness).connect(out);
  oscillator.start();
  return out.stream.getAudioTracks()[0];
}

/** Listens to a remote audio track. Its stream has to be played by an element too, or Chromium decodes nothing. */
export class Ear {
  constructor(audio, track) {
    this.analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
    this.rate = audio.sampleRate;
    audio.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
  }

  /** The loudest pitch in Hz, or null of silence. */
  pitch() {
    const levels = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(levels);
    let loudest = 1;
    for (let bin = 2; bin < levels.length - 1; bin++) if (levels[bin] > levels[loudest]) loudest = bin;
    if (!(levels[loudest] > -60)) return null;
    return (loudest * this.rate) / this.analyser.fftSize;
  }
}

/** Milliseconds of a stand-still between two pictures that are so far apart. */
const standing = (gap) => (gap > FREEZE_MS ? gap : 0);

/** Looks at every picture that a video element shows. */
export class Eye {
  constructor(video) {
    Object.assign(this, { video, shown: 0, read: 0, number: null, width: 0, height: 0, frozenMs: 0, last: null });
    this.context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    this.look = this.look.bind(this);
    video.requestVideoFrameCallback(this.look);
  }

  /** Milliseconds in which the picture stood still, the present one included. */
  stoodMs() {
    return this.frozenMs + standing(performance.now() - (this.last ?? performance.now()));
  }

  look(now, { width, height }) {
    const { canvas } = this.context;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    this.context.drawImage(this.video, 0, 0, width, height);
    const number = readNumber(this.context);
    // The same picture again ends no freeze.
    if (number !== this.number) {
      this.frozenMs += standing(now - (this.last ?? now));
      this.last = now;
    }
    this.shown++;
    Object.assign(this, { width, height });
    if (number !== null) {
      this.read++;
      this.number = number;
    }
    this.video.requestVideoFrameCallback(this.look);
  }
}
