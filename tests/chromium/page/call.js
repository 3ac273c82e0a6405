// docs/protocol.md, sections 6 and 8: one call, its descriptions and candidates, its control channel.

import { isSignedBy, signDescription } from "./signaling.js";

const bytes = new TextEncoder();

/** Chromium asks for lost sound, and sends it again, only when the description says so, and has no other way to say it. */
function withAudioNack(sdp) {
  const [, opus] = sdp.match(/^a=rtpmap:(\d+) opus\/48000\/2\r$/m) ?? [];
  return opus ? sdp.replace(new RegExp(`^a=rtpmap:${opus} .*\r\n`, "m"), `$&a=rtcp-fb:${opus} nack\r\n`) : sdp;
}

export class Call {
  /**
   * `other` is the key of the other side; `offerer` is true of the caller. `tell(event, fields)` reports what happens.
   * Nothing is negotiated before `offer()` or an offer of the other side.
   */
  constructor({ id, identity, signaling, iceServers, other, offerer, tell }) {
    Object.assign(this, { id, identity, signaling, other, offerer, tell });
    this.early = [];
    this.heard = false;
    this.peer = new RTCPeerConnection({ iceServers });
    this.peer.onicecandidate = ({ candidate }) => {
      if (!candidate) return;
      const { sdpMid, sdpMLineIndex } = candidate;
      tell("candidate", { side: "local", candidate: candidate.candidate });
      this.send({ type: "candidate", candidate: candidate.candidate, mid: sdpMid, mline: sdpMLineIndex });
    };
    this.peer.oniceconnectionstatechange = () => {
      tell("ice", { state: this.peer.iceConnectionState });
      if (this.peer.iceConnectionState === "disconnected") this.restart();
    };
    this.peer.onconnectionstatechange = () => tell("connection", { state: this.peer.connectionState });
    this.control = this.peer.createDataChannel("letsmeet", { negotiated: true, id: 0 });
    this.control.binaryType = "arraybuffer";
    this.control.onopen = () => this.control.send("here");
    this.control.onmessage = ({ data }) => this.message(data);
    this.files = this.peer.createDataChannel("letsmeet-files", { negotiated: true, id: 2 });
    /** Resolves when the other side was heard on the control channel: only then something may be said. */
    this.listens = new Promise((resolve) => (this.listening = resolve));
  }

  send(frame) {
    this.signaling.send({ ...frame, call: this.id });
  }

  /** A section of this kind, with a track now or later; pictures in one of `codecs`, the best first. */
  section(kind, track, codecs) {
    const sender = this.peer.addTransceiver(track ?? kind, { direction: "sendrecv" });
    if (kind === "video") {
      const known = RTCRtpReceiver.getCapabilities("video").codecs;
      const named = (name) => known.filter(({ mimeType }) => mimeType === `video/${name}`);
      sender.setCodecPreferences(codecs.flatMap(named));
    }
    return sender;
  }

  /** Makes an offer: the caller's part. */
  async offer() {
    await this.describe(await this.peer.createOffer());
  }

  /** An ICE restart is a new offer by the caller; while one is under way there is no second. */
  async restart() {
    if (!this.offerer || this.peer.signalingState !== "stable") return;
    this.peer.restartIce();
    await this.offer();
  }

  /** The description goes out before it is applied, so that no candidate overtakes it. */
  async describe({ type: kind, sdp: made }) {
    const sdp = withAudioNack(made);
    const signature = await signDescription(this.identity, this.id, kind, sdp);
    this.send({ type: "description", kind, sdp, signature });
    await this.peer.setLocalDescription({ type: kind, sdp });
  }

  /** Takes a description of the other side, and answers an offer. `prepare` may give tracks to an offer's sections. */
  async description({ kind, sdp, signature }, prepare) {
    if (!(await isSignedBy(this.other, this.id, kind, sdp, signature))) {
      this.send({ type: "hangup", reason: "identity-mismatch" });
      throw new Error("a description that the other side did not sign");
    }
    await this.peer.setRemoteDescription({ type: kind, sdp });
    this.tell("description", { kind, sdp });
    for (const candidate of this.early.splice(0)) await this.peer.addIceCandidate(candidate);
    if (kind === "offer") {
      await prepare();
      await this.describe(await this.peer.createAnswer());
    }
  }

  async candidate({ candidate, mid, mline }) {
    if (candidate === "") return;
    this.tell("candidate", { side: "remote", candidate });
    const init = { candidate, sdpMid: mid, sdpMLineIndex: mline };
    if (this.peer.remoteDescription) await this.peer.addIceCandidate(init);
    else this.early.push(init);
  }

  /** Text is about the connection, bytes are about the call. */
  message(data) {
    if (!this.heard) {
      this.heard = true;
      this.control.send("here");
      this.listening();
    }
    if (data === "goodbye") this.control.send("farewell");
    if (typeof data === "string") this.tell("control", { text: data });
    else this.tell("message", { text: new TextDecoder().decode(data) });
  }

  /** Says something about the call, as soon as the other side listens. */
  async say(text) {
    await this.listens;
    this.control.send(bytes.encode(text));
  }

  close() {
    this.peer.close();
  }
}
