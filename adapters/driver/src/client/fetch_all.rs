//! Fetches of a batch as a stream of outcomes.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use fetch_proto::BatchStats;
use futures_core::Stream;

use crate::client::drivers::DriverSet;
use crate::driver::command::DriverCommand;
use crate::driver::fetches::job::FetchJob;
use crate::driver::outcomes::queue::{QueueReceiver, QueueSender, outcome_queue};
use crate::driver::outcomes::sender::{DeliveredOutcome, OutcomeSender, rejected_outcome};
use crate::model::outcome::Outcome;
use crate::model::request::IntoRequest;
use crate::telemetry::logging;

/// The most requests that one poll takes from the source.
const MAX_PULL: usize = 256;

/// The window is refilled once 1/64 of it (at most [`MAX_PULL`] requests) is free, because a refill
/// costs an allocation and a message to the driver.
const REFILL_DIVISOR: usize = 64;

/// The outcomes of a batch, in the order in which its fetches end: exactly one for each request.
///
/// Created by [`Fetcher::fetch_all`](crate::Fetcher::fetch_all). Requests are pulled from the source
/// while the stream is polled, as far as the window allows. If outcomes are not taken, no more
/// attempts are started. Dropping the stream cancels all fetches that have not ended.
#[must_use = "streams do nothing unless polled"]
pub struct FetchAll<S> {
    began: bool,
    drivers: Arc<DriverSet>,
    end_logged: bool,
    group: u64,
    outstanding: usize,
    queue: QueueSender<DeliveredOutcome>,
    receiver: QueueReceiver<DeliveredOutcome>,
    /// Outcomes of items that are not valid requests.
    rejected: VecDeque<Outcome>,
    sequence: u64,
    source: Option<Pin<Box<S>>>,
    started: Instant,
    stats: BatchStats,
    total: Option<u64>,
}

impl<S> FetchAll<S> {
    pub(crate) fn new(drivers: Arc<DriverSet>, source: S, total: Option<u64>) -> Self {
        let (queue, receiver) = outcome_queue();
        Self {
            began: false,
            end_logged: false,
            group: drivers.new_group(),
            drivers,
            outstanding: 0,
            queue,
            receiver,
            rejected: VecDeque::new(),
            sequence: 0,
            source: Some(Box::pin(source)),
            started: Instant::now(),
            stats: BatchStats::default(),
            total,
        }
    }

    /// Sets how many requests there will be, for the log, if the source does not report it.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let batch = fetcher.fetch_stream(fetch_smol::stream::iter(["http://a.test/"])).with_total(1);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn with_total(mut self, total: u64) -> Self {
        self.total = Some(total);
        self
    }

    /// The statistics of the outcomes so far.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.fetch_all(["http://a.test/"]).stats().count(), 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> &BatchStats {
        &self.stats
    }

    /// How many requests were taken from the source and have not ended.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// assert_eq!(fetcher.fetch_all(["http://a.test/"]).outstanding(), 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Takes no more requests from the source. Those already taken are fetched.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let mut batch = fetcher.fetch_all(["http://a.test/"]);
    /// batch.stop();
    /// # use fetch_smol::StreamExt;
    /// assert_eq!(smol::block_on(batch.count()), 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn stop(&mut self) {
        self.source = None;
    }

    /// Takes no more requests from the source and cancels those without an attempt in flight. Attempts
    /// in flight continue to their end.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let mut batch = fetcher.fetch_all(["http://a.test/"]);
    /// batch.cancel_queued();
    /// # use fetch_smol::StreamExt;
    /// assert_eq!(smol::block_on(batch.count()), 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn cancel_queued(&mut self) {
        self.source = None;
        self.drivers
            .send_all(|| DriverCommand::WindDown(self.group));
    }

    fn deliver(&mut self, outcome: Outcome) -> Poll<Option<Outcome>> {
        self.stats.record(&logging::to_sample(&outcome));
        Poll::Ready(Some(outcome))
    }
}

impl<S: Stream<Item: IntoRequest>> FetchAll<S> {
    /// Takes requests from the source. Returns whether more may be ready now.
    fn pull(&mut self, cx: &mut Context<'_>) -> bool {
        let window = self.drivers.window();
        let least = (window / REFILL_DIVISOR).clamp(1, MAX_PULL);
        let mut room = window.saturating_sub(self.outstanding);
        if room < least {
            room = (window + self.drivers.extra_window()).saturating_sub(self.outstanding);
        }
        if room < least {
            return false;
        }
        let room = room.min(MAX_PULL);
        let mut jobs = Vec::new();
        while let Some(source) = self.source.as_mut().filter(|_| jobs.len() < room) {
            let Poll::Ready(item) = source.as_mut().poll_next(cx) else {
                break;
            };
            let Some(item) = item else {
                self.source = None;
                break;
            };
            let sequence = self.sequence;
            self.sequence += 1;
            match item.into_request() {
                Ok(mut request) => {
                    if request.tag == 0 {
                        request.tag = sequence;
                    }
                    let sender = OutcomeSender::to_queue(&mut request, self.queue.clone());
                    if jobs.is_empty() {
                        jobs.reserve(room);
                    }
                    jobs.push(FetchJob {
                        #[cfg(feature = "cache")]
                        cache: None,
                        group: self.group,
                        request,
                        sender,
                    });
                }
                Err(error) => {
                    let outcome = rejected_outcome(error.clone(), error.url().to_owned(), sequence);
                    logging::log_request_result(&outcome);
                    self.rejected.push_back(outcome);
                    break;
                }
            }
        }
        let pulled = jobs.len();
        if pulled > 0 {
            self.outstanding += pulled;
            self.drivers.submit(jobs);
        }
        pulled == room
    }
}

impl<S: Stream<Item: IntoRequest>> Stream for FetchAll<S> {
    type Item = Outcome;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        if !core::mem::replace(&mut self.began, true) {
            logging::log_batch_start(self.total);
        }
        let more = self.pull(cx);
        if let Some(outcome) = self.rejected.pop_front() {
            return self.deliver(outcome);
        }
        if self.outstanding == 0 && self.source.is_none() {
            if !core::mem::replace(&mut self.end_logged, true) {
                logging::log_batch_completion(&self.stats, self.started.elapsed());
            }
            return Poll::Ready(None);
        }
        match self.receiver.poll_next(cx) {
            Poll::Pending if more => {
                // The source has more and there is room, but the driver must run, too.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => {
                let delivered = ready!(polled);
                self.outstanding -= 1;
                self.deliver(delivered.outcome)
            }
        }
    }
}

impl<S> Drop for FetchAll<S> {
    fn drop(&mut self) {
        if self.outstanding > 0 {
            self.drivers.send_all(|| DriverCommand::Cancel(self.group));
        }
    }
}

impl<S> fmt::Debug for FetchAll<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outstanding = self.outstanding;
        f.debug_struct("FetchAll")
            .field("outstanding", &outstanding)
            .finish_non_exhaustive()
    }
}
