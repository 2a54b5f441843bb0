//! Host patterns, translated to regular expressions.

use alloc::format;
use alloc::string::String;

use url::Host;

use super::error::RuleErrorKind;
use super::syntax::{PatternFault, SCHEME};

/// The regular expression of a host pattern: a host, or `*.` and a domain, with an optional port.
pub(super) fn regex(pattern: &str) -> Result<String, PatternFault> {
    let (host, port) = split(pattern)?;
    let (subdomains, name) = match host.strip_prefix("*.") {
        Some(name) => ("(?:[^/?#@:]+\\.)", name),
        None => ("", host),
    };
    let host = match Host::parse(name) {
        Ok(Host::Domain(name)) => Host::Domain(name),
        Ok(address) if subdomains.is_empty() => address,
        _ => return Err((0, RuleErrorKind::Host)),
    };
    let host = regex_syntax::escape(&format!("{host}"));
    let rest = format!("{subdomains}{host}");
    Ok(match port {
        None => format!("{SCHEME}{rest}(?::[0-9]+)?(?:[/?#]|$)"),
        Some(port) => match default_port_schemes(port) {
            // URLs omit the default port of their scheme.
            Some(own) => format!("(?:^{own}://{rest}|{SCHEME}{rest}:{port})(?:[/?#]|$)"),
            None => format!("{SCHEME}{rest}:{port}(?:[/?#]|$)"),
        },
    })
}

fn split(pattern: &str) -> Result<(&str, Option<u16>), PatternFault> {
    // Without a port, the last colon of "[::1]" is inside the address.
    let Some((host, port)) = pattern.rsplit_once(':').filter(|_| !pattern.ends_with(']')) else {
        return Ok((pattern, None));
    };
    if host.contains(':') && !host.ends_with(']') {
        return Err((0, RuleErrorKind::Host));
    }
    let number = Some(port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    match number.and_then(|port| port.parse().ok()) {
        Some(port) if port > 0 => Ok((host, Some(port))),
        _ => Err((host.len() + 1, RuleErrorKind::Port)),
    }
}

/// The schemes with this default port.
fn default_port_schemes(port: u16) -> Option<&'static str> {
    match port {
        80 => Some("(?:http|ws)"),
        443 => Some("(?:https|wss)"),
        _ => None,
    }
}
