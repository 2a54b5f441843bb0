//! isahc, from a thread of smol.

use fetch_all::isahc::{Isahc, fetch_all};

use crate::backend::{Adapted, client};
use crate::backends::{HTTP1, UNTOLD};
use crate::behaviour::Cannot;

pub(crate) static ISAHC: Adapted = Adapted {
    name: "isahc",
    drive: |work| smol::block_on(work),
    client: client::<Isahc>,
    short_form: |urls| Box::pin(fetch_all(urls)),
    cannot: CANNOT,
};

const CANNOT: &[Cannot] = &[
    Cannot {
        what: "a flood of header fields",
        why: "curl tells of too long a head as of any failure to receive, which is tried again",
        shows: "\"io, io\", not \"protocol\"",
    },
    Cannot {
        what: "the error says what is wrong with a certificate",
        why: "curl only says that a certificate was not acceptable",
        shows: "peer certificate",
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
        what: "every request at the server is an attempt of the core",
        why: "curl itself asks again for what is idempotent when a kept connection turns out closed",
        shows: "requests at the server: 2, not 1",
    },
    Cannot {
        what: "without one, such a server is told",
        why: "curl tells of the server's alert as of any failure to receive, which is tried again",
        shows: "\"io, io, io\", not \"tls\"",
    },
    Cannot {
        what: "the error says why a tunnel was refused",
        why: "curl only says that it could not connect",
        shows: "not so: [\"403\"] are said",
    },
    Cannot {
        what: "another name can be connected to",
        why: "isahc connects to another address only; a name is an error at the build",
        shows: "connect_to: ",
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
];
