//! HTTP/1.1 (RFC 9112): one request at a time per connection. The request's own future reads and
//! writes the stream, without a task, a channel or a lock.

mod body;
mod chunked;
mod connection;
mod error;
mod exchange;
mod expect;
mod head;
mod large_body;
mod request;
mod upload;

pub(crate) use body::H1Body;
pub(crate) use connection::H1Connection;
pub(crate) use exchange::exchange;
pub(crate) use expect::{ContinueTimer, ExpectRefusals};
