//! What another policy would have come to, as far as a trace can tell.

mod comparison;
mod model;
#[cfg(test)]
mod tests;
mod world;

use std::io::Read;

use fetch_proto::Config;

use crate::drive::{self, Script};
use crate::error::TraceError;
use crate::recorded::Recorded;
use model::Model;
use world::{Guess, Servers};

pub use comparison::{Comparison, Totals};

/// Runs the fetches of a trace again under other settings, in virtual time.
///
/// The trace is the model of the servers: the `n`-th attempt of a fetch at a URL is answered as the
/// `n`-th one was, as late after its start as that was. Requests come when they came, or, where they
/// waited for room, as soon as there is room.
///
/// Attempts that the trace has not seen (one retry more, the rest of one that was cut short by a
/// limit, a redirect that was not followed) can only be guessed, so everything is run twice:
///
/// - optimistic: such an attempt is answered 200 after the median time of its host's answers;
/// - pessimistic: it fails as the fetch failed last, or else as its host did, after the host's 99th
///   percentile; one that was cut short is never answered.
///
/// What is not modelled: servers that behave otherwise under another load, the consumer's speed, and
/// the client's own costs. Requests with a policy of their own keep it.
///
/// ```
/// use fetch_proto::{Config, Timestamp};
/// use fetch_trace::{Recorder, what_if};
///
/// let file = Recorder::new(Vec::new(), &Config::default(), 7, Timestamp::START)?.finish()?;
/// let comparison = what_if(&file[..], |recorded| recorded.per_host(4))?;
/// assert_eq!(comparison.unseen, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If it is no trace, or cannot be read.
pub fn what_if(
    from: impl Read,
    other: impl FnOnce(Config) -> Config,
) -> Result<Comparison, TraceError> {
    let model = Model::read(from)?;
    let config = other(model.config.clone());
    let optimistic = run(&model, config.clone(), Guess::Optimistic);
    let pessimistic = run(&model, config, Guess::Pessimistic);
    Ok(Comparison {
        ending: model.ending,
        faithful: model.faithful,
        pinned: model.pinned,
        unseen: optimistic.unseen.max(pessimistic.unseen),
        recorded: model.recorded,
        optimistic: optimistic.totals,
        pessimistic: pessimistic.totals,
    })
}

/// What came out of a run.
struct Ran {
    totals: Totals,
    unseen: u64,
}

fn run(model: &Model, config: Config, guess: Guess) -> Ran {
    let mut engine = Recorded::<std::io::Sink>::new(config, model.seed, model.start);
    let fetches = model.fetches.iter().enumerate();
    let mut cancels: Vec<_> = fetches
        .filter_map(|(index, fetch)| Some((fetch.cancelled?, index)))
        .collect();
    cancels.sort_unstable();
    let fetches = model.fetches.iter();
    let script = Script {
        arrivals: fetches
            .map(|fetch| (fetch.there, fetch.request.clone()))
            .collect(),
        cancels: cancels.into(),
        close: model.closed,
    };
    let mut servers = Servers::new(model, guess);
    drive::drive(&mut engine, model.start, script, &mut servers);
    servers.finish()
}
