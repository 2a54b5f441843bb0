//! One request and its response over a connection that may be shared.

use std::net::SocketAddr;
use std::sync::Arc;

use fetch_driver::{Connection, Incoming, Marks, Outgoing, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use http::Method;
use url::Url;

use super::body::Body;
use super::lease::Lease;
use super::{error, outgoing, start};
use crate::body::{Held, ResponseBody, Wire};
use crate::connections::Ticket;
use crate::origin::{Origin, OriginRef};
use crate::pool::Checkout;
use crate::runtime::Runtime;
use crate::transport::Inner;

impl<R: Runtime> Inner<R> {
    /// A place on a connection for `url`, or a connection, and whether it was used before.
    pub(crate) async fn hold_shared(
        &self,
        origin: OriginRef<'_>,
        url: &Url,
        fresh: bool,
        marks: &Marks,
    ) -> Result<(Held, bool), TransportError> {
        loop {
            let (held, remote) = match self.pool.checkout_shared(origin, fresh).await? {
                Checkout::Open(ticket) => {
                    let held = Box::pin(self.open(url, ticket, marks)).await?;
                    return Ok((held, false));
                }
                Checkout::OpenFirst(ticket, flying) => {
                    match Box::pin(self.open(url, ticket, marks)).await {
                        Ok(held) => return Ok((held, false)),
                        Err(error) => match flying.failed(error) {
                            Some(error) => return Err(error),
                            // A place on those that live will come free.
                            None => continue,
                        },
                    }
                }
                Checkout::Reuse(conn) => {
                    let remote = conn.remote;
                    (Held::Alone(conn), remote)
                }
                Checkout::Share(lease) => {
                    let remote = lease.link.remote;
                    (Held::Shared(lease), remote)
                }
            };
            let reused = true;
            marks.connected(Connection { remote, reused });
            return Ok((held, reused));
        }
    }

    /// Starts HTTP/2 on a new connection.
    pub(crate) async fn start_http2<S>(
        &self,
        stream: S,
        origin: Arc<Origin>,
        remote: Option<SocketAddr>,
        ticket: Ticket,
    ) -> Result<Lease, TransportError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let max_head = self.config.max_head;
        let place = (&self.pool, ticket);
        start::start(&self.runtime, stream, origin, remote, place, max_head).await
    }

    pub(crate) async fn exchange_shared(
        &self,
        mut lease: Lease,
        request: Outgoing,
        marks: Marks,
        reused: bool,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let (is_head, max_body) = (request.method == Method::HEAD, request.max_body);
        let accept = self.accept.clone();
        let (request, sending) = outgoing::request(request, &lease.link, accept, marks.clone())?;
        lease.sending = sending;
        let mut sender = lease.link.sender.clone();
        let Some(sent) = lease.link.pulse.send(|| sender.try_send_request(request)) else {
            return Err(error::unsent(&lease));
        };
        let response = match sent.await {
            Ok(response) => response,
            Err(mut refused) => {
                let handed_back = refused.take_message().is_some();
                let (native, max_head) = (refused.into_error(), self.config.max_head);
                if error::is_connections_end(&native) {
                    lease.link.pulse.ended().await;
                }
                let told = error::before_head(native, handed_back, reused, &lease, max_head);
                return Err(told);
            }
        };
        lease.answered();
        let (head, body) = response.into_parts();
        let head = (head.status, head.version, head.headers);
        let wire = Wire::Shared(Body::new(body, lease, marks));
        self.respond(head, wire, is_head, max_body)
    }
}
