//! Sockets with a chosen local end.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fetch_driver::LocalAddress;
use socket2::{Domain, Socket, TcpKeepalive, Type};

/// A socket that does not block, is bound to `local`, and can be connected to `addr`; for
/// implementations of [`HttpRuntime::connect_from`](crate::HttpRuntime::connect_from).
///
/// ```
/// let addr = "127.0.0.1:80".parse().unwrap();
/// let socket = fetch_http::bind_socket(addr, &"127.0.0.1".parse().unwrap())?;
/// assert!(socket.local_addr()?.ip().is_loopback());
/// assert!(fetch_http::bind_socket(addr, &"::1".parse().unwrap()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If this machine has no such address or interface, if it belongs to another family than `addr`, or
/// if the system cannot bind to interfaces.
pub fn bind_socket(addr: SocketAddr, local: &LocalAddress) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    let failed = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot connect from {local}: {error}"),
        )
    };
    bind(&socket, addr, local).map_err(failed)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// Sets options of a TCP socket; for implementations of
/// [`HttpStream::set_tcp_options`](crate::HttpStream::set_tcp_options). The pauses of `keepalive` are
/// whole seconds, rounded up.
///
/// ```
/// use std::time::Duration;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let socket = socket2::SockRef::from(&stream);
/// fetch_http::set_tcp_options(&socket, Some(Duration::from_millis(6_500)), true)?;
/// assert!(stream.nodelay()? && socket.keepalive()?);
/// assert_eq!(socket.tcp_keepalive_time()?, Duration::from_secs(7));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error.
pub fn set_tcp_options(
    socket: &Socket,
    keepalive: Option<Duration>,
    nodelay: bool,
) -> io::Result<()> {
    socket.set_tcp_nodelay(nodelay)?;
    let Some(pause) = keepalive else {
        return Ok(());
    };
    let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
    let pause = Duration::from_secs(seconds.clamp(1, 32_767));
    let probes = TcpKeepalive::new().with_time(pause).with_interval(pause);
    socket.set_tcp_keepalive(&probes)
}

fn bind(socket: &Socket, addr: SocketAddr, local: &LocalAddress) -> io::Result<()> {
    match local {
        LocalAddress::Address(ip) if ip.is_ipv4() != addr.is_ipv4() => {
            let why = "it belongs to another family than the server's address";
            Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why))
        }
        LocalAddress::Address(ip) => socket.bind(&SocketAddr::new(*ip, 0).into()),
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        LocalAddress::Interface(name) => socket.bind_device(Some(name.as_bytes())),
        _ => {
            let why = "this system can bind to addresses only";
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }
}

/// Starts to connect a socket that does not block.
#[cfg(feature = "async-io")]
pub(super) fn start_connect_from(addr: SocketAddr, local: &LocalAddress) -> io::Result<TcpStream> {
    let stream = bind_socket(addr, local)?;
    match socket2::SockRef::from(&stream).connect(&addr.into()) {
        Ok(()) => Ok(stream),
        Err(error) if is_connecting(&error) => Ok(stream),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "async-io")]
fn is_connecting(error: &io::Error) -> bool {
    #[cfg(unix)]
    let started = error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    let started = false;
    started || error.kind() == io::ErrorKind::WouldBlock
}
