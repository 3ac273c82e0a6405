//! Questions to a real server, and to servers that behave badly.

mod fake;
mod real;

use super::*;
use crate::rtc::server_url::ServerUrl;

fn url(text: &str) -> ServerUrl {
    text.parse().unwrap()
}

/// Options for servers that will not answer.
fn soon() -> Options {
    Options { within: Duration::from_millis(700), ..Options::default() }
}
