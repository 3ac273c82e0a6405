//! Values of options: sizes of pictures and of files, times, hosts.

use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels a row, 16 to 4096, even.
    pub width: u32,
    /// Rows, 16 to 4096, even.
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once(['x', 'X']).ok_or("write WIDTHxHEIGHT, for example 320x180")?;
        let side = |text: &str| -> Result<u32, String> {
            let value: u32 = text.parse().map_err(|_| format!("\"{text}\" is not a number of pixels"))?;
            if (16..=4096).contains(&value) && value.is_multiple_of(2) {
                Ok(value)
            } else {
                Err(format!("{value} is not an even number between 16 and 4096"))
            }
        };
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

/// `500M`, `2G`, `10k`; a bare number is bytes. In thousands.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: u64 = number.parse().map_err(|_| format!("\"{text}\" is not a size (write 500M or 2G)"))?;
    let scale = match unit.trim_end_matches(['B', 'b']) {
        "" => 1,
        "k" | "K" => 1_000,
        "M" | "m" => 1_000_000,
        "G" | "g" => 1_000_000_000,
        "T" | "t" => 1_000_000_000_000,
        _ => return Err(format!("\"{unit}\" is no unit of size (k, M, G, T)")),
    };
    value.checked_mul(scale).ok_or_else(|| "larger than any disk".to_owned())
}

/// The longest time any option takes: a day and a bit would be a mistake, a year surely is.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// `10s`, `500ms`, `2m`, `1h`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: f64 =
        number.parse().map_err(|_| format!("\"{text}\" is not a time (write 10s, 500ms, 2m or 1h)"))?;
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("\"{unit}\" is no unit of time (ms, s, m, h)")),
    };
    let time = Duration::try_from_secs_f64(value * scale).map_err(|e| e.to_string())?;
    if time > LONGEST { Err("longer than 31 days".into()) } else { Ok(time) }
}

/// A time that is longer than none.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0".into()),
        time => Ok(time),
    }
}

/// `HOST` or `HOST:PORT`, as clients write it that were given it in an address: in small letters, without the port of https.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bad = || format!("\"{text}\" is neither HOST nor HOST:PORT");
    let url = Url::parse(&format!("https://{text}")).map_err(|_| bad())?;
    let host = url.host_str().ok_or_else(bad)?;
    let only_host = text.chars().all(|c| c.is_alphanumeric() || "-._:[]".contains(c));
    match url.port() {
        _ if !only_host || text.ends_with(':') => Err(bad()),
        Some(0) => Err(format!("\"{text}\" has port 0, where nobody can be reached")),
        Some(port) => Ok(format!("{host}:{port}")),
        None => Ok(host.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_at_all_is_not_always_a_time() {
        assert_eq!(some_time("1ms"), Ok(Duration::from_millis(1)));
        assert!(["0", "0s", "0.0m", "", "1ly"].iter().all(|wrong| some_time(wrong).is_err()));
    }

    #[test]
    fn a_host_is_written_as_in_addresses() {
        let same = [
            ("Calls.Example", "calls.example"),
            ("a.example:443", "a.example"),
            ("10.0.0.1:8443", "10.0.0.1:8443"),
        ];
        for (text, host_text) in same.into_iter().chain([("[2001:DB8::1]:7880", "[2001:db8::1]:7880")]) {
            assert_eq!(host(text).as_deref(), Ok(host_text));
        }
        for wrong in [
            "",
            ":80",
            "a:",
            "a:0",
            "a b",
            "https://calls.example",
            "calls.example/path",
            "user@host",
            "a:port",
            "a:99999",
            "?",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for wrong in ["", "s", "10 parsecs", "-1s", "1e400h", "99999h", "..s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_read_with_their_units() {
        assert_eq!(
            (bytes("17"), bytes("2G"), bytes("500 kB")),
            (Ok(17), Ok(2_000_000_000), Err("\" kB\" is no unit of size (k, M, G, T)".into()))
        );
        for wrong in ["", "G", "-1", "1.5G", "99999999999T", "1 parsec"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_even_and_bounded() {
        assert_eq!("320x180".parse(), Ok(Size { width: 320, height: 180 }));
        for wrong in ["320", "0x0", "321x180", "5000x100", "x", "ax b"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
