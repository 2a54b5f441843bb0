//! The one loop that drives `fetch-proto` over any transport, timer and executor.

mod clock;
mod marks;
mod transport;

pub use clock::Clock;
pub use fetch_proto::{Failure, Phase, Timestamp};
pub use marks::Marks;
pub use transport::{
    BodyStream, Connection, Incoming, Outgoing, RequestBody, Transport, TransportError,
};
