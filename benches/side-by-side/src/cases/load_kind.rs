//! The kinds of loads.

/// What distinguishes a load. All but [`LoadKind::Plain`] need nginx.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LoadKind {
    /// Compressed bodies, from 64 hosts in turn.
    Coded,
    /// Every tenth request is answered 503.
    Failing,
    /// Requests go to a thousand hosts in turn.
    Hosts,
    /// https with HTTP/2.
    Http2,
    /// https with HTTP/1.1.
    Https,
    /// HTTP/1.1 to one host.
    Plain,
}
