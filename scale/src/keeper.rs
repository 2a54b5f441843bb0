//! The thread that keeps the leases of a worker.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fetch_proto::Timestamp;
use fetch_proto::lease::{LeaseAction, LeaseEnd, LeaseTable, LeaseTerms};

use crate::clock::LeaseClock;
use crate::error::ScaleError;
use crate::queue::{Lease, Queue, WorkerReport};

/// The time after a request for leases that gave none, and after a failed call.
const RETRY: Duration = Duration::from_secs(1);

/// How long [`LeaseKeeper::stop`] tries to return partitions to a queue that does not answer.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Whether attempts may start now. It is open while all leases of the worker are confirmed.
#[derive(Clone, Debug)]
pub struct StartGate {
    clock: LeaseClock,
    /// Attempts may start before this time, in nanoseconds; 0 if no lease is held.
    limit: Arc<AtomicU64>,
}

impl StartGate {
    /// Whether an attempt may start now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.clock.now().as_nanos() < self.limit.load(Ordering::Acquire)
    }

    fn set(&self, limit: Option<Timestamp>) {
        let limit = limit.map_or(0, Timestamp::as_nanos);
        self.limit.store(limit, Ordering::Release);
    }
}

struct KeeperState {
    ended: Vec<(u32, LeaseEnd)>,
    error: Option<String>,
    /// Deliveries that are to be acknowledged, or to be queued again.
    finished: Vec<(Lease, bool)>,
    incomplete: Option<u64>,
    leased: Vec<u32>,
    leases: BTreeMap<u32, Lease>,
    report: WorkerReport,
    stopping: Option<Timestamp>,
    table: LeaseTable,
    wanted: usize,
}

struct KeeperShared {
    changed: Condvar,
    clock: LeaseClock,
    gate: StartGate,
    state: Mutex<KeeperState>,
}

impl KeeperShared {
    fn lock(&self) -> MutexGuard<'_, KeeperState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leases partitions, extends the leases and returns them, on a separate thread.
///
/// The worker asks regularly for leases that are new or have ended. It must abort the attempts of a partition
/// whose lease has ended at once: there is an eighth of a lease left for that.
///
/// ```no_run
/// use fetch_scale::{LeaseClock, LeaseKeeper, RedisQueue, Results, RunDescription};
///
/// let run = RunDescription::load(&Results::open("/shared/run")?)?;
/// let terms = run.lease_terms();
/// let queue = RedisQueue::open("redis://127.0.0.1", &run.id, "worker-1", terms.ttl)?;
/// let keeper = LeaseKeeper::start(Box::new(queue), LeaseClock::start(), terms)?;
/// keeper.want(1);
/// for partition in keeper.take_leased() {
///     // … fetch its URLs while `keeper.gate()` is open, then
///     keeper.finish(partition, false);
/// }
/// keeper.stop();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LeaseKeeper {
    shared: Arc<KeeperShared>,
    thread: JoinHandle<()>,
}

impl LeaseKeeper {
    /// Starts the thread. See [`LeaseKeeper`].
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub fn start(queue: Box<dyn Queue>, clock: LeaseClock, terms: LeaseTerms) -> io::Result<Self> {
        let limit = Arc::default();
        let shared = Arc::new(KeeperShared {
            changed: Condvar::new(),
            clock,
            gate: StartGate { clock, limit },
            state: Mutex::new(KeeperState {
                ended: Vec::new(),
                error: None,
                finished: Vec::new(),
                incomplete: None,
                leased: Vec::new(),
                leases: BTreeMap::new(),
                report: WorkerReport::default(),
                stopping: None,
                table: LeaseTable::new(terms),
                wanted: 0,
            }),
        });
        let of_thread = shared.clone();
        let run = move || KeeperLoop::new(queue, &of_thread).run();
        let thread = std::thread::Builder::new().name("leases".into());
        let thread = thread.spawn(run)?;
        Ok(Self { shared, thread })
    }

    /// Whether attempts may start, for the place where they do.
    #[must_use]
    pub fn gate(&self) -> StartGate {
        self.shared.gate.clone()
    }

    /// How many more partitions the worker wants now. If the queue has none, the keeper asks again a
    /// second later.
    pub fn want(&self, partitions: usize) {
        self.shared.lock().wanted = partitions;
        self.shared.changed.notify_one();
    }

    /// The partitions that were leased since the last call.
    #[must_use]
    pub fn take_leased(&self) -> Vec<u32> {
        std::mem::take(&mut self.shared.lock().leased)
    }

    /// The partitions whose leases have ended since the last call: their attempts must be aborted now.
    #[must_use]
    pub fn take_ended(&self) -> Vec<(u32, LeaseEnd)> {
        std::mem::take(&mut self.shared.lock().ended)
    }

    /// The partitions of the run that are not complete, as the queue last said.
    #[must_use]
    pub fn incomplete(&self) -> Option<u64> {
        self.shared.lock().incomplete
    }

    /// The last failure of a call since this was asked last.
    #[must_use]
    pub fn take_error(&self) -> Option<String> {
        self.shared.lock().error.take()
    }

    /// Sets what the next extension reports.
    pub fn set_report(&self, report: WorkerReport) {
        self.shared.lock().report = report;
    }

    /// Ends a lease. With `again` the partition is queued again, without it is complete.
    pub fn finish(&self, partition: u32, again: bool) {
        let mut state = self.shared.lock();
        state.table.remove(partition);
        if let Some(lease) = state.leases.remove(&partition) {
            state.finished.push((lease, again));
        }
        self.shared.gate.set(state.table.start_limit());
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Returns all partitions and ends the thread.
    pub fn stop(self) {
        let held: Vec<_> = self.shared.lock().leases.keys().copied().collect();
        held.into_iter()
            .for_each(|partition| self.finish(partition, true));
        {
            let mut state = self.shared.lock();
            state.wanted = 0;
            state.stopping = Some(self.shared.clock.now());
        }
        self.shared.changed.notify_one();
        let _ = self.thread.join();
    }
}

impl std::fmt::Debug for LeaseKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held: Vec<_> = self.shared.lock().table.partitions().collect();
        f.debug_struct("LeaseKeeper").field("held", &held).finish()
    }
}

struct KeeperLoop<'a> {
    /// When the next request for leases may be sent.
    next_lease: Timestamp,
    /// When the next acknowledgement may be sent.
    next_finish: Timestamp,
    queue: Box<dyn Queue>,
    shared: &'a KeeperShared,
}

impl<'a> KeeperLoop<'a> {
    fn new(queue: Box<dyn Queue>, shared: &'a KeeperShared) -> Self {
        Self {
            next_lease: Timestamp::START,
            next_finish: Timestamp::START,
            queue,
            shared,
        }
    }

    fn run(mut self) {
        loop {
            let mut state = self.shared.lock();
            let now = self.shared.clock.now();
            let action = state.table.poll(now);
            self.shared.gate.set(state.table.start_limit());
            let wake = match action {
                LeaseAction::Extend => {
                    drop(state);
                    self.extend();
                    continue;
                }
                LeaseAction::Abort(partition, end) => {
                    state.leases.remove(&partition);
                    state.ended.push((partition, end));
                    continue;
                }
                LeaseAction::Wait(at) => at,
            };
            if !state.finished.is_empty() && self.next_finish <= now {
                let (lease, again) = state.finished.remove(0);
                drop(state);
                self.finish(lease, again);
                continue;
            }
            if let Some(since) = state.stopping
                && (state.finished.is_empty() || now.saturating_since(since) > STOP_PATIENCE)
            {
                return;
            }
            if state.wanted > 0 && self.next_lease <= now {
                let wanted = state.wanted;
                drop(state);
                self.lease(wanted);
                continue;
            }
            let pause = wake.map_or(RETRY, |at| at.saturating_since(now).min(RETRY / 4));
            let _ = self.shared.changed.wait_timeout(state, pause);
        }
    }

    fn extend(&mut self) {
        let (leases, report) = {
            let state = self.shared.lock();
            let leases: Vec<_> = state.leases.values().cloned().collect();
            (leases, state.report.clone())
        };
        let requested = self.shared.clock.now();
        let result = self.queue.extend(&leases, &report);
        let mut state = self.shared.lock();
        match result {
            Ok(kept) => state
                .table
                .extended(requested, |partition| kept.contains(&partition)),
            Err(error) => {
                state.error = Some(error.to_string());
                state.table.extension_failed(self.shared.clock.now());
            }
        }
    }

    fn lease(&mut self, wanted: usize) {
        let requested = self.shared.clock.now();
        let result = self.queue.lease(wanted);
        let has_leases = result
            .as_ref()
            .is_ok_and(|answer| !answer.leases.is_empty());
        let pause = if has_leases { Duration::ZERO } else { RETRY };
        self.next_lease = self.shared.clock.now() + pause;
        let mut state = self.shared.lock();
        match result {
            Ok(answer) => {
                state.incomplete = Some(answer.incomplete);
                state.wanted = state.wanted.saturating_sub(answer.leases.len());
                for lease in answer.leases {
                    let partition = lease.partition;
                    state.table.insert(partition, requested);
                    if state.leases.insert(partition, lease).is_none() {
                        state.leased.push(partition);
                    }
                }
            }
            Err(error) => state.error = Some(error.to_string()),
        }
    }

    fn finish(&mut self, lease: Lease, again: bool) {
        let result = match again {
            true => self.queue.give_back(&lease),
            false => self.queue.done(&lease),
        };
        match result {
            Ok(()) => {}
            // Its log shows that it is complete, so the next worker that gets it acknowledges it.
            Err(ScaleError::NoRun) => {}
            Err(error) => {
                self.next_finish = self.shared.clock.now() + RETRY;
                let mut state = self.shared.lock();
                state.error = Some(error.to_string());
                state.finished.push((lease, again));
            }
        }
    }
}
