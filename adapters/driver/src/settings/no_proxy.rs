//! Hosts that are reached without a proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// A list of exceptions in the format of `NO_PROXY`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NoProxyList(Vec<NoProxyEntry>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct NoProxyEntry {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum HostPattern {
    Any,
    /// A name in lower case, and all names below it.
    Name(String),
    Network(IpNet),
}

impl NoProxyList {
    /// Parses a list separated by commas or whitespace.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let words = list.split(|c: char| c == ',' || c.is_ascii_whitespace());
        let entries = words.map(parse_entry).filter_map(Result::transpose);
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }

    pub(crate) fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let port = url.port_or_known_default();
        self.0
            .iter()
            .any(|entry| entry.host.matches(&host) && (entry.port.is_none() || entry.port == port))
    }
}

impl HostPattern {
    fn matches(&self, host: &Host<&str>) -> bool {
        let ip: IpAddr = match (self, host) {
            (Self::Any, _) => return true,
            (Self::Name(name), Host::Domain(host)) => return is_below(host, name),
            (_, Host::Domain(_)) => return false,
            (_, Host::Ipv4(ip)) => (*ip).into(),
            (_, Host::Ipv6(ip)) => (*ip).into(),
        };
        matches!(self, Self::Network(network) if network.contains(&ip))
    }
}

fn is_below(host: &str, name: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let above = host.strip_suffix(name);
    above.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

fn parse_entry(word: &str) -> Result<Option<NoProxyEntry>, String> {
    let (name, port) = split_port(word)?;
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let host = if name == "*" {
        HostPattern::Any
    } else if bare.contains('/') {
        let network = bare.parse();
        HostPattern::Network(network.map_err(|_| format!("`{word}` is not ADDRESS/LENGTH"))?)
    } else if let Ok(ip) = bare.parse::<IpAddr>() {
        HostPattern::Network(ip.into())
    } else {
        let name = name.strip_prefix('*').unwrap_or(name);
        let name = name.strip_prefix('.').unwrap_or(name);
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() {
            return Ok(None);
        }
        let lower = || name.to_ascii_lowercase();
        HostPattern::Name(Host::parse(name).map_or_else(|_| lower(), |host| host.to_string()))
    };
    Ok(Some(NoProxyEntry { host, port }))
}

/// Splits off the port after the last colon, unless that colon is part of an IPv6 address.
fn split_port(word: &str) -> Result<(&str, Option<u16>), String> {
    match word.rsplit_once(':') {
        Some((name, port)) if name.ends_with(']') || !name.contains(':') => {
            let port = port.parse().ok().filter(|port| *port > 0);
            let port = port.ok_or_else(|| format!("`{word}` does not end in a valid port"))?;
            Ok((name, Some(port)))
        }
        _ => Ok((word, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_match_like_curls() {
        let table = [
            ("", "http://a.test/", false),
            (",, ,", "http://a.test/", false),
            ("*", "http://a.test/", true),
            ("*", "http://[::1]/", true),
            ("a.test", "http://a.test/", true),
            ("A.TEST", "http://a.test/", true),
            ("a.test", "http://A.Test./", true),
            ("a.test.", "http://a.test/", true),
            ("a.test", "http://b.a.test/", true),
            ("a.test", "http://ba.test/", false),
            ("a.test", "http://a.test.b/", false),
            (".a.test", "http://a.test/", true),
            (".a.test", "http://b.a.test/", true),
            (".a.test", "http://ba.test/", false),
            ("*.a.test", "http://b.a.test/", true),
            ("b.test,a.test", "http://a.test/", true),
            ("b.test a.test", "http://a.test/", true),
            ("b.test ,\ta.test", "http://a.test/", true),
            ("bücher.test", "http://b%C3%BCcher.test/", true),
            ("localhost", "http://127.0.0.1/", false),
            ("127.0.0.1", "http://127.0.0.1/", true),
            ("127.0.0.1", "http://127.0.0.10/", false),
            ("0.0.1", "http://127.0.0.1/", false),
            ("127.0.0.1", "http://127.0.0.1.test/", false),
            ("10.0.0.0/8", "http://10.200.0.1/", true),
            ("10.1.2.3/8", "http://10.200.0.1/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("10.0.0.0/8", "http://ten.test/", false),
            ("0.0.0.0/0", "http://192.0.2.1/", true),
            ("0.0.0.0/0", "http://[::1]/", false),
            ("::1", "http://[::1]/", true),
            ("[::1]", "http://[0:0::1]/", true),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("a.test:8080", "http://a.test:8080/", true),
            ("a.test:8080", "http://a.test/", false),
            ("a.test:443", "https://a.test/", true),
            ("a.test:443", "http://a.test/", false),
            ("10.0.0.0/8:81", "http://10.0.0.1:81/", true),
            ("[::1]:81", "http://[::1]:81/", true),
            ("[::1]:81", "http://[::1]:82/", false),
            ("*:81", "http://a.test:81/", true),
        ];
        for (list, url, expected) in table {
            let matched = NoProxyList::parse(list)
                .unwrap()
                .matches(&url.parse().unwrap());
            assert_eq!(matched, expected, "{list:?} {url}");
        }
    }

    #[test]
    fn an_invalid_exception_is_rejected() {
        for list in ["10.0.0.0/33", "a.test/8", "a.test:http", "a.test:0", "a:"] {
            assert!(NoProxyList::parse(list).is_err(), "{list}");
        }
    }
}
