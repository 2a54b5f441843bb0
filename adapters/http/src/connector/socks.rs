//! Connections through a SOCKS5 proxy (RFC 1928, RFC 1929).

use std::net::SocketAddr;

use fetch_driver::{AttemptProgress, FailureKind, FailureReason, Proxy, ProxyKind, TransportError};
use tokio_socks::tcp::Socks5Stream;
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
            None if proxy.kind() == ProxyKind::Socks5h => vec![SocksTarget::Name(host, port)],
            None => {
                let addrs = self.resolve(host, port).await;
                let addrs = addrs.map_err(|e| e.with_reason(FailureReason::ProxySocks))?;
                addrs.into_iter().map(SocksTarget::Addr).collect()
            }
        };
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
    let connected = match proxy.credentials() {
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    connected.map(|connected| connected.into_inner().into_inner())
}

fn error_text(error: &Error) -> String {
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

/// Whether the proxy does not accept the credentials, or wants some.
fn is_unauthorized(error: &Error) -> bool {
    matches!(
        error,
        Error::AuthorizationRequired
            | Error::NoAcceptableAuthMethods
            | Error::PasswordAuthFailure(_)
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
