// docs/protocol.md, sections 1 to 4 and 8: finding the server, the login, frames, signatures of descriptions.

const text = new TextEncoder();

/** Bytes as base64url without padding. */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64url(digits) {
  return Uint8Array.from(atob(digits.replaceAll("-", "+").replaceAll("_", "/")), (digit) => digit.charCodeAt(0));
}

/** 128 random bits as lower-case hexadecimal digits: what a call is named by. */
export function newCallId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An Ed25519 key pair of this page, which lives as long as the page. */
export class Identity {
  static async make() {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    const identity = new Identity();
    identity.pair = pair;
    identity.key = base64url(await crypto.subtle.exportKey("raw", pair.publicKey));
    return identity;
  }

  async sign(bytes) {
    return base64url(await crypto.subtle.sign("Ed25519", this.pair.privateKey, bytes));
  }
}

/** The bytes that a login signs. */
function loginBytes(challenge, name) {
  const [server, own] = [text.encode(challenge.server), text.encode(name)];
  const length = (bytes) => [bytes.length >> 8, bytes.length & 0xff];
  return new Uint8Array([
    ...text.encode("letsmeet login v1"),
    0,
    ...fromBase64url(challenge.nonce),
    ...length(server),
    ...server,
    ...length(own),
    ...own,
  ]);
}

/** The bytes that the sender of a description signs. Throws when it names no fingerprint or several. */
function descriptionBytes(call, kind, sdp) {
  const found = new Set([...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)\r?$/gm)].map(([, hash, digest]) =>
    `${hash.toLowerCase()} ${digest.toUpperCase()}`));
  if (found.size !== 1) throw new Error(`a description with ${found.size} fingerprints`);
  return text.encode(`letsmeet description v1\0${call}\n${kind}\n${[...found][0]}`);
}

/** The signature that goes with a description of ours. */
export function signDescription(identity, call, kind, sdp) {
  return identity.sign(descriptionBytes(call, kind, sdp));
}

/** Whether a description of the other side was signed by `key`. */
export async function isSignedBy(key, call, kind, sdp, signature) {
  const publicKey = await crypto.subtle.importKey("raw", fromBase64url(key), { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify("Ed25519", publicKey, fromBase64url(signature), descriptionBytes(call, kind, sdp));
}

/** How often the server is asked for a sign of life, and how long that may take: a page does not see WebSocket's pings. */
const [ASK_EVERY_MS, ANSWER_WITHIN_MS] = [1000, 1500];

/** A signed-in session at the server that this page came from. It outlives its socket: section 4, "Coming back". */
export class Signaling {
  /**
   * `heard` gets every frame after `registered`, in order; `tell` is told of each login. Resolves after the first, with what
   * `registered` said.
   */
  static async login(name, identity, heard, tell) {
    const known = await (await fetch("/.well-known/letsmeet")).json();
    if (!known.protocols.includes(1)) throw new Error(`the server speaks ${known.protocols}`);
    const signaling = new Signaling();
    const url = new URL(known.ws, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    Object.assign(signaling, { name, identity, heard, tell, url, asked: 0, waiting: [] });
    const registered = await signaling.connect();
    setInterval(() => signaling.ask(), ASK_EVERY_MS);
    return [signaling, registered];
  }

  /** Opens a socket and signs in, taking up the session if there was one. */
  async connect() {
    const socket = new WebSocket(this.url);
    Object.assign(this, { up: false, socket });
    const registered = await new Promise((resolve, reject) => {
      socket.onclose = () => reject(new Error(`${this.url} could not be reached, or closed before the login`));
      socket.onmessage = async ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type === "challenge") socket.send(JSON.stringify(await this.answer(frame)));
        else if (frame.type === "registered") resolve(frame);
        else if (frame.type === "error") reject(new Error(`${frame.code}: ${frame.message}`));
        // Frames that waited follow `registered` at once, before the promise is seen to be resolved.
        if (frame.type === "registered") socket.onmessage = ({ data }) => this.frame(JSON.parse(data));
      };
    });
    socket.onclose = () => this.reconnect("closed");
    Object.assign(this, { up: true, resume: registered.resume, answered: performance.now() });
    this.tell("registered", { name: registered.name, resumed: registered.resumed });
    for (const frame of this.waiting.splice(0)) this.send(frame);
    return registered;
  }

  async answer({ server, nonce }) {
    if (server !== "" && server !== location.host) throw new Error(`a challenge of ${server}`);
    const { name, identity, resume } = this;
    const signature = await identity.sign(loginBytes({ server, nonce }, name));
    return { type: "login", protocol: 1, name, key: identity.key, signature, ...(resume && { resume }) };
  }

  frame(frame) {
    this.answered = performance.now();
    if (frame.re === undefined) this.heard(frame);
  }

  /** Asks for a sign of life, and gives the socket up when there was none for too long. */
  ask() {
    if (!this.up) return;
    if (performance.now() - this.answered > ASK_EVERY_MS + ANSWER_WITHIN_MS) this.reconnect("silent");
    else this.send({ type: "list", limit: 1, seq: ++this.asked });
  }

  async reconnect(why) {
    this.tell("signaling", { up: false, why });
    Object.assign(this.socket, { onclose: null, onmessage: null });
    this.socket.close();
    while (!(await this.connect().then(() => true, () => false))) {
      await new Promise((resolve) => setTimeout(resolve, 250 * (1 + Math.random())));
    }
  }

  send(frame) {
    if (this.up) this.socket.send(JSON.stringify(frame));
    else this.waiting.push(frame);
  }
}
