//! Racing a host's addresses as RFC 8305 says, and knowing when this machine is exhausted.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io, mem};

use crate::runtime::Runtime;

/// How long an address may take before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Connects to whichever address answers first; the others are dropped.
pub(crate) async fn race<R: Runtime>(
    runtime: &R,
    addrs: Vec<SocketAddr>,
) -> Result<(R::Stream, SocketAddr), Unconnected> {
    let mut waiting = interleave(addrs).into_iter();
    let mut racers = Racers {
        failed: Vec::new(),
        running: Vec::new(),
    };
    let mut stagger: Option<Pending<'_, ()>> = None;
    std::future::poll_fn(move |cx| {
        loop {
            let failed_before = racers.failed.len();
            if let Some(winner) = racers.poll(cx) {
                return Poll::Ready(Ok(winner));
            }
            if racers.failed.len() == failed_before
                && stagger
                    .as_mut()
                    .is_some_and(|sleep| sleep.as_mut().poll(cx).is_pending())
            {
                return Poll::Pending;
            }
            stagger = None;
            let Some(addr) = waiting.next() else {
                return match racers.running.is_empty() {
                    true => Poll::Ready(Err(Unconnected(mem::take(&mut racers.failed)))),
                    false => Poll::Pending,
                };
            };
            racers.running.push((addr, Box::pin(runtime.connect(addr))));
            if waiting.len() > 0 {
                stagger = Some(Box::pin(runtime.sleep(STAGGER)));
            }
        }
    })
    .await
}

/// The attempts on their way, and those that have failed.
struct Racers<'a, S> {
    failed: Vec<(SocketAddr, io::Error)>,
    running: Vec<(SocketAddr, Pending<'a, io::Result<S>>)>,
}

impl<S> Racers<'_, S> {
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

/// Alternates between the families, starting with the one the system put first.
fn interleave(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
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

/// Every address was tried, and this is what each one said.
#[derive(Debug)]
pub(crate) struct Unconnected(Vec<(SocketAddr, io::Error)>);

impl Unconnected {
    /// Whether it failed for want of descriptors or ports here, not because of the server.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.0.iter().any(|(_, error)| is_exhausted(error))
    }
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (addr, error)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{addr}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unconnected {}

/// Whether an error says that this machine has no descriptor, port or buffer left.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS];
    // WSAEMFILE and WSAENOBUFS.
    #[cfg(not(unix))]
    let codes = [10024, 10055];
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error
            .raw_os_error()
            .is_some_and(|code| codes.contains(&code))
}

/// Raises this process's limit on open files as far as the system allows, and returns it.
///
/// Each connection takes one descriptor, and the usual limit of 1,024 is soon reached. Call it once
/// at the start. Systems without such a limit answer `u64::MAX`.
///
/// ```
/// let limit = fetch_http::raise_fd_limit()?;
/// assert!(limit > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error; the old limit then still holds.
pub fn raise_fd_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_starting_with_the_first() {
        let addrs = ["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:1"];
        let mixed = interleave(addrs.map(|a| a.parse().unwrap()).to_vec());
        let mixed: Vec<_> = mixed.iter().map(ToString::to_string).collect();
        assert_eq!(mixed, ["[::1]:1", "127.0.0.1:1", "[::1]:2", "[::1]:3"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_full_descriptor_table_is_exhaustion_and_a_refusal_is_not() {
        assert!(is_exhausted(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(is_exhausted(&io::Error::from_raw_os_error(
            libc::EADDRNOTAVAIL
        )));
        assert!(!is_exhausted(&io::Error::from_raw_os_error(
            libc::ECONNREFUSED
        )));
    }
}
