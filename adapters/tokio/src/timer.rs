//! The driver's timer on tokio.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer on tokio's clock, which is allocated once and then reset.
///
/// ```
/// use std::time::Instant;
/// use fetch_driver::Timer as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut timer = fetch_tokio::TokioTimer::default();
/// timer.set(Some(Instant::now()));
/// std::future::poll_fn(|cx| timer.poll_fired(cx)).await;
/// # }
/// ```
#[derive(Debug, Default)]
pub struct TokioTimer {
    armed: bool,
    /// Created at first use, because that needs a runtime.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl fetch_driver::Timer for TokioTimer {
    fn set(&mut self, at: Option<Instant>) {
        self.armed = at.is_some();
        let Some(at) = at.map(tokio::time::Instant::from_std) else {
            return;
        };
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) if self.armed => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }

    /// A task that wakes itself keeps the runtime from its sockets for up to 61 polls. This wake comes
    /// after the runtime has looked for events.
    fn yield_now(&mut self, cx: &mut Context<'_>) {
        let is_pending = pin!(tokio::task::yield_now()).poll(cx).is_pending();
        debug_assert!(is_pending);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::task::Poll;

    use super::TokioTimer;
    use fetch_driver::Timer as _;

    async fn yield_once(timer: &mut TokioTimer) {
        let mut has_yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            timer.yield_now(cx);
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn sockets_are_read_while_a_task_yields_again_and_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (client, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        let client = tokio::net::TcpStream::from_std(client).unwrap();
        let reader = tokio::spawn(async move { client.readable().await.unwrap() });
        let mut timer = TokioTimer::default();
        yield_once(&mut timer).await;
        server.write_all(b"x").unwrap();
        let mut yields = 0;
        while !reader.is_finished() {
            yield_once(&mut timer).await;
            yields += 1;
        }
        assert!(yields < 20, "{yields}");
    }
}
