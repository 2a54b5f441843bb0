//! `fetch-all work`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use fetch_proto::lease::LeaseEnd;
use fetch_scale::{LeaseClock, LeaseKeeper, WorkerReport};
use fetch_smol::Smol;
use smol::{Executor, Task};

use super::gate::GatedSmol;
use super::partition::{self, PartitionEnd, PartitionFlags, WorkerContext};
use super::{load_run, open_queue, open_results, worker_name};
use crate::args::CliArgs;
use crate::args::command::WorkArgs;
use crate::display::plural;
use crate::exit::CliError;
use crate::input::UrlList;
use crate::output::OutputEncoding;
use crate::output::format::{self, RecordFormat};
use crate::output::record::RecordBuilder;
use crate::plan::{DryRunPlan, PolicyReload};
use crate::save::BodyStore;
use crate::ui::signals::{self, SignalState};

/// The interval of the main loop: well below an eighth of the shortest lease.
const TICK: Duration = Duration::from_millis(50);

/// The most partitions that are held at a time.
const MAX_HELD: usize = 64;

/// So many partitions are leased at once. Further ones are leased one by one, while there is room for requests, so
/// that a worker does not take what others could start.
const FIRST_HELD: usize = 4;

/// The time between two further partitions.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two lines about progress, and between two equal messages.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Works on partitions until the run is complete, or a signal arrives.
///
/// # Errors
///
/// If nothing is planned, an option is wrong, or the store cannot be used.
pub(crate) fn run(args: WorkArgs) -> Result<u8, CliError> {
    let results = open_results(&args.results.results)?;
    let run = load_run(&results, &args.results.results)?;
    let name = worker_name();
    let queue = open_queue(&args.queue.queue, &run, &name)?;
    let silent = args.silent;
    let args = cli_args(args)?;
    let no_list = UrlList {
        sources: Vec::new(),
        total: None,
    };
    let plan = DryRunPlan::new(&args, no_list)?;
    let settings = plan.client.settings;
    let signals = signals::listen(|| {}).map_err(CliError::internal)?;
    let terms = run.lease_terms();
    let keeper = LeaseKeeper::start(Box::new(queue), LeaseClock::start(), terms);
    let keeper = keeper.map_err(CliError::internal)?;
    let executor = Arc::new(Executor::new());
    let has_threads = settings.threads > 1;
    let smol = match has_threads {
        true => Smol::default(),
        false => Smol::on(&executor),
    };
    let epoch = SystemTime::now();
    let adapter = GatedSmol {
        gate: keeper.gate(),
        smol: smol.clone(),
    };
    let concurrency = settings.config.concurrency_limit();
    let builder = fetch_driver::Builder::new(adapter).settings(|all| *all = settings);
    let fetcher = builder
        .build()
        .map_err(|error| CliError::usage(error.to_string()))?;
    let template = plan.input.template;
    let (method, body) = (template.method.as_str(), template.payload.identity());
    let builder = RecordBuilder::new(epoch, method, body, args.report.record_headers);
    let recording = args.report.body_recording();
    let builder = Arc::new(builder.with_bodies(recording.is_some()));
    let worker = Worker {
        concurrency,
        context: Arc::new(WorkerContext {
            encoding: Arc::new(OutputEncoding {
                builder: builder.clone(),
                encoder: format::encoder(RecordFormat::Jsonl, false, false),
                has_state: true,
            }),
            builder,
            fail: args.output.fail,
            failed: AtomicU64::new(0),
            fetcher,
            lines: AtomicU64::new(0),
            results,
            run,
            silent,
            store: Arc::new(BodyStore::checks_only(&template.method, recording)),
            template,
            worker: name,
        }),
        error: None,
        executor: executor.clone(),
        held: BTreeMap::new(),
        keeper: &keeper,
        leased: Instant::now(),
        measured: (Instant::now(), 0),
        printed: Instant::now(),
        rate: 0.0,
        reload: plan.client.reload,
        signals: signals.clone(),
    };
    match has_threads {
        true => smol::block_on(executor.run(worker.drive())),
        false => smol.run(worker.drive()),
    }
    keeper.stop();
    Ok(signals.code())
}

/// The options of a run without workers.
fn cli_args(args: WorkArgs) -> Result<CliArgs, CliError> {
    let mut defaults = CliArgs::try_parse_from(["fetch-all"]).map_err(CliError::internal)?;
    defaults.report.record_headers = args.record_headers;
    defaults.report.record_body = args.record_body;
    defaults.report.record_body_max = args.record_body_max;
    defaults.output.fail = args.fail;
    Ok(CliArgs {
        explicit: args.explicit,
        policy: args.policy,
        limits: args.limits,
        threads: args.threads,
        retry: args.retry,
        timeouts: args.timeouts,
        request: args.request,
        request_detail: args.request_detail,
        auth: args.auth,
        network: args.network,
        route: args.route,
        ..defaults
    })
}

/// A partition that this worker holds.
struct HeldPartition {
    flags: Arc<PartitionFlags>,
    task: Task<PartitionEnd>,
}

struct Worker<'a> {
    concurrency: usize,
    context: Arc<WorkerContext>,
    /// The last error of the queue, and when it was printed.
    error: Option<(String, Instant)>,
    executor: Arc<Executor<'static>>,
    held: BTreeMap<u32, HeldPartition>,
    keeper: &'a LeaseKeeper,
    /// When a partition was leased last.
    leased: Instant,
    /// When the rate was measured last, and the lines that had records then.
    measured: (Instant, u64),
    printed: Instant,
    /// Lines per second.
    rate: f64,
    reload: Option<PolicyReload>,
    signals: Arc<SignalState>,
}

impl Worker<'_> {
    /// The main loop.
    async fn drive(mut self) {
        loop {
            smol::Timer::after(TICK).await;
            for (partition, end) in self.keeper.take_ended() {
                self.end_lease(partition, end);
            }
            for partition in self.keeper.take_leased() {
                self.start(partition);
            }
            self.collect_ended().await;
            self.reload_policy();
            self.report();
            let is_stopping = self.signals.count() > 0;
            if self.signals.count() > 1 || (is_stopping && self.held.is_empty()) {
                return;
            }
            if is_stopping {
                self.keeper.want(0);
                for held in self.held.values() {
                    held.flags.stopping.store(true, Relaxed);
                }
                continue;
            }
            if self.held.is_empty() && self.keeper.incomplete() == Some(0) {
                return;
            }
            let in_flight = self.context.fetcher.stats().in_flight;
            let is_due = match self.held.len() {
                held if held < FIRST_HELD => true,
                held => held < MAX_HELD && self.leased.elapsed() >= LEASE_INTERVAL,
            };
            self.keeper
                .want(usize::from(is_due && in_flight < self.concurrency));
        }
    }

    fn start(&mut self, partition: u32) {
        self.leased = Instant::now();
        if self.held.contains_key(&partition) {
            // The work on an earlier lease of it has not ended yet.
            self.keeper.finish(partition, true);
            return;
        }
        let flags = Arc::new(PartitionFlags::default());
        let run = partition::run(self.context.clone(), partition, flags.clone());
        let task = self.executor.spawn(run);
        self.held.insert(partition, HeldPartition { flags, task });
    }

    fn end_lease(&self, partition: u32, end: LeaseEnd) {
        if let Some(held) = self.held.get(&partition) {
            held.flags.ended.store(true, Relaxed);
        }
        self.context.print(&match end {
            LeaseEnd::Lost => format!("partition {partition}: another worker has it now"),
            LeaseEnd::Unconfirmed => format!(
                "partition {partition}: its lease could not be extended in time, so its requests are aborted"
            ),
        });
    }

    /// Acknowledges or returns the partitions whose work has ended.
    async fn collect_ended(&mut self) {
        let ended = self.held.iter().filter(|(_, held)| held.task.is_finished());
        let ended: Vec<_> = ended.map(|(partition, _)| *partition).collect();
        for partition in ended {
            if let Some(held) = self.held.remove(&partition) {
                let end = held.task.await;
                self.keeper.finish(partition, end != PartitionEnd::Complete);
            }
        }
    }

    fn reload_policy(&mut self) {
        match self.reload.as_mut().and_then(PolicyReload::poll) {
            Some(Ok(config)) => {
                self.context.fetcher.set_config(config);
                self.context.print("policy file reloaded");
            }
            Some(Err(error)) => self.context.print(&format!(
                "policy file not reloaded, the previous policy stays in effect: {}",
                error.message
            )),
            None => {}
        }
    }

    /// Measures the rate, reports to the queue, and prints.
    fn report(&mut self) {
        let now = Instant::now();
        if let Some(error) = self.keeper.take_error() {
            let is_known = self.error.as_ref().is_some_and(|(known, at)| {
                *known == error && now.duration_since(*at) < PROGRESS_INTERVAL
            });
            if !is_known {
                self.context.print(&error);
                self.error = Some((error, now));
            }
        }
        let (at, before) = self.measured;
        let elapsed = now.duration_since(at);
        if elapsed < COUNT_INTERVAL {
            return;
        }
        let lines = self.context.lines.load(Relaxed);
        self.rate = (lines - before) as f64 / elapsed.as_secs_f64();
        self.measured = (now, lines);
        let held = self.held.iter();
        self.keeper.set_report(WorkerReport {
            lines,
            failed: self.context.failed.load(Relaxed),
            rate: self.rate,
            partitions: held
                .map(|(partition, held)| (*partition, held.flags.done.load(Relaxed)))
                .collect(),
            age: 0,
        });
        if now.duration_since(self.printed) >= PROGRESS_INTERVAL {
            self.printed = now;
            let left = self.keeper.incomplete().unwrap_or_default();
            self.context.print(&format!(
                "{}, {:.0}/s, {} held, {left} left",
                plural(lines, "URL", "URLs"),
                self.rate,
                plural(self.held.len() as u64, "partition", "partitions"),
            ));
        }
    }
}

/// The time over which the rate is measured.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);
