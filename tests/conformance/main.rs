//! One suite for all adapters: each behaviour is written once and checked on every adapter, over
//! real sockets, against the test site.
//!
//! `cargo test --all-features --test conformance -- tokio redirects` runs a part of it. A complete
//! run compares its results with the table in `docs/conformance.md`; with `UPDATE_DOCS=1` it writes
//! the table.

mod adapters;
mod connections;
mod harness;
mod lifecycle;
mod messages;
mod policies;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use connections::{http2, pool, proxies, sockets, tls};
use harness::adapter::AdapterRef;
use harness::behaviour::{Behaviour, BehaviourGroup};
use harness::{decision_log, results_table};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use lifecycle::{cancellation, large_batch, runtimes};
use messages::{
    bodies, caching, cookies, downloads, failures, hooks, redirects, requests, responses, tokens,
};
use policies::{request_limits, resilience, retries, time_limits};

/// All behaviours, in the order of the results table.
const BEHAVIOUR_GROUPS: [BehaviourGroup; 22] = [
    responses::GROUP,
    requests::GROUP,
    tokens::GROUP,
    hooks::GROUP,
    failures::GROUP,
    tls::GROUP,
    time_limits::GROUP,
    retries::GROUP,
    redirects::GROUP,
    pool::GROUP,
    sockets::GROUP,
    http2::GROUP,
    proxies::GROUP,
    cookies::GROUP,
    caching::GROUP,
    bodies::GROUP,
    downloads::GROUP,
    cancellation::GROUP,
    request_limits::GROUP,
    resilience::GROUP,
    large_batch::GROUP,
    runtimes::GROUP,
];

/// Checks that run at once. Most of them wait for the network or a limit, so there are more than
/// cores. There are not many more, because isahc's curl cannot use file descriptors above 1,023.
const CHECK_THREADS: usize = 6;

fn main() -> ExitCode {
    decision_log::install();
    // One process holds many sites and fetchers. At the limit on file descriptors the adapters
    // would slow down, as they should.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(CHECK_THREADS));
    let run = SuiteRun::default();
    let conclusion = libtest_mimic::run(&args, run.trials());
    if args.list || conclusion.has_failed() || conclusion.num_filtered_out > 0 {
        return conclusion.exit_code();
    }
    run.compare_with_docs(&conclusion)
}

/// The results of one run, by behaviour and adapter.
#[derive(Clone, Default)]
struct SuiteRun(Arc<Mutex<results_table::Results>>);

impl SuiteRun {
    /// All trials. The adapters take turns within each behaviour, so that they run side by side.
    /// Large batches take longest and run one at a time, so they are spread over the whole run.
    fn trials(&self) -> Vec<Trial> {
        let trials_of = |group: &BehaviourGroup| {
            let behaviours = group.behaviours.iter();
            let pairs = behaviours
                .flat_map(|behaviour| adapters::ALL.iter().map(move |on| (behaviour, *on)));
            pairs
                .map(|(behaviour, adapter)| self.trial(group.name, behaviour, adapter))
                .collect::<Vec<_>>()
        };
        let (large, others): (Vec<_>, Vec<_>) = BEHAVIOUR_GROUPS
            .iter()
            .partition(|group| group.name == large_batch::GROUP.name);
        let mut trials: Vec<_> = others.into_iter().flat_map(trials_of).collect();
        let step = trials.len() / (adapters::ALL.len() + 1);
        for (turn, trial) in large.into_iter().flat_map(trials_of).enumerate() {
            trials.insert(turn * (step + 1), trial);
        }
        trials
    }

    fn trial(&self, group: &str, behaviour: &'static Behaviour, adapter: AdapterRef) -> Trial {
        let name = format!("{}::{}::{}", adapter.name, group, behaviour.name);
        let (name, results) = (name.replace(' ', "_"), self.0.clone());
        Trial::test(name, move || {
            let status = behaviour.evaluate(adapter).map_err(Failed::from)?;
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.insert((behaviour.name, adapter.name), status);
            Ok(())
        })
    }

    fn compare_with_docs(&self, conclusion: &Conclusion) -> ExitCode {
        let results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match results_table::compare_with_docs(&results) {
            Ok(()) => conclusion.exit_code(),
            Err(difference) => {
                eprintln!("{difference}");
                ExitCode::FAILURE
            }
        }
    }
}
