//! surf, on async-std.

use fetch_all::surf::{Surf, fetch_all, fetch_all_with_concurrency};

use crate::adapters::{CONNECT_NOT_REPORTED, HTTP1_ONLY};
use crate::harness::adapter::{AdapterUnderTest, build_fetcher};
use crate::harness::behaviour::UnsupportedBehaviour;

pub(crate) static SURF: AdapterUnderTest = AdapterUnderTest {
    name: "surf",
    block_on: |work| async_std::task::block_on(work),
    build_fetcher: build_fetcher::<Surf>,
    fetch_all: |urls| Box::pin(fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| Box::pin(fetch_all_with_concurrency(urls, n)),
    unsupported: UNSUPPORTED,
};

const PROXIES: &str =
    "surf does not support proxies; the setting is an error when the fetcher is built";

const UNSUPPORTED: &[UnsupportedBehaviour] = &[
    UnsupportedBehaviour {
        behaviour: "an unregistered status is a response",
        reason: "surf treats an unregistered status as an error",
        mismatch: "\"protocol\", not \"599\"",
    },
    UnsupportedBehaviour {
        behaviour: "connect limit, TLS included",
        reason: CONNECT_NOT_REPORTED,
        mismatch: "\"attempt timeout\", not \"connect timeout\"",
    },
    UnsupportedBehaviour {
        behaviour: "first byte limit",
        reason: CONNECT_NOT_REPORTED,
        mismatch: "first_byte",
    },
    UnsupportedBehaviour {
        behaviour: "a response has the server's certificate",
        reason: "surf does not report connections",
        mismatch: "there is no certificate",
    },
    UnsupportedBehaviour {
        behaviour: "a response has the server's address",
        reason: "surf does not report connections",
        mismatch: "there is no address",
    },
    UnsupportedBehaviour {
        behaviour: "an error keeps its source",
        reason: "surf's pool turns the system's error into text",
        mismatch: "no refused connection is the source of",
    },
    UnsupportedBehaviour {
        behaviour: "outcomes report connection reuse",
        reason: "surf does not report connections",
        mismatch: "None, not Some",
    },
    UnsupportedBehaviour {
        behaviour: "private addresses can be refused",
        reason: "surf does not report addresses before it connects; the setting is an error when the fetcher is built",
        mismatch: "private_addresses: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "`resolve` maps a name to addresses",
        reason: "surf always uses the system's resolver; the setting is an error when the fetcher is built",
        mismatch: "resolve: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "ALPN selects HTTP/2",
        reason: HTTP1_ONLY,
        mismatch: "\"HTTP/1.1\", not \"HTTP/2.0\"",
    },
    UnsupportedBehaviour {
        behaviour: "concurrent requests share one connection",
        reason: HTTP1_ONLY,
        mismatch: "does not hold: one connection carried all requests",
    },
    UnsupportedBehaviour {
        behaviour: "the server's stream limit is obeyed",
        reason: HTTP1_ONLY,
        mismatch: "at once: 1, not 3",
    },
    UnsupportedBehaviour {
        behaviour: "requests excluded by GOAWAY are sent again, POST included",
        reason: HTTP1_ONLY,
        mismatch: "http2: ",
    },
    UnsupportedBehaviour {
        behaviour: "a refused stream is sent again, POST included",
        reason: HTTP1_ONLY,
        mismatch: "http2: ",
    },
    UnsupportedBehaviour {
        behaviour: "a cancelled fetch leaves its connection open",
        reason: HTTP1_ONLY,
        mismatch: "does not hold: one connection carried all requests",
    },
    UnsupportedBehaviour {
        behaviour: "an http URL is sent to an HTTP proxy in absolute form",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "an https URL goes through a CONNECT tunnel",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "credentials are sent to the proxy only",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a wrong password is reported and not shown",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a refused tunnel is a connect error",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "the error says why a tunnel was refused",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "an unreachable proxy is reported",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "SOCKS5, names resolved by the proxy",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "SOCKS5, names resolved locally",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "SOCKS5 with user name and password",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a SOCKS5 refusal is a connect error",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "NO_PROXY hosts are reached directly",
        reason: PROXIES,
        mismatch: "proxy: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "`connect_to` another address",
        reason: "surf connects to the URL's host only; the setting is an error when the fetcher is built",
        mismatch: "connect_to: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "connections can be opened by the caller",
        reason: "surf opens connections itself; the setting is an error when the fetcher is built",
        mismatch: "connector: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "`connect_to` another name",
        reason: "surf connects to the URL's host only; the setting is an error when the fetcher is built",
        mismatch: "connect_to: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "only added CAs can be trusted",
        reason: "surf trusts what the system trusts; the setting is an error when the fetcher is built",
        mismatch: "trusted_roots: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a minimum version of TLS can be set",
        reason: "surf leaves it to the system's TLS; the setting is an error when the fetcher is built",
        mismatch: "min_version: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a version of TLS can be chosen",
        reason: "surf leaves it to the system's TLS; the setting is an error when the fetcher is built",
        mismatch: "version: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a server with another key than those pinned is refused",
        reason: "surf does not report certificates; the setting is an error when the fetcher is built",
        mismatch: "pinned_keys: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a rustls configuration of the caller is used",
        reason: "surf's TLS is that of the system; the setting is an error when the fetcher is built",
        mismatch: "client_config: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "connections start at a chosen local address",
        reason: "surf lets the system choose; the setting is an error when the fetcher is built",
        mismatch: "local_address: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "one family of addresses can be chosen",
        reason: "surf connects to whatever the system's resolver returns; the setting is an error when the fetcher is built",
        mismatch: "address_family: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "silent connections are checked by TCP keep-alive",
        reason: "surf does not set it; the setting is an error when the fetcher is built",
        mismatch: "tcp_keepalive: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "Nagle's algorithm can be left on",
        reason: "surf switches it off; the setting is an error when the fetcher is built",
        mismatch: "tcp_nodelay: surf cannot do it",
    },
    UnsupportedBehaviour {
        behaviour: "a Unix socket carries all requests",
        reason: "surf does not support Unix sockets; the setting is an error when the fetcher is built",
        mismatch: "unix_socket: surf cannot do it",
    },
];
