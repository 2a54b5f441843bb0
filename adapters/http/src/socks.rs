//! SOCKS5 (RFC 1928, 1929): asking a proxy to connect to somewhere else.

use std::net::SocketAddr;

use fetch_driver::Proxy;
use tokio_socks::tcp::Socks5Stream;
// The crate's name notwithstanding, nothing of tokio's is used: it reads and writes what we give it.
use tokio_socks::io::Compat;
use tokio_socks::{Error, TargetAddr};

use crate::runtime::Stream;

/// Where the proxy is to connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Addr(SocketAddr),
    /// The proxy looks the name up.
    Name(&'a str, u16),
}

/// Makes `stream`, which leads to `proxy`, lead to `target`.
pub(crate) async fn open<S: Stream>(
    stream: S,
    proxy: &Proxy,
    target: Target<'_>,
) -> Result<S, Error> {
    let stream = Compat::new(stream);
    let target = match target {
        Target::Addr(addr) => TargetAddr::Ip(addr),
        Target::Name(name, _) if name.len() > 255 => {
            return Err(Error::InvalidTargetAddress("over 255 bytes"));
        }
        Target::Name(name, port) => TargetAddr::Domain(name.into(), port),
    };
    let opened = match proxy.credentials() {
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    opened.map(|opened| opened.into_inner().into_inner())
}

/// What the proxy's refusal means, in words.
pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::AuthorizationRequired | Error::NoAcceptableAuthMethods => {
            "it asks for a user name and password, or accepts no way to give them: write them as \
             socks5://user:password@host:port"
                .into()
        }
        Error::PasswordAuthFailure(_) => "it did not accept the user name and password".into(),
        Error::InvalidResponseVersion => "its answer is not SOCKS5: is it a SOCKS proxy?".into(),
        Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it closed the connection inside the SOCKS handshake".into()
        }
        Error::Io(error) => format!("the SOCKS handshake failed: {error}"),
        refusal => format!("it could not connect: {refusal}"),
    }
}

/// Whether another address of the target may do better.
pub(crate) fn is_about_target(error: &Error) -> bool {
    matches!(
        error,
        Error::AddressTypeNotSupported
            | Error::ConnectionRefused
            | Error::GeneralSocksServerFailure
            | Error::HostUnreachable
            | Error::NetworkUnreachable
            | Error::TtlExpired
    )
}
