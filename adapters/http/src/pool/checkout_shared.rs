//! Checkout of connections that may be shared.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use fetch_driver::TransportError;

use super::ConnectionPool;
use super::checkout::PoolCheckout;
use crate::http2::{StreamGrant, StreamWait};
use crate::origin::OriginRef;

enum SharedLookup {
    Found(PoolCheckout),
    Wait(StreamWait),
}

impl ConnectionPool {
    /// Waits for a free stream on a connection to `origin`, for an idle connection, or for a permit
    /// to open one.
    ///
    /// # Errors
    ///
    /// That of the request which opened the connection that this one waited for.
    pub(crate) async fn check_out_shared(
        &self,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<PoolCheckout, TransportError> {
        match self.look_up_shared(origin, fresh)? {
            SharedLookup::Found(found) => Ok(found),
            // Boxed: most requests do not wait, and so should not carry this state.
            SharedLookup::Wait(_) => Box::pin(self.wait_shared(origin, fresh)).await,
        }
    }

    /// `fresh` only concerns exclusive connections: a shared one that was found closed has been
    /// retired together with all older ones.
    fn look_up_shared(
        &self,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<SharedLookup, TransportError> {
        if !fresh && let Some(conn) = self.take_idle(origin) {
            return Ok(SharedLookup::Found(PoolCheckout::Reuse(conn)));
        }
        let mut grant = self.h2.request_stream(origin, None)?;
        if matches!(grant, StreamGrant::MayOpen(_) | StreamGrant::Http1(None))
            && let Some(permit) = self.reserve_or_evict()
        {
            grant = self.h2.request_stream(origin, Some(permit))?;
        }
        Ok(match grant {
            StreamGrant::Http1(Some(permit)) => SharedLookup::Found(PoolCheckout::Open(permit)),
            StreamGrant::Http1(None) => SharedLookup::Wait(StreamWait::for_permit()),
            StreamGrant::MayOpen(wait) | StreamGrant::Wait(wait) => SharedLookup::Wait(wait),
            StreamGrant::Open(permit, guard) => {
                SharedLookup::Found(PoolCheckout::OpenFirst(permit, guard))
            }
            StreamGrant::Leased(lease) => SharedLookup::Found(PoolCheckout::Share(lease)),
        })
    }

    async fn wait_shared(
        &self,
        origin: OriginRef<'_>,
        fresh: bool,
    ) -> Result<PoolCheckout, TransportError> {
        let mut listener: Option<SharedListener> = None;
        let (mut waiter, mut woken) = (None, None);
        loop {
            let lookup = self.look_up_shared(origin, fresh)?;
            if let Some(reason) = woken.take() {
                self.forward_wake(reason, &lookup);
            }
            let wait = match lookup {
                SharedLookup::Found(found) => return Ok(found),
                SharedLookup::Wait(wait) => wait,
            };
            match listener.take() {
                // A request that listened before it looked cannot miss a wake-up.
                Some(listener) if listener.covers(&wait) => {
                    woken = Some(listener.await);
                    if let Some(error) = wait.pending.and_then(|pending| pending.failure()) {
                        return Err(error);
                    }
                }
                _ => {
                    // A request that waits for another's connection does not compete for a permit.
                    waiter = wait
                        .for_permit
                        .then(|| waiter.unwrap_or_else(|| self.register_waiter()));
                    listener = Some(SharedListener::new(wait, self));
                }
            }
        }
    }

    /// Wakes another request if this one did not use what it was woken for.
    fn forward_wake(&self, reason: WakeReason, lookup: &SharedLookup) {
        let (uses_stream, uses_permit) = match lookup {
            SharedLookup::Found(PoolCheckout::Share(_)) => (true, false),
            SharedLookup::Found(_) => (false, true),
            SharedLookup::Wait(wait) => (true, wait.for_permit),
        };
        match reason {
            WakeReason::Stream(freed) if !uses_stream => drop(freed.notify_additional(1)),
            WakeReason::Permit if !uses_permit => self.counters.wake_another(),
            _ => {}
        }
    }
}

/// Listens for a free stream and, if that helps, for a permit of the pool.
struct SharedListener {
    freed: Arc<Event>,
    permit: Option<EventListener>,
    stream: EventListener,
}

enum WakeReason {
    Permit,
    Stream(Arc<Event>),
}

impl SharedListener {
    fn new(wait: StreamWait, pool: &ConnectionPool) -> Self {
        Self {
            stream: wait.freed.listen(),
            freed: wait.freed,
            permit: wait.for_permit.then(|| pool.counters.listen()),
        }
    }

    /// Whether this listener is notified of everything that `wait` waits for.
    fn covers(&self, wait: &StreamWait) -> bool {
        // If only a permit helps, each lookup creates a separate event.
        let same = Arc::ptr_eq(&self.freed, &wait.freed);
        let only_permit = wait.pending.is_none() && Arc::strong_count(&wait.freed) == 1;
        (same || only_permit) && self.permit.is_some() == wait.for_permit
    }
}

impl Future for SharedListener {
    type Output = WakeReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WakeReason> {
        if Pin::new(&mut self.stream).poll(cx).is_ready() {
            return Poll::Ready(WakeReason::Stream(self.freed.clone()));
        }
        match &mut self.permit {
            Some(permit) => Pin::new(permit).poll(cx).map(|()| WakeReason::Permit),
            None => Poll::Pending,
        }
    }
}
