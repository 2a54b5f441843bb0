//! Attempts: begun, polled, told about, given up.

use std::sync::Arc;

use fetch_proto::{Attempt, AttemptId, Input};

use super::wire::{head, outgoing};
use super::{BUDGET, Driver};
use crate::driver::active::{Flight, Live};
use crate::driver::attempt_set::Polled;
use crate::driver::exchange::{Exchanging, News, Verdict};
use crate::telemetry::tracing::Span;
use crate::transport::Transport;
use crate::transport::message::Outgoing;
use crate::transport::progress::{Known, Marks};

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: Exchanging,
    S: Fn(&T, Outgoing, Marks) -> F,
{
    pub(super) fn start(&mut self, attempt: Attempt) {
        let slot = attempt.id.fetch.slot();
        let Some(live) = self.lives[slot].as_mut() else {
            return;
        };
        let marks = self.spare.marks.pop();
        let marks = marks.unwrap_or_else(|| Marks::new(self.clock));
        let mut outgoing = outgoing(&attempt, live, &self.headers);
        if let Some(cookies) = &self.cookies {
            cookies.add_to(Arc::make_mut(&mut outgoing.headers), &outgoing.url);
        }
        let exchange = (self.start)(&self.transport, outgoing, marks.clone());
        let index = self.flights.insert(exchange);
        if self.owners.len() <= index {
            self.owners.resize(index + 1, 0);
        }
        self.owners[index] = slot;
        let permit = live.take_permit().or_else(|| self.permits.take());
        let span = live.span.attempt(&live.request, &attempt);
        live.launch(Flight {
            id: attempt.id,
            index,
            known: Known::default(),
            marks,
            permit,
            seen: self.spare.seen.pop().unwrap_or_default(),
            span,
            url: attempt.url,
        });
        if !self.permits.refill() {
            self.engine.hold();
        }
    }

    /// The fetch whose attempt that is, if it is in flight.
    fn live(&mut self, id: AttemptId) -> Option<&mut Live> {
        let live = self.lives.get_mut(id.fetch.slot())?.as_mut()?;
        live.flight(id).is_some().then_some(live)
    }

    pub(super) fn abort(&mut self, id: AttemptId) {
        let Some(live) = self.live(id) else { return };
        let late = live.flight(id).map(|flight| {
            // Its time was up, another was faster, or nobody wants it any more.
            flight.span.failed("aborted");
            flight.marks.phases(&mut flight.known)
        });
        let Some((index, marks)) = live.land(id) else {
            return;
        };
        live.seen().late = late.unwrap_or_default();
        live.seen().permit = None;
        self.flights.remove(index);
        self.spare.marks.extend(marks.recycled());
    }

    pub(super) fn accept(&mut self, id: AttemptId) {
        self.decide(id, |live| live.accept(id));
    }

    pub(super) fn decide(&mut self, id: AttemptId, verdict: impl FnOnce(&mut Live) -> Verdict) {
        let Some(live) = self.live(id) else { return };
        let verdict = verdict(live);
        let Some(flight) = live.flight(id) else {
            return;
        };
        flight.marks.want(verdict.wanted());
        let index = flight.index;
        if let Some(exchange) = self.flights.get(index) {
            exchange.decide(verdict);
            self.flights.wake(index);
        }
    }

    /// Polls the attempts that were woken and tells the engine what they saw.
    pub(super) async fn fly(&mut self, list: Vec<usize>) {
        for (i, index) in list.iter().enumerate() {
            self.step(*index);
            if (i + 1).is_multiple_of(BUDGET) {
                futures_lite::future::yield_now().await;
            }
        }
        self.flights.recycle(list);
    }

    /// The span of that attempt.
    fn span(&mut self, slot: usize, index: usize) -> Option<Span> {
        let flight = self.lives[slot].as_mut()?.flight_at(index)?;
        Some(flight.span.clone())
    }

    fn step(&mut self, index: usize) {
        let slot = self.owners[index];
        let span = self.span(slot, index);
        let mut news = News::default();
        let mut poll = || self.flights.poll(index, &mut news);
        let polled = match &span {
            Some(span) => span.within(poll),
            None => poll(),
        };
        let Some(live) = self.lives[slot].as_mut() else {
            return;
        };
        let Some(flight) = live.flight_at(index) else {
            return;
        };
        let (id, now) = (flight.id, self.clock.now());
        let mut say = |input| {
            self.engine.handle(id, input, now);
        };
        for (phase, at) in flight.marks.phases(&mut flight.known) {
            say(Input::Mark(phase, at));
        }
        if let Some(parts) = news.head {
            if let Some(cookies) = &self.cookies {
                cookies.store(&flight.url, &parts.headers);
            }
            flight.span.responded(parts.status.as_u16());
            say(Input::Head(head(&parts)));
            flight.seen.parts = Some(parts);
        }
        let bytes = flight.marks.came(news.body);
        if bytes > 0 {
            say(Input::Body { bytes });
        }
        for paused in news.paused {
            say(if paused {
                Input::Paused
            } else {
                Input::Resumed
            });
        }
        let end = match (news.end, polled) {
            (Some(Ok(read)), _) => {
                (flight.seen.chunks, flight.seen.saved) = (read.chunks, read.saved);
                Ok(())
            }
            (Some(Err(error)), _) => {
                flight.seen.detail = Some(error.detail());
                flight.span.failed(error.kind().as_str());
                Err(error.kind())
            }
            (None, Polled::Panicked(message)) => {
                flight.seen.detail = Some(format!("the transport panicked: {message}"));
                Err(fetch_proto::Failure::Dropped)
            }
            (None, Polled::Pending | Polled::Ready) => return,
        };
        if let Some((_, marks)) = live.land(id) {
            // Its future is over, but a transport may keep the marks.
            self.spare.marks.extend(marks.recycled());
        }
        self.landed.push(slot);
        self.engine.handle(id, Input::End(end), now);
    }
}
