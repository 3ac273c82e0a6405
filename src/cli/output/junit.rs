//! JUnit XML, as CI servers read it: a failure is an expectation or a check that did not hold, an error is a run that could not
//! be judged. Pure: plain data in, text out.

use std::fmt::Write as _;

use super::human::clean;

/// All cases of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// `letsmeet.call` or `letsmeet.doctor`: the class of each case.
    pub name: &'static str,
    /// Which of several runs it is, from 1: then it has a class of its own.
    pub run: Option<u64>,
    /// The cases.
    pub cases: Vec<Case>,
}

impl Suite {
    fn class(&self) -> String {
        match self.run {
            Some(run) => format!("{}.run-{run}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// One expectation or check.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// How long it took, if that was measured.
    pub seconds: Option<f64>,
    /// How it came out.
    pub verdict: Verdict,
    /// What is to be read beside the verdict.
    pub note: Option<String>,
}

/// How a case came out, with a sentence where there is something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Passed,
    /// It did not hold.
    Failed(String),
    /// It could not be run.
    Errored(String),
    /// It was not run, or nothing follows from it.
    Skipped(String),
}

/// The document.
#[must_use]
pub fn write(suites: &[Suite]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    suites.iter().for_each(|suite| one(&mut out, suite));
    out.push_str("</testsuites>\n");
    out
}

fn one(out: &mut String, suite: &Suite) {
    let count = |is: fn(&Verdict) -> bool| suite.cases.iter().filter(|case| is(&case.verdict)).count();
    let time: f64 = suite.cases.iter().filter_map(|case| case.seconds).fold(0.0, |all, one| all + one);
    let class = escape(&suite.class());
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "  <testsuite name=\"{class}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time:.3}\">",
        suite.cases.len(),
        count(|verdict| matches!(verdict, Verdict::Failed(_))),
        count(|verdict| matches!(verdict, Verdict::Errored(_))),
        count(|verdict| matches!(verdict, Verdict::Skipped(_))),
    );
    for case in &suite.cases {
        let time = case.seconds.map(|seconds| format!(" time=\"{seconds:.3}\"")).unwrap_or_default();
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{}\"{time}>", escape(&case.name));
        let _ = match &case.verdict {
            Verdict::Passed => Ok(()),
            Verdict::Failed(why) => write!(out, "<failure message=\"{}\"/>", escape(why)),
            Verdict::Errored(why) => write!(out, "<error message=\"{}\"/>", escape(why)),
            Verdict::Skipped(why) => write!(out, "<skipped message=\"{}\"/>", escape(why)),
        };
        if let Some(note) = &case.note {
            let _ = write!(out, "<system-out>{}</system-out>", escape(note));
        }
        out.push_str("</testcase>\n");
    }
    out.push_str("  </testsuite>\n");
}

/// Cleaned first: XML 1.0 has no place for control characters, not even as references.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).as_str().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, verdict: Verdict) -> Case {
        Case { name: name.into(), seconds: Some(1.5), verdict, note: None }
    }

    #[test]
    fn each_verdict_is_counted_and_written_in_its_own_way() {
        let suite = Suite {
            name: "letsmeet.call",
            run: None,
            cases: vec![
                case("call", Verdict::Passed),
                case("video.fps>=24", Verdict::Failed("was 12".into())),
                case("call", Verdict::Errored("no \"answer\"".into())),
                Case { seconds: None, note: Some("a & b".into()), ..case("x", Verdict::Skipped("-".into())) },
            ],
        };
        insta::assert_snapshot!(write(&[suite]), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="letsmeet.call" tests="4" failures="1" errors="1" skipped="1" time="4.500">
            <testcase classname="letsmeet.call" name="call" time="1.500"></testcase>
            <testcase classname="letsmeet.call" name="video.fps&gt;=24" time="1.500"><failure message="was 12"/></testcase>
            <testcase classname="letsmeet.call" name="call" time="1.500"><error message="no &quot;answer&quot;"/></testcase>
            <testcase classname="letsmeet.call" name="x"><skipped message="-"/><system-out>a &amp; b</system-out></testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn remote_text_can_neither_end_an_attribute_nor_carry_what_xml_forbids() {
        let hostile = "\u{1b}[2J\u{0}\u{b}\"/><failure/>]]>&'\u{202e}\u{fffe}\n";
        let suite =
            Suite { name: "s", run: None, cases: vec![case(hostile, Verdict::Failed(hostile.into()))] };
        let text = write(&[suite]);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{fffe}') && !text.contains('\u{202e}'), "{text:?}");
        assert_eq!(text.matches("<failure").count(), 1, "{text}");
        assert_eq!(text.matches("<testcase").count(), 1, "{text}");
    }
}
