//! How the server is reached: connections and their reuse, sockets, TLS, HTTP/2, proxies.

pub(crate) mod http2;
pub(crate) mod pool;
pub(crate) mod proxies;
pub(crate) mod sockets;
pub(crate) mod tls;
