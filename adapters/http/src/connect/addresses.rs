//! Which addresses failed, so that the next connection to a host begins with another one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fetch_transport_util::lock;
use hashbrown::HashMap;

/// How long a failure of an address counts.
const MEMORY: Duration = Duration::from_secs(300);
/// The most failed addresses that are remembered.
const MAX_FAILED: usize = 4096;

/// The addresses to which a connection brought no answer, with the time of the last failure. Only
/// hosts with several addresses are watched.
#[derive(Debug, Default)]
pub(crate) struct FailedAddresses(Mutex<HashMap<SocketAddr, Instant>>);

/// A connection to one of several addresses of a host. Unless it succeeds, the address comes last for
/// a while: it may accept connections and be silent, or fail in TLS.
#[derive(Debug)]
pub(crate) struct AddressTrial {
    addr: SocketAddr,
    failed: Arc<FailedAddresses>,
    /// How many other addresses the host has.
    #[cfg(feature = "tls")]
    pub(crate) others: usize,
    succeeded: bool,
}

impl AddressTrial {
    /// Records that the server answered.
    pub(crate) fn succeed(mut self) {
        self.succeeded = true;
        lock(&self.failed.0).remove(&self.addr);
    }
}

impl Drop for AddressTrial {
    fn drop(&mut self) {
        if self.succeeded {
            return;
        }
        let mut failed = lock(&self.failed.0);
        if failed.len() >= MAX_FAILED {
            failed.retain(|_, at| at.elapsed() < MEMORY);
            if failed.len() >= MAX_FAILED {
                failed.clear();
            }
        }
        failed.insert(self.addr, Instant::now());
    }
}

impl FailedAddresses {
    /// Moves failed addresses behind the others, those that failed last to the end.
    pub(crate) fn sort(&self, addrs: &mut [SocketAddr]) {
        let failed = lock(&self.0);
        if !failed.is_empty() {
            let recent = |at: &&Instant| at.elapsed() < MEMORY;
            addrs.sort_by_key(|addr| failed.get(addr).filter(recent).copied());
        }
    }

    /// Watches a connection to `addr`, one of `count` addresses of its host.
    pub(crate) fn watch(
        self: &Arc<Self>,
        addr: SocketAddr,
        count: usize,
    ) -> Option<Box<AddressTrial>> {
        (count > 1).then(|| {
            Box::new(AddressTrial {
                addr,
                failed: self.clone(),
                #[cfg(feature = "tls")]
                others: count - 1,
                succeeded: false,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn an_address_without_an_answer_comes_last() {
        let failed = Arc::new(FailedAddresses::default());
        let order = || {
            let mut addrs = [addr(1), addr(2), addr(3)];
            failed.sort(&mut addrs);
            addrs.map(|addr| addr.port())
        };
        drop(failed.watch(addr(1), 3));
        assert_eq!(order(), [2, 3, 1]);
        drop(failed.watch(addr(2), 3));
        assert_eq!(order(), [3, 1, 2]);
        failed.watch(addr(1), 3).unwrap().succeed();
        assert_eq!(order(), [1, 3, 2]);
    }

    #[test]
    fn the_only_address_of_a_host_is_not_watched() {
        assert!(
            Arc::new(FailedAddresses::default())
                .watch(addr(1), 1)
                .is_none()
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let failed = Arc::new(FailedAddresses::default());
        for port in 0..=u16::try_from(MAX_FAILED).unwrap() {
            drop(failed.watch(addr(port), 2));
        }
        assert!(lock(&failed.0).len() <= MAX_FAILED);
    }
}
