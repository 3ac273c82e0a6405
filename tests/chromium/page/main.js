// What the page is told (`letsmeet.command`) and what it tells (`tell`, which the driver gives it).

import { Call } from "./call.js";
import { Ear, Eye, movingPicture, tone } from "./media.js";
import { Identity, Signaling, newCallId } from "./signaling.js";

const STATS_EVERY_MS = 250;
const video = document.getElementById("remote");
const audio = new AudioContext({ sampleRate: 48000 });
const state = { call: null, invited: null, eye: new Eye(video), ear: null, wants: null };

const tell = (event, fields = {}) => window.tell({ event, at_ms: Math.round(performance.now()), ...fields });
addEventListener("error", ({ message }) => tell("failed", { message }));
addEventListener("unhandledrejection", ({ reason }) => tell("failed", { message: String(reason?.stack ?? reason) }));

/** Frames are taken one after the other: each may take a while, and order matters. */
let queue = Promise.resolve();
const inOrder = (work) => (queue = queue.then(work).catch((error) => tell("failed", { message: String(error.stack) })));

function begin(id, other, offerer) {
  const { identity, signaling, iceServers } = state;
  const call = new Call({ id, identity, signaling, iceServers, other, offerer, tell });
  call.peer.ontrack = ({ track }) => {
    tell("track", { kind: track.kind });
    if (track.kind === "audio") state.ear = new Ear(audio, track);
    const stream = video.srcObject ?? new MediaStream();
    stream.addTrack(track);
    video.srcObject = stream;
  };
  state.call = call;
  return call;
}

function own(kind) {
  state[kind] ??= kind === "audio" ? tone(audio, state.wants.hz) : movingPicture(...state.wants.size);
  return state[kind];
}

/** What is said of a picture when the channel opens. */
async function introduce(call) {
  if (call.introduced) return;
  call.introduced = true;
  const on = call.peer.getSenders().some(({ track }) => track?.kind === "video");
  await call.say(`source video ${on ? "camera" : "none"}`);
  if (!on) await call.say("media video off");
}

const frames = {
  incoming({ call, from, from_key: key }) {
    tell("incoming", { from });
    state.signaling.send({ type: "ringing", call });
    begin(call, key, false);
    state.signaling.send({ type: "accept", call });
  },
  ringing: () => tell("ringing"),
  async accepted({ call: id, by, key }) {
    tell("accepted", { by });
    if (id !== state.invited) return;
    const call = begin(id, key, true);
    for (const kind of ["audio", "video"]) {
      const want = state.wants[kind];
      if (want !== "absent") call.section(kind, want === "on" ? own(kind) : null, state.wants.codecs);
    }
    introduce(call);
    await call.offer();
  },
  description: (frame) => state.call?.description(frame, async () => {
    const { call, wants } = state;
    for (const transceiver of call.peer.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      transceiver.direction = "sendrecv";
      if (!transceiver.sender.track && wants[kind] === "on") await transceiver.sender.replaceTrack(own(kind));
    }
    introduce(call);
  }),
  candidate: (frame) => !state.wants.deaf && state.call?.candidate(frame),
  /** The other side came back to the server: it may have another network now, and the offerer is who may restart. */
  "peer-signaling": ({ up }) => up && state.call?.restart(),
  ended({ reason }) {
    tell("ended", { reason });
    state.call?.close();
  },
  error: ({ code, message }) => tell("refused", { code, message }),
};

const commands = {
  /**
   * `audio` and `video` are "on", "later" (a section without a track) or "absent" (no section); who is `deaf` takes no candidates
   * of the other side. `codecs` are those of the page's own offers, `size` is that of its pictures.
   */
  async login({ name, audio: sound = "on", video: picture = "on", hz = 880, deaf = false, codecs = ["VP8"], size = [320, 180] }) {
    state.wants = { audio: sound, video: picture, hz, deaf, codecs, size };
    await audio.resume();
    state.identity = await Identity.make();
    const heard = (frame) => inOrder(() => frames[frame.type]?.(frame));
    const [signaling, { ice_servers }] = await Signaling.login(name, state.identity, heard, tell);
    Object.assign(state, { signaling, iceServers: ice_servers });
  },
  call({ to }) {
    state.invited = newCallId();
    state.signaling.send({ type: "invite", call: state.invited, to });
  },
  say: ({ text }) => state.call.say(text),
  /** Late video: a track for the section that is there, or else a section and a new offer. */
  async camera() {
    const { call } = state;
    const there = call.peer.getTransceivers().find(({ receiver }) => receiver.track.kind === "video");
    if (there) await there.sender.replaceTrack(own("video"));
    else {
      call.section("video", own("video"), state.wants.codecs);
      await call.offer();
    }
    await call.say("source video camera");
    await call.say("media video on");
  },
  restart: () => state.call.restart(),
  hangup() {
    state.call.send({ type: "hangup" });
    state.call.close();
    tell("ended", { reason: "hung-up" });
  },
};

/** One snapshot of everything that is measured. */
async function measure() {
  const { call, eye, ear } = state;
  if (!call || call.peer.connectionState === "closed") return;
  const stats = [...(await call.peer.getStats()).values()];
  const one = (type, kind) => stats.find((entry) => entry.type === type && (!kind || entry.kind === kind)) ?? {};
  const pick = (entry, names) => Object.fromEntries(names.map((name) => [name, entry[name] ?? null]));
  const selected = stats.find(({ id }) => id === one("transport").selectedCandidatePairId) ?? {};
  const end = (id) => pick(stats.find((entry) => entry.id === id) ?? {}, ["candidateType", "address", "port"]);
  const codec = ({ codecId }) => stats.find(({ id }) => id === codecId)?.mimeType ?? null;
  tell("stats", {
    codec: codec(one("inbound-rtp", "video")),
    video: pick(one("inbound-rtp", "video"), ["framesDecoded", "framesDropped", "framesReceived", "keyFramesDecoded",
      "packetsReceived", "packetsLost", "nackCount", "pliCount", "firCount", "freezeCount", "totalFreezesDuration",
      "framesPerSecond", "frameWidth", "frameHeight", "bytesReceived", "headerBytesReceived", "packetsDiscarded"]),
    audio: pick(one("inbound-rtp", "audio"), ["totalAudioEnergy", "totalSamplesReceived", "concealedSamples",
      "silentConcealedSamples", "packetsReceived", "packetsLost", "nackCount"]),
    sent: pick(one("outbound-rtp", "video"), ["framesEncoded", "keyFramesEncoded", "framesPerSecond", "frameWidth",
      "frameHeight", "nackCount", "pliCount", "bytesSent", "targetBitrate", "qualityLimitationReason"]),
    sound: pick(one("outbound-rtp", "audio"), ["nackCount", "packetsSent", "retransmittedPacketsSent"]),
    pair: { ...pick(selected, ["currentRoundTripTime"]), local: end(selected.localCandidateId), remote: end(selected.remoteCandidateId) },
    eye: { ...pick(eye, ["shown", "read", "number", "width", "height"]), stoodMs: eye.stoodMs() },
    ear: { hz: ear?.pitch() ?? null },
  });
}
// One after the other, however long one takes.
const again = () => setTimeout(() => measure().finally(again), STATS_EVERY_MS);
again();

window.command = async ({ command, ...options }) => {
  await commands[command](options);
};
tell("ready", { secure: isSecureContext });
