//! Which HTTP proxy the environment names for a server, if any.
//!
//! Owns the rules: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, as curl has them. Pure: the variables come in
//! as an argument. Opens nothing; [`tunnel`](super::tunnel) and the look-up of the server do.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The port of a proxy whose URL names none.
const USUAL_PORT: u16 = 80;

/// What the environment says of proxies. By default nothing: every server is reached directly.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For https and wss.
    secure: Option<Setting>,
    /// For http and ws.
    plain: Option<Setting>,
    past: Vec<Rule>,
}

/// A variable and what it holds, which may be a password.
#[derive(Clone, PartialEq, Eq)]
struct Setting {
    variable: &'static str,
    text: String,
}

/// A proxy. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    variable: &'static str,
    url: Url,
    host: String,
    port: u16,
}

/// What is wrong with a variable. Never holds its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {why}")]
pub struct BadProxy {
    variable: &'static str,
    why: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |setting: &Option<Setting>| setting.as_ref().map(|setting| setting.variable);
        f.debug_struct("Proxies")
            .field("secure", &name(&self.secure))
            .field("plain", &name(&self.plain))
            .field("past", &self.past)
            .finish()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{} ({})", bracketed(&self.host), self.port, self.variable)
    }
}

impl Proxies {
    /// Reads the variables of this process.
    #[must_use]
    pub fn from_environment() -> Proxies {
        Proxies::read(|name| std::env::var(name).ok())
    }

    /// Reads the variables that `value` knows; one that is empty counts as not there.
    ///
    /// `HTTP_PROXY` in capitals is not heeded, as in curl: where programs are run by a web server, its clients set it.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Proxies {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|variable| {
                let text = value(variable)?.trim().to_owned();
                (!text.is_empty()).then_some(Setting { variable, text })
            })
        };
        let past = first(&["no_proxy", "NO_PROXY"]).map(|setting| setting.text).unwrap_or_default();
        Proxies {
            secure: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            plain: first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            past: past.split([',', ' ']).filter_map(Rule::parse).collect(),
        }
    }

    /// The proxy for an http, https, ws or wss URL. None for this machine itself, whatever the variables say.
    ///
    /// # Errors
    /// There is one, and it cannot be used.
    pub fn for_url(&self, url: &Url) -> Result<Option<Proxy>, BadProxy> {
        let setting = if matches!(url.scheme(), "https" | "wss") { &self.secure } else { &self.plain };
        let (Some(setting), Some(host)) = (setting, url.host_str()) else {
            return Ok(None);
        };
        let host = bare(host);
        let port = url.port_or_known_default().unwrap_or_default();
        if is_this_machine(host) || self.past.iter().any(|rule| rule.covers(host, port)) {
            return Ok(None);
        }
        Proxy::parse(setting).map(Some)
    }
}

impl Proxy {
    fn parse(setting: &Setting) -> Result<Proxy, BadProxy> {
        let bad = |why: &str| BadProxy { variable: setting.variable, why: why.to_owned() };
        let text = &setting.text;
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|error| bad(&format!("no address of a proxy: {error}")))?;
        match url.scheme() {
            "http" => {}
            scheme if scheme.starts_with("socks") => {
                return Err(bad("SOCKS proxies are not supported (an http:// proxy that allows CONNECT is)"));
            }
            "https" => {
                return Err(bad("proxies that are reached over TLS are not supported (an http:// proxy is)"));
            }
            _ => {
                return Err(bad("no address of a proxy: its scheme is unknown (http://HOST:PORT is needed)"));
            }
        }
        let host = url.host_str().map(|host| bare(host).to_owned()).unwrap_or_default();
        if host.is_empty() {
            return Err(bad("no address of a proxy: it has no host"));
        }
        let port = url.port().unwrap_or(USUAL_PORT);
        Ok(Proxy { variable: setting.variable, url, host, port })
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// With user name and password: not to be shown.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// User name and password, with a colon between (RFC 7617, section 2).
    pub(super) fn credentials(&self) -> Option<Vec<u8>> {
        let password = self.url.password();
        if self.url.username().is_empty() && password.is_none() {
            return None;
        }
        let mut credentials = decoded(self.url.username());
        credentials.push(b':');
        credentials.extend(decoded(password.unwrap_or_default()));
        Some(credentials)
    }
}

/// An entry of `no_proxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    what: What,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Everything,
    /// This name and every one below it.
    Domain(String),
    /// Addresses that begin with as many bits of this one.
    Network(IpAddr, u8),
}

impl Rule {
    /// None for what says nothing, or nothing that makes sense.
    fn parse(entry: &str) -> Option<Rule> {
        let entry = entry.trim();
        let whole = |text: &str| -> Option<What> {
            let address: IpAddr = bare(text).parse().ok()?;
            Some(What::Network(address.to_canonical(), bits(&address.to_canonical())))
        };
        if let Some(what) = whole(entry) {
            return Some(Rule { what, port: None });
        }
        let number = |port: &str| port.parse::<u16>().ok();
        if let Some((address, rest)) = entry.split_once('/') {
            // Before the port is looked for: an address has colons of its own.
            let (length, port) = match rest.split_once(':') {
                Some((length, port)) => (length, Some(number(port)?)),
                None => (rest, None),
            };
            let (address, length) = (bare(address).parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?);
            let what = (length <= bits(&address)).then_some(What::Network(address, length))?;
            return Some(Rule { what, port });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(number(port)?)),
            None => (entry, None),
        };
        let what = match whole(host) {
            Some(what) => what,
            None if host == "*" => What::Everything,
            None => {
                let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.').to_ascii_lowercase();
                (!name.is_empty()).then_some(What::Domain(name))?
            }
        };
        Some(Rule { what, port })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match &self.what {
            What::Everything => true,
            What::Domain(name) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            What::Network(network, length) => host
                .parse::<IpAddr>()
                .is_ok_and(|address| shares_prefix(&address.to_canonical(), network, *length)),
        }
    }
}

fn shares_prefix(a: &IpAddr, b: &IpAddr, length: u8) -> bool {
    let first = |address: &IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let differ = (first(a) ^ first(b)).leading_zeros();
    a.is_ipv4() == b.is_ipv4() && differ >= u32::from(length)
}

fn bits(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A host as it stands in a URL, without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The reverse of [`bare`].
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => {
            let host = host.trim_end_matches('.');
            host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
        }
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1); what is none stays as it is.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                bytes.push(digit(high).unwrap_or_default() << 4 | digit(low).unwrap_or_default());
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    /// What `url` goes through, in words.
    fn way(variables: &[(&str, &str)], url: &str) -> String {
        match proxies(variables).for_url(&url.parse().unwrap()) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(proxy)) => proxy.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable_and_lower_case_wins() {
        let all =
            [("all_proxy", "http://all:1"), ("https_proxy", "http://low:2"), ("HTTPS_PROXY", "http://up:3")];
        assert_eq!(way(&all, "wss://a.example/"), "http://low:2 (https_proxy)");
        assert_eq!(way(&all, "ws://a.example/"), "http://all:1 (all_proxy)");
        assert_eq!(way(&all[..1], "https://a.example/"), "http://all:1 (all_proxy)");
        assert_eq!(way(&[("HTTPS_PROXY", "p:8080")], "https://a.example/"), "http://p:8080 (HTTPS_PROXY)");
        assert_eq!(way(&[("http_proxy", "p")], "ws://a.example/"), "http://p:80 (http_proxy)");
        assert_eq!(way(&[("HTTP_PROXY", "http://evil:1")], "ws://a.example/"), "direct");
        assert_eq!(way(&[("https_proxy", " ")], "wss://a.example/"), "direct");
        assert_eq!(
            way(&[("ALL_PROXY", "http://[2001:db8::1]:3128")], "ws://a/"),
            "http://[2001:db8::1]:3128 (ALL_PROXY)"
        );
    }

    #[test]
    fn this_machine_is_never_reached_by_a_proxy() {
        let all = [("ALL_PROXY", "http://p:1")];
        for host in
            ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
        {
            assert_eq!(way(&all, &format!("wss://{host}:7880/")), "direct", "{host}");
        }
        assert_ne!(way(&all, "wss://localhost.example/"), "direct");
    }

    #[test]
    fn no_proxy_takes_hosts_domains_addresses_networks_ports_and_everything() {
        for (list, goes_past, does_not) in [
            ("*", &["a.example", "192.0.2.1"][..], &[][..]),
            (
                "b.example, a.example",
                &["a.example", "deep.a.example", "A.EXAMPLE", "a.example."],
                &["xa.example", "example"],
            ),
            (".a.example", &["a.example", "x.a.example"], &["b.example"]),
            ("*.a.example", &["x.a.example"], &["b.example"]),
            ("A.Example b.example", &["a.example", "b.example"], &[]),
            ("192.0.2.1", &["192.0.2.1", "[::ffff:192.0.2.1]"], &["192.0.2.10", "192.0.2.1.example"]),
            ("10.0.0.0/8", &["10.255.0.1"], &["11.0.0.1", "10.example", "[2001:db8::1]"]),
            ("0.0.0.0/0", &["203.0.113.9"], &["[2001:db8::1]"]),
            ("2001:db8::/32", &["[2001:db8:1::2]"], &["[2001:db9::1]", "32.1.13.184"]),
            ("10.0.0.0/8:443 10.0.0.0/8:x", &["10.0.0.1"], &[]),
            ("10.0.0.0/8:8443", &[], &["10.0.0.1"]),
            ("2001:db8::1", &["[2001:db8::1]"], &["[2001:db8::2]"]),
            (
                "a.example:443,[2001:db8::1]:443,192.0.2.1:443",
                &["a.example", "[2001:db8::1]", "192.0.2.1"],
                &[],
            ),
            ("a.example:8443,10.0.0.0/33,10.0.0.0/x,a.example:,:443,.,", &[], &["a.example", "10.0.0.1"]),
        ] {
            let variables = [("https_proxy", "http://p:1"), ("NO_PROXY", list)];
            for host in goes_past {
                assert_eq!(way(&variables, &format!("wss://{host}/")), "direct", "{list}: {host}");
            }
            for host in does_not {
                assert_ne!(way(&variables, &format!("wss://{host}/")), "direct", "{list}: {host}");
            }
        }
    }

    #[test]
    fn what_is_no_proxy_of_ours_is_refused_without_its_password() {
        for (text, why) in [
            ("socks5://me:secret@p:1080", "SOCKS proxies are not supported"),
            ("socks5h://p", "SOCKS proxies are not supported"),
            ("https://me:secret@p", "over TLS are not supported"),
            ("ftp://me:secret@p", "scheme is unknown"),
            ("http://me:secret@", "no address of a proxy"),
            ("me:secret@p:port", "no address of a proxy"),
        ] {
            let said = way(&[("HTTPS_PROXY", text)], "wss://a.example/");
            assert!(said.starts_with("HTTPS_PROXY: ") && said.contains(why), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let proxies = proxies(&[("https_proxy", "http://m%65%40x:s%3Acret%zz@p:3128/")]);
        let proxy = proxies.for_url(&"wss://a.example/".parse().unwrap()).unwrap().unwrap();
        assert_eq!(proxy.credentials().unwrap(), b"me@x:s:cret%zz");
        assert!(!format!("{proxy} {proxy:?} {proxies:?}").contains("cret"));
        assert_eq!(Proxy::parse(&Setting { variable: "x", text: "p".into() }).unwrap().credentials(), None);
    }

    proptest! {
        #[test]
        fn no_variable_makes_it_panic(proxy: String, list: String, host in "[a-z0-9.:\\[\\]]{1,20}") {
            if let Ok(url) = format!("wss://{host}/").parse() {
                let _ = proxies(&[("https_proxy", &proxy), ("no_proxy", &list)]).for_url(&url);
            }
        }
    }
}
