#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod coded_input;
mod coding;
mod decoder;
#[cfg(feature = "gzip")]
mod deflate;
mod lock;
mod message;
#[cfg(feature = "client-pool")]
mod pool;
mod turn;

pub use coding::{ContentCoding, accepted_codings, coded_headers, remove_codings};
pub use decoder::{BodyDecoder, DecodeError};
pub use lock::lock;
pub use message::{
    BodyStreamError, check_body_length, expects_body, has_body, may_accept_codings, reject_connect,
};
#[cfg(feature = "client-pool")]
pub use pool::body::PooledBody;
#[cfg(feature = "client-pool")]
pub use pool::transport::{ClientFactory, PooledTransport};
#[cfg(feature = "client-pool")]
pub use pool::upload::UploadReader;
#[cfg(feature = "client-pool")]
pub use pool::{ClientLease, ClientPool};
pub use turn::TurnBudget;
