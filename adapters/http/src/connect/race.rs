//! Connecting to one of several addresses (Happy Eyeballs, RFC 8305).

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io, mem};

use fetch_driver::LocalAddress;

use super::exhaustion::is_exhausted;
use crate::io::runtime::HttpRuntime;

/// How long an address may take before the next one is tried at the same time.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

type BoxedFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Connects to whichever address answers first, in this order, from `local` if it is set. The other
/// attempts are dropped.
pub(crate) async fn connect_any<R: HttpRuntime>(
    runtime: &R,
    addrs: Vec<SocketAddr>,
    local: Option<&LocalAddress>,
) -> Result<(R::Stream, SocketAddr), ConnectError> {
    let mut untried = addrs.into_iter();
    let mut race = ConnectRace {
        failed: Vec::new(),
        running: Vec::new(),
    };
    let mut delay: Option<BoxedFuture<'_, ()>> = None;
    std::future::poll_fn(move |cx| {
        loop {
            let failed_before = race.failed.len();
            if let Some(winner) = race.poll(cx) {
                return Poll::Ready(Ok(winner));
            }
            if race.failed.len() == failed_before
                && delay
                    .as_mut()
                    .is_some_and(|sleep| sleep.as_mut().poll(cx).is_pending())
            {
                return Poll::Pending;
            }
            delay = None;
            let Some(addr) = untried.next() else {
                return match race.running.is_empty() {
                    true => Poll::Ready(Err(ConnectError(mem::take(&mut race.failed)))),
                    false => Poll::Pending,
                };
            };
            let connecting: BoxedFuture<'_, _> = match local {
                Some(local) => Box::pin(runtime.connect_from(addr, local)),
                None => Box::pin(runtime.connect(addr)),
            };
            race.running.push((addr, connecting));
            if untried.len() > 0 {
                delay = Some(Box::pin(runtime.sleep(ATTEMPT_DELAY)));
            }
        }
    })
    .await
}

/// The running and the failed connection attempts.
struct ConnectRace<'a, S> {
    failed: Vec<(SocketAddr, io::Error)>,
    running: Vec<(SocketAddr, BoxedFuture<'a, io::Result<S>>)>,
}

impl<S> ConnectRace<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<(S, SocketAddr)> {
        let mut at = 0;
        while let Some((addr, attempt)) = self.running.get_mut(at) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Some((stream, *addr)),
                Poll::Ready(Err(error)) => {
                    self.failed.push((*addr, error));
                    drop(self.running.remove(at));
                }
                Poll::Pending => at += 1,
            }
        }
        None
    }
}

/// Alternates between IPv4 and IPv6, starting with the family that the resolver put first.
pub(crate) fn interleave_families(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addrs.first().map(SocketAddr::is_ipv6) else {
        return addrs;
    };
    let (one, other): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::with_capacity(one.len() + other.len());
    while one.len() + other.len() > 0 {
        mixed.extend(one.next());
        mixed.extend(other.next());
    }
    mixed
}

/// The error of each address, if none could be connected to.
#[derive(Debug)]
pub(crate) struct ConnectError(Vec<(SocketAddr, io::Error)>);

impl ConnectError {
    /// Whether this machine ran out of descriptors or ports, so that the server is not to blame.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.0.iter().any(|(_, error)| is_exhausted(error))
    }
}

impl ConnectError {
    /// The error of the only address, if `target` ends with that address.
    pub(crate) fn into_sole(mut self, target: &str) -> Result<io::Error, Self> {
        match self.0.pop() {
            Some((addr, error)) if self.0.is_empty() && target.ends_with(&addr.to_string()) => {
                Ok(error)
            }
            last => {
                self.0.extend(last);
                Err(self)
            }
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (addr, error)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{addr}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_starting_with_the_first() {
        let addrs = ["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:1"];
        let mixed = interleave_families(addrs.map(|a| a.parse().unwrap()).to_vec());
        let mixed: Vec<_> = mixed.iter().map(ToString::to_string).collect();
        assert_eq!(mixed, ["[::1]:1", "127.0.0.1:1", "[::1]:2", "[::1]:3"]);
    }
}
