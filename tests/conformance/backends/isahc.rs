//! isahc, from a thread of smol.

use fetch_all::isahc::{Isahc, fetch_all};

use crate::backend::{Adapted, client};
use crate::backends::UNTOLD;
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
];
