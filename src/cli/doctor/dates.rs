//! Two dates that other programs write: that of an HTTP answer, and the one until which a certificate is good.
//!
//! Pure. Both come from the network: what is not understood is `None`.

use std::time::SystemTime;

/// The months of RFC 9110, section 5.6.7.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// DER tags (X.690, section 8).
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The instant of a `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http(text: &str) -> Option<SystemTime> {
    let (_, rest) = text.trim().split_once(", ")?;
    let [day, month, year, time, "GMT"] = rest.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// When an X.509 certificate in DER runs out (RFC 5280, section 4.1.2.5).
pub(super) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    let (tag, _, rest) = element(fields)?;
    if tag == EXPLICIT_0 {
        // The version, which the first one leaves out.
        fields = rest;
    }
    // Serial number, signature algorithm, issuer; then validity.
    for _ in 0..3 {
        (_, _, fields) = element(fields)?;
    }
    let (tag, validity, _) = element(fields)?;
    let (_, _, second) = (tag == SEQUENCE).then(|| element(validity))??;
    let (tag, text, _) = element(second)?;
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let digits = match tag {
        // Two digits of a year mean 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let time = format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?);
    humantime::parse_rfc3339(&format!("{date}T{time}Z")).ok()
}

/// The first element: its tag, what is in it, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Option<SystemTime> {
        Some(humantime::parse_rfc3339(text).unwrap())
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(http("Sun, 06 Nov 1994 08:49:37 GMT"), at("1994-11-06T08:49:37Z"));
        for nonsense in ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, é"] {
            assert_eq!(http(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_certificate_says_when_it_runs_out() {
        for (year, text) in [(2031, "2031-02-03T00:00:00Z"), (2060, "2060-02-03T00:00:00Z")] {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 2, 3);
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()), at(text));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,40}") {
            let _ = (not_after(&bytes), http(&text));
        }
    }
}
