//! Connections through a SOCKS4, SOCKS4a or SOCKS5 proxy (RFC 1928, RFC 1929).

use std::net::SocketAddr;

use fetch_driver::{AttemptProgress, FailureKind, FailureReason, Proxy, ProxyKind, TransportError};
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::tcp::socks4::Socks4Stream;
// Despite the crate's name, nothing of tokio is used: it reads and writes the stream given to it.
use tokio_socks::io::Compat;
use tokio_socks::{Error, TargetAddr};

use super::Connector;
use super::dial::{DialedStream, parse_ip};
use crate::io::byte_stream::ByteStream;
use crate::io::runtime::HttpRuntime;

/// The address or name to which the proxy connects.
#[derive(Clone, Copy, Debug)]
enum SocksTarget<'a> {
    Addr(SocketAddr),
    /// The proxy looks up the name.
    Name(&'a str, u16),
}

impl<R: HttpRuntime> Connector<R> {
    pub(super) async fn dial_socks(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R::Stream>, TransportError> {
        let targets: Vec<_> = match parse_ip(host) {
            Some(ip) => vec![SocksTarget::Addr(SocketAddr::new(ip, port))],
            None if proxy.kind().resolves_names() => vec![SocksTarget::Name(host, port)],
            None => {
                let addrs = self.resolve(host, port).await;
                let mut addrs = addrs.map_err(|e| e.with_reason(FailureReason::ProxySocks))?;
                // An address that the proxy cannot connect to is refused below, if there is no other.
                if proxy.kind() == ProxyKind::Socks4 && addrs.iter().any(SocketAddr::is_ipv4) {
                    addrs.retain(SocketAddr::is_ipv4);
                }
                addrs.into_iter().map(SocksTarget::Addr).collect()
            }
        };
        let has_ipv4_only = matches!(proxy.kind(), ProxyKind::Socks4 | ProxyKind::Socks4a);
        let is_ipv6 =
            |target: &SocksTarget<'_>| matches!(target, SocksTarget::Addr(addr) if addr.is_ipv6());
        if has_ipv4_only && targets.iter().any(is_ipv6) {
            let text = format!(
                "to {host}:{port} through the proxy {proxy}: SOCKS4 has no IPv6 addresses; use a \
                 socks5:// proxy"
            );
            return Err(socks_error(FailureKind::Unsupported, text));
        }
        let checked = self.verdicts.check(proxy, &self.runtime).await;
        let mut first =
            checked.map_err(|text| socks_error(FailureKind::ProxyRefused, text.to_string()))?;
        let mut last_error = None;
        for target in targets {
            // After an error, the connection to the proxy cannot be used again.
            let dialed = self.dial_proxy(proxy, progress).await?;
            match connect_through(dialed.stream, proxy, target).await {
                Ok(stream) => {
                    if let Some(first) = first {
                        first.accept();
                    }
                    let peer = dialed.peer;
                    return Ok(DialedStream { stream, peer });
                }
                Err(error) if is_unauthorized(&error) => {
                    let text = format!("through the proxy {proxy}: {}", error_text(&error));
                    self.verdicts.refuse(proxy, &text);
                    return Err(socks_error(FailureKind::ProxyRefused, text));
                }
                Err(error) => {
                    if !matches!(error, Error::Io(_))
                        && let Some(first) = first.take()
                    {
                        first.accept();
                    }
                    let may_try_next = is_target_error(&error);
                    last_error = Some(error);
                    if !may_try_next {
                        break;
                    }
                }
            }
        }
        let why = last_error.map_or_else(|| "no address".into(), |error| error_text(&error));
        let text = format!("to {host}:{port} through the proxy {proxy}: {why}");
        Err(socks_error(FailureKind::Connect, text))
    }
}

fn socks_error(kind: FailureKind, text: String) -> TransportError {
    TransportError::new(kind, text).with_reason(FailureReason::ProxySocks)
}

/// Asks `proxy`, to which `stream` is connected, to connect to `target`.
async fn connect_through<S: ByteStream>(
    stream: S,
    proxy: &Proxy,
    target: SocksTarget<'_>,
) -> Result<S, Error> {
    let stream = Compat::new(stream);
    let target = match target {
        SocksTarget::Addr(addr) => TargetAddr::Ip(addr),
        SocksTarget::Name(name, _) if name.len() > 255 => {
            return Err(Error::InvalidTargetAddress("over 255 bytes"));
        }
        SocksTarget::Name(name, port) => TargetAddr::Domain(name.into(), port),
    };
    let is_socks4 = matches!(proxy.kind(), ProxyKind::Socks4 | ProxyKind::Socks4a);
    let connected = match (is_socks4, proxy.credentials()) {
        (true, Some((user, _))) => {
            let connected = Socks4Stream::connect_with_userid_and_socket(stream, target, user);
            connected.await.map(Socks4Stream::into_inner)
        }
        (true, None) => {
            let connected = Socks4Stream::connect_with_socket(stream, target);
            connected.await.map(Socks4Stream::into_inner)
        }
        (false, Some((user, password))) => {
            let connected =
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password);
            connected.await.map(Socks5Stream::into_inner)
        }
        (false, None) => {
            let connected = Socks5Stream::connect_with_socket(stream, target);
            connected.await.map(Socks5Stream::into_inner)
        }
    };
    connected.map(Compat::into_inner)
}

fn error_text(error: &Error) -> String {
    match error {
        Error::AuthorizationRequired | Error::NoAcceptableAuthMethods => {
            "it asks for a user name and password, or accepts no way to give them: write them as \
             socks5://user:password@host:port"
                .into()
        }
        Error::PasswordAuthFailure(_) => "it did not accept the user name and password".into(),
        Error::InvalidResponseVersion => {
            "its answer is not of this version of SOCKS: is it a SOCKS proxy?".into()
        }
        Error::IdentdAuthFailure | Error::InvalidUserIdAuthFailure => {
            "it did not accept the user name, which it checks by ident".into()
        }
        Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it closed the connection inside the SOCKS handshake".into()
        }
        Error::Io(error) => format!("the SOCKS handshake failed: {error}"),
        refusal => format!("it could not connect: {refusal}"),
    }
}

/// Whether the proxy does not accept the credentials, or wants some.
fn is_unauthorized(error: &Error) -> bool {
    matches!(
        error,
        Error::AuthorizationRequired
            | Error::NoAcceptableAuthMethods
            | Error::PasswordAuthFailure(_)
            | Error::IdentdAuthFailure
            | Error::InvalidUserIdAuthFailure
    )
}

/// Whether another address of the target may work.
fn is_target_error(error: &Error) -> bool {
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
