//! surf, on async-std.

use fetch_all::surf::{Surf, fetch_all};

use crate::backend::{Adapted, client};
use crate::backends::UNTOLD;
use crate::behaviour::Cannot;

pub(crate) static SURF: Adapted = Adapted {
    name: "surf",
    drive: |work| async_std::task::block_on(work),
    client: client::<Surf>,
    short_form: |urls| Box::pin(fetch_all(urls)),
    cannot: CANNOT,
};

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
];
