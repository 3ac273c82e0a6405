//! Expectations: `METRIC OP VALUE`, held or not against the numbers of a report.
//!
//! Owns the grammar and the look-up by path; knows the report only as a JSON value, so that
//! every number in it can be named. A metric that no report has is a usage error before the call;
//! one that this call did not produce (no audio came, say) does not hold.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

/// Names that may be written in place of a full path.
const SHORT: &[(&str, &str)] =
    &[("video.", "receive.video."), ("audio.", "receive.audio."), ("rtt_ms.", "path.rtt_ms.")];

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// Two-character signs stand first, so that `<=` is not read as `<`.
const SIGNS: [(&str, Op); 7] = [
    ("<=", Op::LessOrEqual),
    (">=", Op::GreaterOrEqual),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    ("<", Op::Less),
    (">", Op::Greater),
    ("=", Op::Equal),
];

/// One expectation, as written after `--expect`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    text: String,
    path: String,
    op: Op,
    value: f64,
}

/// How an expectation came out, as the report shows it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The expectation as it was written.
    pub text: String,
    /// What the report holds under that path; null when this call produced no such number.
    pub actual: Option<f64>,
    /// Whether it held.
    pub held: bool,
}

/// Why a text is not an expectation.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No comparison sign in the text.
    #[error("\"{0}\" has no comparison (write METRIC OP VALUE, for example video.fps>=24)")]
    NoComparison(String),
    /// The right side is not a finite number.
    #[error("\"{0}\" is not a number")]
    NotANumber(String),
    /// The left side names nothing that a report can hold.
    #[error("no metric \"{0}\" in the report (see: docs/scripting.md)")]
    UnknownMetric(String),
}

impl FromStr for Expectation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = text
            .char_indices()
            .find_map(|(at, _)| SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign)).map(|s| (at, s)));
        let Some((at, (sign, op))) = found else {
            return Err(Error::NoComparison(text.to_owned()));
        };
        let right = text[at + sign.len()..].trim();
        let value: f64 = right.parse().map_err(|_| Error::NotANumber(right.to_owned()))?;
        if !value.is_finite() {
            return Err(Error::NotANumber(right.to_owned()));
        }
        Ok(Self { text: text.trim().to_owned(), path: full_path(text[..at].trim()), op: *op, value })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expectation {
    /// An expectation built from its parts, for a command's own minimum.
    #[must_use]
    pub fn at_least(path: &str, value: f64) -> Self {
        Self { text: format!("{path}>={value}"), path: full_path(path), op: Op::GreaterOrEqual, value }
    }

    /// Refuses a metric that is not among `known` paths.
    ///
    /// # Errors
    /// [`Error::UnknownMetric`] names the path that no report has.
    pub fn check(&self, known: &[String]) -> Result<(), Error> {
        if known.contains(&self.path) { Ok(()) } else { Err(Error::UnknownMetric(self.path.clone())) }
    }

    /// Compares with the number under the path in `report`.
    #[must_use]
    pub fn judge(&self, report: &Value) -> Outcome {
        let actual =
            self.path.split('.').try_fold(report, |value, key| value.get(key)).and_then(Value::as_f64);
        let held = actual.is_some_and(|actual| match self.op {
            Op::Less => actual < self.value,
            Op::LessOrEqual => actual <= self.value,
            Op::Equal => actual == self.value,
            Op::NotEqual => actual != self.value,
            Op::GreaterOrEqual => actual >= self.value,
            Op::Greater => actual > self.value,
        });
        Outcome { text: self.text.clone(), actual, held }
    }
}

fn full_path(name: &str) -> String {
    SHORT
        .iter()
        .find_map(|(short, full)| name.strip_prefix(short).map(|rest| format!("{full}{rest}")))
        .unwrap_or_else(|| name.to_owned())
}

/// Every numeric path of a JSON Schema made by schemars for the report, in the order of the schema.
#[must_use]
pub fn numeric_paths(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, schema, "", 0, &mut found);
    found
}

/// Deep enough for every report; bounds a schema that refers to itself.
const DEPTH: usize = 12;

fn collect(root: &Value, node: &Value, path: &str, depth: usize, found: &mut Vec<String>) {
    if depth > DEPTH {
        return;
    }
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        if let Some(target) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            collect(root, target, path, depth + 1, found);
        }
        return;
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for option in node.get(key).and_then(Value::as_array).into_iter().flatten() {
            collect(root, option, path, depth + 1, found);
        }
    }
    let is_number = match node.get("type") {
        Some(Value::String(kind)) => kind == "number" || kind == "integer",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "number" || kind == "integer"),
        _ => false,
    };
    if is_number && !path.is_empty() {
        found.push(path.to_owned());
    }
    for (key, child) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect(root, child, &below, depth + 1, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_comparison_is_read_with_and_without_spaces() {
        let report = json!({"receive": {"video": {"fps": 25.0}}});
        for (text, held) in [
            ("video.fps>=24", true),
            ("video.fps >= 25", true),
            ("receive.video.fps<25", false),
            ("video.fps<=25", true),
            ("video.fps == 25", true),
            ("video.fps=25", true),
            ("video.fps!=25", false),
            ("video.fps > 24.9", true),
        ] {
            let outcome = text.parse::<Expectation>().unwrap().judge(&report);
            assert_eq!((outcome.held, outcome.actual), (held, Some(25.0)), "{text}");
        }
    }

    #[test]
    fn a_number_that_the_call_did_not_produce_does_not_hold() {
        let outcome =
            "audio.gaps<=0".parse::<Expectation>().unwrap().judge(&json!({"receive": {"audio": null}}));
        assert_eq!(outcome, Outcome { text: "audio.gaps<=0".into(), actual: None, held: false });
    }

    #[test]
    fn nonsense_is_refused_with_the_part_that_is_wrong() {
        assert_eq!("video.fps".parse::<Expectation>(), Err(Error::NoComparison("video.fps".into())));
        assert_eq!("video.fps>=fast".parse::<Expectation>(), Err(Error::NotANumber("fast".into())));
        assert_eq!("video.fps>=inf".parse::<Expectation>(), Err(Error::NotANumber("inf".into())));
        assert_eq!("é>=".parse::<Expectation>(), Err(Error::NotANumber(String::new())));
        let unknown = "video.speed>1".parse::<Expectation>().unwrap();
        assert_eq!(
            unknown.check(&["receive.video.fps".into()]),
            Err(Error::UnknownMetric("receive.video.speed".into()))
        );
    }
}
