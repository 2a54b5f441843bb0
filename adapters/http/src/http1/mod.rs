//! HTTP/1.1 as RFC 9112 says: one request at a time over a connection, whose stream the request's
//! own future reads and writes. No task, no channel and no lock is between them.

mod body;
mod chunked;
mod conn;
mod exchange;
mod gathering;
mod head;
mod request;
mod upload;
mod watch;

pub(crate) use body::Body;
pub(crate) use conn::Conn;
pub(crate) use exchange::exchange;
pub(crate) use watch::Watch;
