//! Whether, and how long, a connection may be used again.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderName, Version};

use super::{Fields, parse_number};

pub(super) fn allows_keep_alive(fields: Fields<'_>, version: Version) -> bool {
    let has_option = |wanted: &[u8]| {
        fields.all(CONNECTION).any(|value| {
            let mut options = value.split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
        })
    };
    match version {
        Version::HTTP_10 => has_option(b"keep-alive") && !has_option(b"close"),
        _ => !has_option(b"close"),
    }
}

/// How much earlier than the server's limit an idle connection is given up, at most: a request must
/// arrive before the server closes the connection.
const MAX_IDLE_MARGIN: Duration = Duration::from_secs(1);

/// The idle limit in `Keep-Alive: timeout=5, max=100`, less a margin, and whether the connection
/// takes no more requests (RFC 2068, section 19.7.1.1).
pub(super) fn keep_alive_parameters(fields: Fields<'_>) -> (Option<Duration>, bool) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let (mut idle_limit, mut is_last) = (None, false);
    for value in fields.all(KEEP_ALIVE) {
        for parameter in value.split(|byte| *byte == b',') {
            let mut parts = parameter.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let number = parts.next().unwrap_or_default().trim_ascii();
            let number = number.strip_prefix(b"\"").unwrap_or(number);
            let number = parse_number(number.strip_suffix(b"\"").unwrap_or(number));
            if name.eq_ignore_ascii_case(b"timeout") {
                let limit = number.map(Duration::from_secs);
                let limit = limit.map(|limit| limit - MAX_IDLE_MARGIN.min(limit / 2));
                idle_limit = limit.or(idle_limit);
            } else if name.eq_ignore_ascii_case(b"max") {
                is_last |= number == Some(0);
            }
        }
    }
    // A limit of zero allows no request after this one.
    (idle_limit, is_last || idle_limit == Some(Duration::ZERO))
}
