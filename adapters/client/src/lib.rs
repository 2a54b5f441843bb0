//! What the adapters over other people's HTTP clients share.
//!
//! Such a client keeps its connections to itself. To be able to close one, the adapters lend each
//! client to one request at a time ([`Leases`]): dropping the client drops its connection and nobody
//! else's. Bodies are decoded and bounded here ([`Reading`]), so that all adapters do it alike, and
//! request bodies are read with their length checked ([`Upload`]).

mod body;
mod leases;
mod outgoing;
mod upload;

pub use body::{Reading, Told};
pub use leases::{Lease, Leases};
pub use outgoing::{has_body, prepare, refuse, target};
pub use upload::Upload;
