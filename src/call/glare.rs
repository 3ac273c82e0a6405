//! Owns the rule for glare: both sides dialed each other before either learned of it.
//!
//! The lower `CallId` wins, on both sides and in either order of arrival. Whoever dialed the
//! losing call withdraws it and accepts the winning one at once, for dialing is consent to talk to
//! that person. Whoever dialed the winning call keeps the other in mind, in case the own invite
//! never arrived (see `Timing::glare`).

use super::CallId;

/// What to do about the other side's call while ours to them is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours loses: withdraw it and accept theirs.
    Yield,
    /// Ours wins: wait for their acceptance.
    Hold,
    /// It is our own call, come back.
    Echo,
}

/// Compares our call with theirs.
pub(super) fn judge(ours: CallId, theirs: CallId) -> Verdict {
    match theirs.cmp(&ours) {
        std::cmp::Ordering::Less => Verdict::Yield,
        std::cmp::Ordering::Equal => Verdict::Echo,
        std::cmp::Ordering::Greater => Verdict::Hold,
    }
}

/// Whether two spellings are the same person's name. `to` is as the user typed it, `from` as its
/// owner chose it; both went through the protocol's normalisation, so only case is left.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    fold(a).eq(fold(b))
}

/// The server's folding, but for normalisation. A final sigma is a sigma.
fn fold(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}
