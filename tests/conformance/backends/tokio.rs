//! tokio, on both of its runtimes.

use ::tokio::runtime::Builder;
use fetch_all::tokio::{Tokio, fetch_all};

use crate::backend::{Adapted, Boxed, client};
use crate::behaviour::{Cannot, Check};

pub(crate) static CURRENT_THREAD: Adapted = Adapted {
    name: "tokio, current-thread",
    drive: |work| run(&mut Builder::new_current_thread(), work),
    client: client::<Tokio>,
    short_form: |urls| Box::pin(fetch_all(urls)),
    cannot: CANNOT,
};

pub(crate) static MULTI_THREAD: Adapted = Adapted {
    name: "tokio, multi-thread",
    drive: |work| run(Builder::new_multi_thread().worker_threads(2), work),
    client: client::<Tokio>,
    short_form: |urls| Box::pin(fetch_all(urls)),
    cannot: CANNOT,
};

const CANNOT: &[Cannot] = &[Cannot {
    what: "works outside its runtime",
    why: "its sockets and timers live in a tokio runtime; outside one, an error says so",
    shows: "fetch_tokio works inside a tokio runtime only",
}];

fn run(builder: &mut Builder, work: Boxed<'_, Check>) -> Check {
    builder.enable_all().build()?.block_on(work)
}
