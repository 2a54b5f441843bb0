//! Connections that the caller opens.

use std::fmt;
use std::io;
use std::pin::Pin;

use futures_lite::{AsyncRead, AsyncWrite};

/// A stream of bytes that carries requests, or TLS. Every stream that can be read and written is one.
pub trait ConnectionStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> ConnectionStream for S {}

/// The future of a [`Connector`].
pub type OpenedConnection =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn ConnectionStream>>> + Send>>;

/// Opens the connections, in place of the adapter: through a tunnel of yours, a virtual socket, or in
/// memory. See [`Builder::connector`](crate::Builder::connector).
///
/// ```
/// use fetch_driver::{ConnectionStream, Connector, OpenedConnection};
/// use smol::net::TcpStream;
///
/// /// Connects to one server, whatever the host in the URL is.
/// #[derive(Debug)]
/// struct Gateway(std::net::SocketAddr);
///
/// impl Connector for Gateway {
///     fn connect(&self, _: &str, _: u16) -> OpenedConnection {
///         let connecting = TcpStream::connect(self.0);
///         Box::pin(async { Ok(Box::new(connecting.await?) as Box<dyn ConnectionStream>) })
///     }
/// }
///
/// # let site = fetch_testbed::Site::start()?;
/// let fetcher = fetch_smol::Fetcher::builder().connector(Gateway(site.address())).build()?;
/// assert!(smol::block_on(fetcher.get("http://a.test/get")).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Opens a connection to a host as written in a URL, IPv6 addresses in brackets. The future runs on the
    /// fetcher's runtime, must not block, and is dropped if the attempt ends before. For https, TLS is
    /// spoken over the connection.
    ///
    /// # Errors
    ///
    /// Why there is none: the attempt fails with [`FailureKind::Connect`](fetch_proto::FailureKind::Connect),
    /// or, for [`io::ErrorKind::NotFound`], with `UnknownHost`.
    fn connect(&self, host: &str, port: u16) -> OpenedConnection;
}
