//! Sequences that go through tmux to the terminal outside (`allow-passthrough`).

/// Appends `sequence` so that tmux hands it on unread: inside a DCS of its own, with every ESC doubled.
pub(super) fn wrap(sequence: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1bPtmux;");
    for &byte in sequence {
        if byte == 0x1b {
            out.push(0x1b);
        }
        out.push(byte);
    }
    out.extend_from_slice(b"\x1b\\");
}
