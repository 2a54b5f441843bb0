//! Name lookups: few at once, each name once, remembered for a while.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use hashbrown::HashMap;

/// The most lookups at the same time.
const WORKERS: usize = 32;
/// How long a failure is remembered, unless successes are remembered for less.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
/// The most names remembered.
const NAMES: usize = 16 * 1024;

/// Finds a name's addresses. It may block: it is called on a pool of threads made for that.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// #[derive(Debug)]
/// struct Always(IpAddr);
///
/// impl fetch_http::Resolve for Always {
///     fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
///         Ok(vec![self.0])
///     }
/// }
///
/// let config = fetch_http::Config::new().resolver(Always(Ipv4Addr::LOCALHOST.into()));
/// ```
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`, best first.
    ///
    /// # Errors
    ///
    /// Why there is none. The error is remembered for some seconds.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, `getaddrinfo`: the default.
///
/// ```
/// use fetch_http::{Resolve, SystemResolver};
/// assert!(SystemResolver.resolve("127.0.0.1")?[0].is_loopback());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut addrs = Vec::new();
        for addr in (host, 0).to_socket_addrs()? {
            if !addrs.contains(&addr.ip()) {
                addrs.push(addr.ip());
            }
        }
        Ok(addrs)
    }
}

type Answer = Result<Arc<[IpAddr]>, Arc<io::Error>>;

/// A cache before a resolver. Concurrent lookups of one name share one question.
pub(crate) struct Dns {
    resolver: Arc<dyn Resolve>,
    state: Mutex<State>,
    ttl: Duration,
}

#[derive(Default)]
struct State {
    names: HashMap<Arc<str>, Name>,
    /// The remembered names, those to be forgotten first in front.
    order: VecDeque<Arc<str>>,
    queue: VecDeque<Arc<str>>,
    workers: usize,
}

enum Name {
    Asking(Arc<Flight>),
    Known {
        answer: Answer,
        until: Instant,
        used: bool,
    },
}

/// One question on its way, for all who wait for its answer.
#[derive(Default)]
struct Flight {
    answer: Mutex<Option<Answer>>,
    done: Event,
}

impl Dns {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, ttl: Duration) -> Self {
        Self {
            resolver,
            state: Mutex::default(),
            ttl,
        }
    }

    /// The addresses of `host`; never an empty list.
    pub(crate) async fn lookup(self: &Arc<Self>, host: &str) -> Answer {
        let flight = match self.recall_or_ask(host) {
            Ok(answer) => return answer,
            Err(flight) => flight,
        };
        loop {
            if let Some(answer) = lock(&flight.answer).clone() {
                return answer;
            }
            let done = flight.done.listen();
            if let Some(answer) = lock(&flight.answer).clone() {
                return answer;
            }
            done.await;
        }
    }

    fn recall_or_ask(self: &Arc<Self>, host: &str) -> Result<Answer, Arc<Flight>> {
        let mut state = lock(&self.state);
        match state.names.get_mut(host) {
            Some(Name::Asking(flight)) => return Err(flight.clone()),
            Some(Name::Known {
                answer,
                until,
                used,
            }) if Instant::now() < *until => {
                *used = true;
                return Ok(answer.clone());
            }
            _ => {}
        }
        let flight = Arc::new(Flight::default());
        let host: Arc<str> = host.into();
        state
            .names
            .insert(host.clone(), Name::Asking(flight.clone()));
        state.queue.push_back(host);
        if state.workers < WORKERS {
            state.workers += 1;
            let this = self.clone();
            // Detached: whoever asked first may give up without harm to the others.
            blocking::unblock(move || this.work()).detach();
        }
        Err(flight)
    }

    /// Answers queued questions, on a thread that may block, until there are none.
    fn work(&self) {
        while let Some((host, flight)) = self.next_question() {
            // A panic of the resolver must not leave its askers waiting.
            let asked = std::panic::AssertUnwindSafe(|| self.resolver.resolve(&host));
            let answer = match std::panic::catch_unwind(asked) {
                Ok(Ok(addrs)) if addrs.is_empty() => Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "the name has no address",
                )),
                Ok(answer) => answer,
                Err(_) => Err(io::Error::other("the resolver panicked")),
            };
            let answer = answer.map(Arc::from).map_err(Arc::new);
            self.remember(host, answer.clone());
            *lock(&flight.answer) = Some(answer);
            flight.done.notify(usize::MAX);
        }
    }

    fn next_question(&self) -> Option<(Arc<str>, Arc<Flight>)> {
        let mut state = lock(&self.state);
        while let Some(host) = state.queue.pop_front() {
            if let Some(Name::Asking(flight)) = state.names.get(&host) {
                if Arc::strong_count(flight) > 1 {
                    return Some((host, flight.clone()));
                }
                // All who asked have given up.
                state.names.remove(&host);
            }
        }
        state.workers -= 1;
        None
    }

    fn remember(&self, host: Arc<str>, answer: Answer) {
        let ttl = if answer.is_ok() {
            self.ttl
        } else {
            NEGATIVE_TTL.min(self.ttl)
        };
        let mut state = lock(&self.state);
        if ttl.is_zero() {
            state.names.remove(&host);
            return;
        }
        let known = Name::Known {
            answer,
            until: Instant::now() + ttl,
            used: false,
        };
        state.names.insert(host.clone(), known);
        state.order.push_back(host);
        state.forget_some();
    }
}

impl State {
    /// Forgets what was not used since its last turn, until there is room.
    fn forget_some(&mut self) {
        let mut spared = 0;
        while self.order.len() > NAMES
            && let Some(host) = self.order.pop_front()
        {
            match self.names.get_mut(&host) {
                Some(Name::Known { used, .. }) if *used && spared < NAMES => {
                    *used = false;
                    spared += 1;
                    self.order.push_back(host);
                }
                Some(Name::Known { .. }) => drop(self.names.remove(&host)),
                _ => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_those_in_use_stay() {
        let dns = Arc::new(Dns::new(Arc::new(SystemResolver), Duration::from_secs(300)));
        let answer: Answer = Ok(Arc::from([IpAddr::from([127, 0, 0, 1])]));
        for n in 0..NAMES {
            dns.remember(format!("n{n}").into(), answer.clone());
        }
        assert!(dns.recall_or_ask("n0").is_ok());
        dns.remember("one more".into(), answer);
        let state = lock(&dns.state);
        assert_eq!((state.names.len(), state.order.len()), (NAMES, NAMES));
        assert!(state.names.contains_key("n0") && state.names.contains_key("one more"));
        assert!(!state.names.contains_key("n1"));
    }
}
