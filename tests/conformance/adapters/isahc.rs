//! isahc, with smol as the executor.

use fetch_all::isahc::{Isahc, fetch_all, fetch_all_with_concurrency};

use crate::adapters::{CONNECT_NOT_REPORTED, HTTP1_ONLY};
use crate::harness::adapter::{AdapterUnderTest, build_fetcher};
use crate::harness::behaviour::UnsupportedBehaviour;

pub(crate) static ISAHC: AdapterUnderTest = AdapterUnderTest {
    name: "isahc",
    block_on: |work| smol::block_on(work),
    build_fetcher: build_fetcher::<Isahc>,
    fetch_all: |urls| Box::pin(fetch_all(urls)),
    fetch_all_with_concurrency: |urls, n| Box::pin(fetch_all_with_concurrency(urls, n)),
    unsupported: UNSUPPORTED,
};

const UNSUPPORTED: &[UnsupportedBehaviour] = &[
    UnsupportedBehaviour {
        behaviour: "private addresses can be refused",
        reason: "isahc does not report addresses before it connects; the setting is an error when the fetcher is built",
        mismatch: "private_addresses: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "too many header fields",
        reason: "curl reports an oversized head as a general receive error, which is retried",
        mismatch: "\"io, io\", not \"protocol\"",
    },
    UnsupportedBehaviour {
        behaviour: "the error names the certificate problem",
        reason: "curl reports only that a certificate was not acceptable",
        mismatch: "peer certificate",
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
        behaviour: "every request at the server is an attempt of the core",
        reason: "curl itself retries an idempotent request if a reused connection turns out to be closed",
        mismatch: "requests at the server: 2, not 1",
    },
    UnsupportedBehaviour {
        behaviour: "a missing client certificate is a TLS error",
        reason: "curl reports the server's alert as a general receive error, which is retried",
        mismatch: "\"io, io, io\", not \"tls\"",
    },
    UnsupportedBehaviour {
        behaviour: "a response has the server's certificate",
        reason: "isahc does not give curl's certificate information",
        mismatch: "there is no certificate",
    },
    UnsupportedBehaviour {
        behaviour: "an error keeps its source",
        reason: "the source is curl's error, which has curl's code instead of the system's error",
        mismatch: "no refused connection is the source of",
    },
    UnsupportedBehaviour {
        behaviour: "the error says why a tunnel was refused",
        reason: "curl reports only that it could not connect",
        mismatch: "does not hold: the error contains [\" 403\"]",
    },
    UnsupportedBehaviour {
        behaviour: "a server with another key than those pinned is refused",
        reason: "isahc has no option of curl for it; the setting is an error when the fetcher is built",
        mismatch: "pinned_keys: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "a rustls configuration of the caller is used",
        reason: "curl configures its TLS itself; the setting is an error when the fetcher is built",
        mismatch: "client_config: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "silent connections are checked by TCP keep-alive",
        reason: "isahc sets the pause between checks, but not the silence before the first; the setting is an error when the fetcher is built",
        mismatch: "tcp_keepalive: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "Nagle's algorithm can be left on",
        reason: "isahc cannot leave it on; the setting is an error when the fetcher is built",
        mismatch: "tcp_nodelay: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "connections can be opened by the caller",
        reason: "curl opens connections itself; the setting is an error when the fetcher is built",
        mismatch: "connector: isahc does not do it",
    },
    UnsupportedBehaviour {
        behaviour: "`connect_to` another name",
        reason: "isahc can connect to another address only; a name is an error when the fetcher is built",
        mismatch: "connect_to: ",
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
];
