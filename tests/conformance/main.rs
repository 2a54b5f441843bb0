//! One suite for all adapters: each behaviour is written once and run on every adapter over real
//! sockets against the test site.
//!
//! `cargo test --all-features --test conformance -- tokio redirects` runs a part of it. A whole run
//! compares its results with the table in `docs/conformance.md`; with `UPDATE_DOCS=1` it writes it.

mod answers;
mod backend;
mod backends;
mod behaviour;
mod bench;
mod bodies;
mod cancelling;
mod connections;
mod cookies;
mod crowd;
mod failures;
mod http2;
mod limits;
mod policies;
mod proxies;
mod redirects;
mod retries;
mod runtimes;
mod table;
mod timeouts;
mod tls;
mod trace;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use backend::Backend;
use behaviour::{Behaviour, Group};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

/// All behaviours, in the order of the table.
const GROUPS: [Group; 16] = [
    answers::GROUP,
    failures::GROUP,
    tls::GROUP,
    timeouts::GROUP,
    retries::GROUP,
    redirects::GROUP,
    connections::GROUP,
    http2::GROUP,
    proxies::GROUP,
    cookies::GROUP,
    bodies::GROUP,
    cancelling::GROUP,
    limits::GROUP,
    policies::GROUP,
    crowd::GROUP,
    runtimes::GROUP,
];

/// Most behaviours wait for the network or for a limit, so more run at once than there are cores.
/// Not many more: the curl that isahc builds in cannot use file descriptors from 1,024 on.
const THREADS: usize = 6;

fn main() -> ExitCode {
    trace::install();
    // Many sites and fetchers in one process: at the bound, the adapters would rightly slow down.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(THREADS));
    let run = Run::default();
    let conclusion = libtest_mimic::run(&args, run.trials());
    if args.list || conclusion.has_failed() || conclusion.num_filtered_out > 0 {
        return conclusion.exit_code();
    }
    run.compare_with_docs(&conclusion)
}

/// What came of each behaviour on each adapter.
#[derive(Clone, Default)]
struct Run(Arc<Mutex<table::Cells>>);

impl Run {
    /// Behaviours take turns over the adapters, so that adapters run side by side. The crowds take
    /// longest and one at a time: they are spread over the whole run.
    fn trials(&self) -> Vec<Trial> {
        let of = |group: &Group| {
            let behaviours = group.behaviours.iter();
            let pairs = behaviours.flat_map(|each| backends::ALL.iter().map(move |on| (each, *on)));
            pairs
                .map(|(each, on)| self.trial(group.name, each, on))
                .collect::<Vec<_>>()
        };
        let (crowds, others): (Vec<_>, Vec<_>) = GROUPS
            .iter()
            .partition(|group| group.name == crowd::GROUP.name);
        let mut trials: Vec<_> = others.into_iter().flat_map(of).collect();
        let step = trials.len() / (backends::ALL.len() + 1);
        for (turn, crowd) in crowds.into_iter().flat_map(of).enumerate() {
            trials.insert(turn * (step + 1), crowd);
        }
        trials
    }

    fn trial(&self, group: &str, behaviour: &'static Behaviour, backend: Backend) -> Trial {
        let name = format!("{}::{}::{}", backend.name, group, behaviour.name);
        let (name, cells) = (name.replace(' ', "_"), self.0.clone());
        Trial::test(name, move || {
            let verdict = behaviour.judge(backend).map_err(Failed::from)?;
            let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.insert((behaviour.name, backend.name), verdict);
            Ok(())
        })
    }

    fn compare_with_docs(&self, conclusion: &Conclusion) -> ExitCode {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match table::compare(&cells) {
            Ok(()) => conclusion.exit_code(),
            Err(difference) => {
                eprintln!("{difference}");
                ExitCode::FAILURE
            }
        }
    }
}
