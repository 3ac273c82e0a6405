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

/** A signed-in connection to the server that this page came from. `heard` gets every frame after `registered`, in order. */
export class Signaling {
  /** Resolves with the connection and what `registered` said. */
  static async login(name, identity, heard, lost) {
    const known = await (await fetch("/.well-known/letsmeet")).json();
    if (!known.protocols.includes(1)) throw new Error(`the server speaks ${known.protocols}`);
    const url = new URL(known.ws, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const signaling = new Signaling();
    signaling.socket = new WebSocket(url);
    const registered = await new Promise((resolve, reject) => {
      signaling.socket.onerror = () => reject(new Error(`no connection to ${url}`));
      signaling.socket.onclose = () => reject(new Error("the server closed before the login"));
      signaling.socket.onmessage = async ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type === "challenge") {
          if (frame.server !== "" && frame.server !== location.host) reject(new Error(`a challenge of ${frame.server}`));
          const signature = await identity.sign(loginBytes(frame, name));
          signaling.send({ type: "login", protocol: 1, name, key: identity.key, signature });
        } else if (frame.type === "registered") {
          signaling.socket.onmessage = ({ data }) => heard(JSON.parse(data));
          resolve(frame);
        } else if (frame.type === "error") {
          reject(new Error(`${frame.code}: ${frame.message}`));
        }
      };
    });
    signaling.socket.onerror = null;
    signaling.socket.onclose = () => lost();
    return [signaling, registered];
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  close() {
    this.socket.onclose = null;
    this.send({ type: "logout" });
  }
}
