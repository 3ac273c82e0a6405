//! Errors below say what is wrong and, in parentheses at the end, what to do: two columns of a check.

/// What is wrong, and the hint if there is one.
pub(super) fn split(error: &str) -> (String, Option<String>) {
    let inner =
        error.strip_suffix(')').and_then(|rest| rest.rfind(" (").map(|at| (&rest[..at], &rest[at + 2..])));
    match inner {
        Some((what, hint)) if !hint.contains('(') && !hint.contains(')') => {
            (what.to_owned(), Some(hint.to_owned()))
        }
        _ => (error.to_owned(), None),
    }
}

#[test]
fn a_hint_is_what_stands_in_parentheses_at_the_end() {
    assert_eq!(split("no answer (is it up?)"), ("no answer".into(), Some("is it up?".into())));
    for text in ["no answer", "no (x) answer", ")", "a (b (c))"] {
        assert_eq!(split(text), (text.to_owned(), None));
    }
}
