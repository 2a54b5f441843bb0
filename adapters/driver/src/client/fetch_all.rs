//! Many fetches as a stream of outcomes.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use fetch_proto::BatchStats;
use futures_core::Stream;

use crate::client::drivers::Inner;
use crate::driver::command::Command;
use crate::driver::delivery::{Delivered, Sink, stillborn};
use crate::driver::job::Job;
use crate::driver::outcome_queue::{Deliveries, Inbox, deliveries};
use crate::model::outcome::Outcome;
use crate::model::request::IntoRequest;
use crate::telemetry::logging;

/// So many requests at most are taken from the source before others have a turn.
const PULL: usize = 256;

/// The window is filled up again once this part of it is free.
const REFILL: usize = 64;

/// The outcomes of a batch, in the order in which its fetches end: exactly one for each request.
///
/// Made by [`Fetcher::fetch_all`](crate::Fetcher::fetch_all). Requests are pulled from the source
/// while the stream is polled, as far as the window allows. When outcomes are not taken, no more
/// attempts are started. Dropping the stream cancels what is not over.
#[must_use = "streams do nothing unless polled"]
pub struct FetchAll<S> {
    begun: bool,
    deliveries: Deliveries<Delivered>,
    group: u64,
    inbox: Inbox<Delivered>,
    inner: Arc<Inner>,
    /// Requests that could not be made.
    invalid: VecDeque<Outcome>,
    outstanding: usize,
    sequence: u64,
    source: Option<Pin<Box<S>>>,
    started: Instant,
    stats: BatchStats,
    told: bool,
    total: Option<u64>,
}

impl<S> FetchAll<S> {
    pub(crate) fn new(inner: Arc<Inner>, source: S, total: Option<u64>) -> Self {
        let (deliveries, inbox) = deliveries();
        Self {
            begun: false,
            deliveries,
            group: inner.group(),
            inbox,
            inner,
            invalid: VecDeque::new(),
            outstanding: 0,
            sequence: 0,
            source: Some(Box::pin(source)),
            started: Instant::now(),
            stats: BatchStats::default(),
            told: false,
            total,
        }
    }

    /// Says how many requests there will be, where the source cannot tell. For the log alone.
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

    /// How many requests were taken from the source and are not over.
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

    /// Takes no more from the source: what was taken goes on to its end.
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

    /// Takes no more from the source and cancels what is not in flight at the moment: what is in
    /// flight goes on to its end.
    ///
    /// ```
    /// # let fetcher = fetch_smol::Fetcher::builder().build()?;
    /// let mut batch = fetcher.fetch_all(["http://a.test/"]);
    /// batch.wind_down();
    /// # use fetch_smol::StreamExt;
    /// assert_eq!(smol::block_on(batch.count()), 0);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn wind_down(&mut self) {
        self.source = None;
        self.inner.send_all(|| Command::WindDown(self.group));
    }

    fn deliver(&mut self, outcome: Outcome) -> Poll<Option<Outcome>> {
        self.stats.record(&logging::sample(&outcome));
        Poll::Ready(Some(outcome))
    }
}

impl<S: Stream<Item: IntoRequest>> FetchAll<S> {
    /// Takes requests from the source. Whether there may be more at once.
    fn pull(&mut self, cx: &mut Context<'_>) -> bool {
        let window = self.inner.window();
        let room = window.saturating_sub(self.outstanding);
        if room < (window / REFILL).clamp(1, PULL) {
            // One for each outcome would cost an allocation, and a message to the driver, for each.
            return false;
        }
        let room = room.min(PULL);
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
                    let sink = Sink::outcome(&mut request, self.deliveries.clone());
                    if jobs.is_empty() {
                        jobs.reserve(room);
                    }
                    jobs.push(Job {
                        group: self.group,
                        request,
                        sink,
                    });
                }
                Err(error) => {
                    let outcome = stillborn(error.clone(), error.url().to_owned(), sequence);
                    logging::result(&outcome);
                    self.invalid.push_back(outcome);
                    break;
                }
            }
        }
        let pulled = jobs.len();
        if pulled > 0 {
            self.outstanding += pulled;
            self.inner.submit(jobs);
        }
        pulled == room
    }
}

impl<S: Stream<Item: IntoRequest>> Stream for FetchAll<S> {
    type Item = Outcome;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        if !core::mem::replace(&mut self.begun, true) {
            logging::start(self.total);
        }
        let more = self.pull(cx);
        if let Some(outcome) = self.invalid.pop_front() {
            return self.deliver(outcome);
        }
        if self.outstanding == 0 && self.source.is_none() {
            if !core::mem::replace(&mut self.told, true) {
                logging::end(&self.stats, self.started.elapsed());
            }
            return Poll::Ready(None);
        }
        match self.inbox.poll_next(cx) {
            Poll::Pending if more => {
                // The source has more and there is room, but the driver must have its turn too.
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
            self.inner.send_all(|| Command::Cancel(self.group));
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
