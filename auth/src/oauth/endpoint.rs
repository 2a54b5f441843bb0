//! The URL of a token server, and how it is asked.

use std::time::Duration;

use fetch_driver::{Adapter, Builder, Fetcher, Settings};
use fetch_proto::{AuthChoice, Policy, RedirectPolicy, Timeouts, TokenUrl};

/// A longer answer is refused.
const MAX_ANSWER: u64 = 64 << 10;

/// How long a token request may take, connection and answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// A fetcher for token requests alone. Of the settings of other requests it has those of the network and
/// of TLS, and neither header fields, cookies, logins, a cache nor limits.
pub(super) fn build_fetcher<A: Adapter + Default>(
    settings: &Settings,
    url: &TokenUrl,
) -> Result<Fetcher<A>, fetch_driver::BuildError> {
    let mut own = Settings::default();
    own.http2 = settings.http2;
    own.tls = settings.tls.clone();
    if let Some(agent) = settings.headers.get(http::header::USER_AGENT) {
        own.headers.insert(http::header::USER_AGENT, agent.clone());
    }
    // Without TLS, no proxy may see the secrets.
    if url.as_url().scheme() == "https" {
        own.route = settings.route.clone();
        own.route.private_addresses = true;
        own.route.unix_socket = None;
    }
    Builder::new(A::default())
        .settings(|settings| *settings = own)
        .build()
}

/// One attempt, because the grant decides when the server is asked again.
pub(super) fn policy() -> Policy {
    let limits = Timeouts::default()
        .attempt(REQUEST_LIMIT)
        .total(REQUEST_LIMIT);
    Policy::default()
        .attempts(1)
        .auth(AuthChoice::Off)
        .max_body(MAX_ANSWER)
        .redirects(RedirectPolicy::default().follow(false))
        .timeouts(limits)
}
