//! A connection as numbers, for those who may not wait for each other.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::transport::connection::Connection;

// What is known, in the lowest bits of `Peer::what`.
const UNNAMED: u64 = 1;
const V4: u64 = 2;
const V6: u64 = 3;
/// Whether the connection was reused.
const REUSED: u64 = 4;
/// The port is above the other bits.
const PORT: u32 = 16;

/// Which connection serves an attempt, once that is known. Anyone may ask, but for the moment in which
/// another is told: then it may be a mixture of both.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    high: AtomicU64,
    low: AtomicU64,
    /// Flow and scope.
    v6: AtomicU64,
    /// Written last.
    what: AtomicU64,
}

impl Peer {
    pub(crate) fn set(&self, connection: Connection) {
        let (kind, port) = match connection.remote {
            None => (UNNAMED, 0),
            Some(SocketAddr::V4(peer)) => {
                let address = u64::from(u32::from(*peer.ip()));
                self.low.store(address, Ordering::Relaxed);
                (V4, peer.port())
            }
            Some(SocketAddr::V6(peer)) => {
                let address = u128::from(*peer.ip());
                let v6 = u64::from(peer.flowinfo()) << 32 | u64::from(peer.scope_id());
                self.high.store((address >> 64) as u64, Ordering::Relaxed);
                self.low.store(address as u64, Ordering::Relaxed);
                self.v6.store(v6, Ordering::Relaxed);
                (V6, peer.port())
            }
        };
        let reused = if connection.reused { REUSED } else { 0 };
        let what = kind | reused | u64::from(port) << PORT;
        self.what.store(what, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Option<Connection> {
        let what = self.what.load(Ordering::Acquire);
        let port = (what >> PORT) as u16;
        let low = self.low.load(Ordering::Relaxed);
        let remote = match what & V6 {
            UNNAMED => None,
            V4 => Some(SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(low as u32),
                port,
            ))),
            V6 => {
                let high = self.high.load(Ordering::Relaxed);
                let v6 = self.v6.load(Ordering::Relaxed);
                let ip = Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
                let (flow, scope) = ((v6 >> 32) as u32, v6 as u32);
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
            }
            _ => return None,
        };
        let reused = what & REUSED != 0;
        Some(Connection { remote, reused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_last_is_known() {
        let peer = Peer::default();
        assert_eq!(peer.get(), None);
        let v6 = SocketAddrV6::new("fe80::1:2".parse().unwrap(), 65_535, 7, 9);
        let v4: SocketAddr = "255.0.0.1:8080".parse().unwrap();
        for remote in [Some(v4), None, Some(v6.into()), Some(v4)] {
            for reused in [true, false] {
                let connection = Connection { remote, reused };
                peer.set(connection);
                assert_eq!(peer.get(), Some(connection));
            }
        }
    }
}
