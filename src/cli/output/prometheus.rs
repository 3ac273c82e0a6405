//! Prometheus' text exposition format 0.0.4, as node_exporter's textfile collector reads it. Pure: plain data in, text out.

use std::fmt::Write as _;

use super::human::clean;

/// One value of one series. All are gauges: a file tells how it was the last time.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The family: letters, digits and underscores; others become underscores.
    pub name: String,
    /// What the family is about.
    pub help: String,
    /// Names of ours with any values.
    pub labels: Vec<(&'static str, String)>,
    /// What is not finite is left out.
    pub value: f64,
}

/// The file: families in the order of their first value, each with its HELP and TYPE once.
#[must_use]
pub fn write(metrics: &[Metric]) -> String {
    let mut out = String::new();
    let mut done: Vec<&str> = Vec::new();
    for metric in metrics {
        if done.contains(&metric.name.as_str()) {
            continue;
        }
        done.push(&metric.name);
        let family: Vec<&Metric> =
            metrics.iter().filter(|other| other.name == metric.name && other.value.is_finite()).collect();
        if family.is_empty() {
            continue;
        }
        let name = identifier(&metric.name);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} gauge", help(&metric.help));
        for metric in family {
            let labels: Vec<String> =
                metric.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "{name}{labels} {}", metric.value);
        }
    }
    out
}

fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// Backslash, quote and line feed; cleaning has taken the last, and whatever a terminal would act on.
fn escape(value: &str) -> String {
    clean(value).as_str().replace('\\', "\\\\").replace('"', "\\\"")
}

fn help(text: &str) -> String {
    clean(text).as_str().replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, labels: &[(&'static str, &str)], value: f64) -> Metric {
        let labels = labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect();
        Metric { name: name.into(), help: "How it was.".into(), labels, value }
    }

    #[test]
    fn a_family_stands_together_with_its_head_once() {
        let text = write(&[
            metric("letsmeet_ok", &[], 1.0),
            metric("letsmeet_ms", &[("check", "tcp")], 0.25),
            metric("letsmeet_ok", &[("a", "b"), ("c", "d")], 0.0),
            metric("letsmeet_none", &[], f64::NAN),
        ]);
        insta::assert_snapshot!(text, @r#"
        # HELP letsmeet_ok How it was.
        # TYPE letsmeet_ok gauge
        letsmeet_ok 1
        letsmeet_ok{a="b",c="d"} 0
        # HELP letsmeet_ms How it was.
        # TYPE letsmeet_ms gauge
        letsmeet_ms{check="tcp"} 0.25
        "#);
    }

    #[test]
    fn remote_text_stays_within_its_label() {
        let text = write(&[metric("a.b-c", &[("peer", "x\"} 1\nevil 2\\ \u{1b}[2J\u{202e}")], 1.0)]);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("a_b_c{peer=\"x\\\"} 1"), "{text}");
        assert!(text.contains("\\\\ "), "{text}");
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}
