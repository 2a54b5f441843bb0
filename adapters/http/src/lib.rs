//! HTTP/1.1 and HTTP/2 over any `futures-io` stream: keep-alive pool, DNS cache, TLS, decoding.
//!
//! [`HttpTransport`] is the [`Transport`](fetch_driver::Transport) that the adapters for smol,
//! async-std and tokio share: each of them brings a [`Runtime`] of two dozen lines, and everything
//! else is here: HTTP/1.1 of our own, and HTTP/2 by hyper. It decides nothing: retries, redirects and time
//! limits are the core's.
//!
//! # Features
//!
//! - `async-io`: [`Socket`], TCP for every runtime whose reactor is async-io's.
//! - `http2`: HTTP/2, over https where the server chooses it, over http on request.
//! - `tls`: https by rustls, with ring.
//! - `gzip`, `brotli`, `zstd`: content codings.

mod body;
mod config;
mod connect;
mod connections;
mod decode;
mod dns;
mod error;
mod hand;
mod http1;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "http2")]
mod hyper_io;
mod idle;
mod io;
mod opening;
mod origin;
mod outgoing;
mod pool;
mod proxy;
mod proxy_dial;
mod proxy_tunnel;
#[cfg(all(feature = "async-io", target_os = "linux"))]
mod reactor;
mod runtime;
mod settings;
#[cfg(feature = "async-io")]
mod socket;
mod socks;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod unix;

pub use body::ResponseBody;
pub use config::Config;
pub use connect::raise_fd_limit;
pub use dns::{Resolve, SystemResolver};
#[cfg(all(feature = "async-io", target_os = "linux"))]
pub use reactor::{Reactor, Task};
pub use runtime::{Runtime, Stream};
#[cfg(feature = "async-io")]
pub use socket::Socket;
#[cfg(all(feature = "async-io", not(target_os = "linux")))]
pub use socket::{Reactor, Task};
#[cfg(feature = "tls")]
pub use tls::TlsOptions;
pub use transport::HttpTransport;
