//! surf, on async-std.

use fetch_all::surf::{Surf, fetch_all};

use crate::backend::{Adapted, client};
use crate::backends::{HTTP1, UNTOLD};
use crate::behaviour::Cannot;

pub(crate) static SURF: Adapted = Adapted {
    name: "surf",
    drive: |work| async_std::task::block_on(work),
    client: client::<Surf>,
    short_form: |urls| Box::pin(fetch_all(urls)),
    cannot: CANNOT,
};

const PROXIES: &str = "surf knows no proxies; the setting is an error at the build";

const CANNOT: &[Cannot] = &[
    Cannot {
        what: "so is one that nobody registered",
        why: "surf takes a status that is not registered for an error",
        shows: "\"protocol\", not \"599\"",
    },
    Cannot {
        what: "the wait for a connection, TLS included",
        why: UNTOLD,
        shows: "\"attempt timeout\", not \"connect timeout\"",
    },
    Cannot {
        what: "the wait for the first byte",
        why: UNTOLD,
        shows: "this client does not tell when it is connected",
    },
    Cannot {
        what: "outcomes tell whether one was used again",
        why: "surf does not tell of connections",
        shows: "None, not Some",
    },
    Cannot {
        what: "names can be given addresses",
        why: "surf asks the system's resolver by itself; the setting is an error at the build",
        shows: "resolve: surf cannot do it",
    },
    Cannot {
        what: "it is spoken where TLS offers it",
        why: HTTP1,
        shows: "\"HTTP/1.1\", not \"HTTP/2.0\"",
    },
    Cannot {
        what: "many requests at once share one connection",
        why: HTTP1,
        shows: "not so: one connection carried them",
    },
    Cannot {
        what: "no more at once than the server takes",
        why: HTTP1,
        shows: "at once: 1, not 3",
    },
    Cannot {
        what: "what GOAWAY leaves aside is sent again, a POST too",
        why: HTTP1,
        shows: "http2: ",
    },
    Cannot {
        what: "a refused stream is sent again, a POST too",
        why: HTTP1,
        shows: "http2: ",
    },
    Cannot {
        what: "a dropped fetch leaves its connection to the others",
        why: HTTP1,
        shows: "not so: one connection carried them",
    },
    Cannot {
        what: "an http URL is asked of an HTTP proxy whole",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "an https URL goes through a tunnel",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "user name and password are for the proxy only",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "a wrong password is told and not shown",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "a refused tunnel is no connection, and is told",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "the error says why a tunnel was refused",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "a proxy that does not listen is told",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "SOCKS5 to names that the proxy looks up",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "SOCKS5 to names that are looked up here",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "SOCKS5 with user name and password",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "what SOCKS5 refuses is no connection",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "NO_PROXY is reached directly",
        why: PROXIES,
        shows: "proxy: surf cannot do it",
    },
    Cannot {
        what: "another address can be connected to",
        why: "surf connects to the URL's own host only; the setting is an error at the build",
        shows: "connect_to: surf cannot do it",
    },
    Cannot {
        what: "another name can be connected to",
        why: "surf connects to the URL's own host only; the setting is an error at the build",
        shows: "connect_to: surf cannot do it",
    },
    Cannot {
        what: "a Unix socket takes all requests",
        why: "surf has no Unix sockets; the setting is an error at the build",
        shows: "unix_socket: surf cannot do it",
    },
];
