//! Estimates how the recorded run would have gone under other settings.

mod comparison;
mod model;
mod servers;
#[cfg(test)]
mod tests;

use std::io::Read;

use fetch_proto::EngineConfig;

use crate::error::TraceError;
use crate::recorded_engine::RecordedEngine;
use crate::virtual_run::{self, CallerScript, SettingsChange};
use model::RunModel;
use servers::{Assumption, RecordedServers};

pub use comparison::{RunComparison, RunTotals};

/// Runs the fetches of a trace again under other settings, in virtual time.
///
/// The trace is the model of the servers: the `n`-th attempt of a fetch at a URL gets the answer of the
/// recorded `n`-th attempt, after the same time. Requests arrive at their recorded times. Requests that
/// waited for room arrive as soon as there is room.
///
/// The `n`-th token of a profile is acquired, or not, as the recorded `n`-th was, and after the same time;
/// further ones as the last.
///
/// Settings that were replaced while the run went on, and crawl delays, are replaced at the same times:
/// `change` is called with the settings of the start, and with each later ones.
///
/// Some attempts are not in the trace: a further retry, the rest of an attempt that a limit cut short,
/// a redirect that was not followed. The run is therefore simulated twice:
///
/// - optimistic: such an attempt gets status 200 after the median response time of its host;
/// - pessimistic: it fails as the fetch failed last, or as its host failed last, after the 99th
///   percentile of the host's times. An attempt that was cut short is never answered.
///
/// Not modelled: servers that behave differently under another load, the consumer's speed, and the
/// client's CPU time. A request with its own policy keeps it.
///
/// ```
/// use fetch_proto::{EngineConfig, Timestamp};
/// use fetch_trace::{TraceRecorder, what_if};
///
/// let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
/// let comparison = what_if(&file[..], |recorded| recorded.per_host(4))?;
/// assert_eq!(comparison.unseen, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If `from` is not a trace or cannot be read.
pub fn what_if(
    from: impl Read,
    mut change: impl FnMut(EngineConfig) -> EngineConfig,
) -> Result<RunComparison, TraceError> {
    let mut model = RunModel::read(from)?;
    model.config = change(model.config);
    for (_, changed) in &mut model.changes {
        if let SettingsChange::Config(config) = changed {
            **config = change(std::mem::take(config));
        }
    }
    let optimistic = simulate(&model, Assumption::Optimistic);
    let pessimistic = simulate(&model, Assumption::Pessimistic);
    Ok(RunComparison {
        ending: model.ending,
        faithful: model.faithful,
        pinned: model.pinned,
        unseen: optimistic.unseen.max(pessimistic.unseen),
        recorded: model.recorded,
        optimistic: optimistic.totals,
        pessimistic: pessimistic.totals,
    })
}

/// Result of a simulated run.
struct RunResult {
    totals: RunTotals,
    unseen: u64,
}

fn simulate(model: &RunModel, assumption: Assumption) -> RunResult {
    let config = model.config.clone();
    let mut engine = RecordedEngine::<std::io::Sink>::new(config, model.seed, model.start);
    let fetches = model.fetches.iter().enumerate();
    let mut cancels: Vec<_> = fetches
        .filter_map(|(index, fetch)| Some((fetch.cancelled?, index)))
        .collect();
    cancels.sort_unstable();
    let fetches = model.fetches.iter();
    let script = CallerScript {
        arrivals: fetches
            .map(|fetch| (fetch.available_at, fetch.request.clone()))
            .collect(),
        cancels: cancels.into(),
        changes: model.changes.iter().cloned().collect(),
        close: model.closed,
    };
    let mut servers = RecordedServers::new(model, assumption);
    virtual_run::run_virtual(&mut engine, model.start, script, &mut servers);
    servers.finish()
}
