//! An HTTP test site on loopback that fails on request.
//!
//! [`Site::start`] serves a site like httpbin from separate threads, so it works with any async runtime or
//! none. Only [`Site::wait_for`] and the drop block. Besides echoes, delays and redirects, the site resets,
//! stalls, truncates and floods: see [`ENDPOINTS`]. It counts its traffic, so a test can assert how many
//! connections or requests were open at once.
//!
//! [`Proxy`] is an HTTP and SOCKS5 proxy, [`TokenServer`] an OAuth 2 token server, and [`ScriptedHttp2`]
//! an HTTP/2 server that follows a script. The feature `servers` starts real servers, such as nginx.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! let site = fetch_testbed::Site::start()?;
//! let mut client = TcpStream::connect(site.address())?;
//! client.write_all(b"GET /bytes/3 HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("\r\n\r\n\0\u{1}\u{2}"));
//! assert_eq!(site.observed().requests, 1);
//! # Ok::<(), std::io::Error>(())
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
mod endpoints;
mod flood_server;
mod lock;
mod proxy;
mod scripted_http2;
mod server;
#[cfg(feature = "servers")]
pub mod servers;
mod site;
mod state;
mod token_server;

pub use endpoints::{ENDPOINTS, Endpoint, Fault, byte_at};
pub use flood_server::{Flood, FloodServer};
pub use proxy::{Proxy, ProxyBuilder};
pub use scripted_http2::{ScriptedHttp2, ScriptedReply};
pub use site::{Certificate, Site, SiteBuilder};
pub use state::observer::{HostObserved, Observed, RecordedRequest};
pub use token_server::{ReceivedTokenRequest, TokenReply, TokenServer, TokenServerBuilder};

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
