//! From the pool to a request, where connections may be shared.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use fetch_driver::TransportError;

use super::groups::{Answer, Waiting};
use crate::origin::OriginRef;
use crate::pool::{Checkout, Pool};

enum Looked {
    Found(Checkout),
    Wait(Waiting),
}

impl Pool {
    /// A place on a connection to `origin`, an idle connection, or the right to open one, as soon as
    /// there is any.
    ///
    /// # Errors
    ///
    /// That of another request, which opened the connection that this one waited for.
    pub(crate) async fn checkout_shared(
        self: &Arc<Self>,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<Checkout, TransportError> {
        match self.look(origin, fresh)? {
            Looked::Found(found) => Ok(found),
            // Boxed: most requests need not carry this along.
            Looked::Wait(_) => Box::pin(self.checkout_later(origin, fresh)).await,
        }
    }

    /// `fresh` is for connections that one request has alone: a shared one that was found closed, and
    /// all older ones, are not used again anyway.
    fn look(
        self: &Arc<Self>,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<Looked, TransportError> {
        if !fresh && let Some(conn) = self.take(origin) {
            return Ok(Looked::Found(Checkout::Reuse(conn)));
        }
        let mut answer = self.groups.ask(origin, None, self)?;
        if matches!(answer, Answer::MayOpen(_) | Answer::Alone(None))
            && let Some(ticket) = self.reserve_or_evict()
        {
            answer = self.groups.ask(origin, Some(ticket), self)?;
        }
        Ok(match answer {
            Answer::Alone(Some(ticket)) => Looked::Found(Checkout::Open(ticket)),
            Answer::Alone(None) => Looked::Wait(Waiting::for_ticket()),
            Answer::MayOpen(waiting) | Answer::Wait(waiting) => Looked::Wait(waiting),
            Answer::Open(ticket, flying) => Looked::Found(Checkout::OpenFirst(ticket, flying)),
            Answer::Shared(lease) => Looked::Found(Checkout::Share(lease)),
        })
    }

    async fn checkout_later(
        self: &Arc<Self>,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<Checkout, TransportError> {
        let mut ears: Option<Ears> = None;
        let (mut for_ticket, mut woken) = (None, None);
        loop {
            let looked = self.look(origin, fresh)?;
            if let Some(by) = woken.take() {
                self.pass_on(by, &looked);
            }
            let waiting = match looked {
                Looked::Found(found) => return Ok(found),
                Looked::Wait(waiting) => waiting,
            };
            match ears.take() {
                // Only who listened before it looked cannot miss anything.
                Some(ears) if ears.hears(&waiting) => {
                    woken = Some(ears.await);
                    if let Some(error) = waiting.flight.and_then(|flight| flight.failure()) {
                        return Err(error);
                    }
                }
                _ => {
                    // Who waits for another's connection wants none of its own.
                    for_ticket = waiting
                        .ticket
                        .then(|| for_ticket.unwrap_or_else(|| self.wait()));
                    ears = Some(Ears::new(waiting, self));
                }
            }
        }
    }

    /// Wakes another request if this one was woken by what it did not take.
    fn pass_on(&self, by: Woken, looked: &Looked) {
        let (place, ticket) = match looked {
            Looked::Found(Checkout::Share(_)) => (true, false),
            Looked::Found(_) => (false, true),
            Looked::Wait(waiting) => (true, waiting.ticket),
        };
        match by {
            Woken::Place(freed) if !place => drop(freed.notify_additional(1)),
            Woken::Ticket if !ticket => drop(self.freed.notify_additional(1)),
            _ => {}
        }
    }
}

impl Waiting {
    /// Nothing but a ticket helps.
    fn for_ticket() -> Self {
        Self {
            flight: None,
            freed: Arc::default(),
            ticket: true,
        }
    }
}

/// Listens for a place on a shared connection and, if that helps, for a ticket of the pool.
struct Ears {
    freed: Arc<Event>,
    place: EventListener,
    ticket: Option<EventListener>,
}

enum Woken {
    Place(Arc<Event>),
    Ticket,
}

impl Ears {
    fn new(waiting: Waiting, pool: &Pool) -> Self {
        Self {
            place: waiting.freed.listen(),
            freed: waiting.freed,
            ticket: waiting.ticket.then(|| pool.freed.listen()),
        }
    }

    fn hears(&self, waiting: &Waiting) -> bool {
        // With a ticket alone to wait for, each look makes an event of its own.
        let same = Arc::ptr_eq(&self.freed, &waiting.freed);
        let alone = waiting.flight.is_none() && Arc::strong_count(&waiting.freed) == 1;
        (same || alone) && self.ticket.is_some() == waiting.ticket
    }
}

impl Future for Ears {
    type Output = Woken;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Woken> {
        if Pin::new(&mut self.place).poll(cx).is_ready() {
            return Poll::Ready(Woken::Place(self.freed.clone()));
        }
        match &mut self.ticket {
            Some(ticket) => Pin::new(ticket).poll(cx).map(|()| Woken::Ticket),
            None => Poll::Pending,
        }
    }
}
