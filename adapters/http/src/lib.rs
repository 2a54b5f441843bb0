#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod config;
mod connect;
mod connector;
mod error;
mod flood;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod origin;
mod pool;
mod transport;

pub use body::ResponseBody;
pub use config::HttpConfig;
pub use connect::dns::SystemResolver;
pub use connect::exhaustion::raise_fd_limit;
#[cfg(feature = "tls")]
pub use connect::tls::TlsOptions;
pub use io::local::{bind_socket, set_tcp_options};
#[cfg(all(feature = "async-io", target_os = "linux"))]
pub use io::reactor::{Reactor, ReactorTask};
pub use io::runtime::{HttpRuntime, HttpStream};
#[cfg(feature = "async-io")]
pub use io::socket::AsyncIoSocket;
#[cfg(all(feature = "async-io", not(target_os = "linux")))]
pub use io::socket::{Reactor, ReactorTask};
pub use transport::HttpTransport;
// Crates whose types are in public signatures.
pub use {bytes, fetch_driver, futures_core, futures_io};
