//! What a behaviour works with: the adapter, sites, and ways to say what differed.

use std::error::Error;
use std::fmt::{self, Debug};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use fetch_all::{
    AttemptEnd, Backoff, ErrorKind, Method, Outcome, Policy, PolicyRules, Request, Settings,
    Timeouts,
};
use fetch_testbed::{Observed, Site};
use smol::Timer;
use socket2::{Domain, Socket, Type};

use crate::backend::{Backend, Boxed, Client, Outcomes, Requests};
use crate::behaviour::Check;

/// A behaviour that is not over by then hangs. Generous: the machine may be busy.
const HANGS: Duration = Duration::from_secs(90);
/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What differed from what was to be.
pub(crate) struct Difference(pub(crate) String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Difference {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says what differs between `got` and `want`.
pub(crate) fn same<T: Debug + PartialEq<U>, U: Debug>(what: &str, got: T, want: U) -> Check {
    if got == want {
        return Ok(());
    }
    Err(Difference(format!("{what}: {got:?}, not {want:?}")))
}

/// Says that `what` does not hold for what was `seen`.
pub(crate) fn holds(what: &str, condition: bool, seen: impl fmt::Display) -> Check {
    if condition {
        return Ok(());
    }
    Err(Difference(format!("not so: {what}: {seen}")))
}

/// One behaviour's place to work on one adapter.
pub(crate) struct Bench {
    pub(crate) backend: Backend,
}

impl Bench {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend }
    }

    /// The behaviour, ended with an error if it hangs.
    pub(crate) fn guarded(
        &self,
        run: for<'a> fn(&'a Self) -> Boxed<'a, Check>,
    ) -> Boxed<'_, Check> {
        Box::pin(smol::future::or(run(self), async {
            Timer::after(HANGS).await;
            Err(Difference(format!("it hangs: not over after {HANGS:?}")))
        }))
    }

    /// A fetcher with a policy for tests, and changes to its settings.
    pub(crate) fn client(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Box<dyn Client>, Difference> {
        let mut settings = Settings::default();
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy())));
        change(&mut settings);
        Ok((self.backend.client)(settings)?)
    }

    /// A fetcher with this policy.
    pub(crate) fn with(&self, policy: Policy) -> Result<Box<dyn Client>, Difference> {
        self.client(|settings| {
            settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)))
        })
    }
}

/// Three attempts without a wait between them, and so much time that only a hang reaches a limit.
pub(crate) fn policy() -> Policy {
    Policy::default()
        .backoff(Backoff::default().base(Duration::ZERO))
        .timeouts(patient())
}

/// Limits that only a hang reaches.
pub(crate) fn patient() -> Timeouts {
    Timeouts::NONE
        .attempt(Duration::from_secs(60))
        .connect(Duration::from_secs(60))
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn get(url: impl Into<String>) -> Result<Request, Difference> {
    Ok(Request::get(url)?)
}

pub(crate) fn request(method: &str, url: impl Into<String>) -> Result<Request, Difference> {
    let method: Method = method.parse()?;
    Ok(Request::new(method, url)?)
}

/// GETs of these URLs, to be taken one by one.
pub(crate) fn gets(urls: impl Iterator<Item = String> + 'static) -> Requests {
    Box::new(urls.map(|url| Request::get(url).expect("the site's URLs are valid")))
}

/// All outcomes, in the order of their requests.
pub(crate) async fn collect(outcomes: Outcomes) -> Vec<Outcome> {
    let mut all: Vec<Outcome> = smol::stream::StreamExt::collect(outcomes).await;
    all.sort_by_key(|outcome| outcome.tag);
    all
}

/// How a fetch ended: its status, or its error's short name.
pub(crate) fn end(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(response) => response.status.as_u16().to_string(),
        Err(error) => name(error.kind()),
    }
}

fn name(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Fetch(fetch_all::FetchError::TimedOut(limit)) => format!("{limit} timeout"),
        kind => kind.as_str().to_owned(),
    }
}

/// How each attempt ended.
pub(crate) fn ends(outcome: &Outcome) -> String {
    let attempts = outcome.attempts.iter().map(|attempt| match attempt.end {
        AttemptEnd::Responded | AttemptEnd::Redirected => attempt
            .status
            .map_or_else(|| "?".into(), |status| status.to_string()),
        AttemptEnd::Failed(failure) => failure.as_str().to_owned(),
        AttemptEnd::TimedOut(limit) => format!("{limit} timeout"),
        other => format!("{other:?}"),
    });
    attempts.collect::<Vec<_>>().join(", ")
}

/// Demands a 200.
pub(crate) fn fine(outcome: &Outcome) -> Check {
    same(&outcome.to_string(), end(outcome), "200")
}

/// Waits until what the site has seen satisfies a condition.
pub(crate) async fn until(
    site: &Site,
    what: &str,
    condition: impl Fn(&Observed) -> bool,
) -> Result<Observed, Difference> {
    let began = Instant::now();
    loop {
        let seen = site.observed();
        if condition(&seen) {
            return Ok(seen);
        }
        if began.elapsed() > PATIENCE {
            return Err(Difference(format!("the server never saw {what}: {seen:?}")));
        }
        Timer::after(millis(2)).await;
    }
}

/// Polls `work` until `other` is over, and drops it then. It must not end before.
pub(crate) async fn drop_after(
    work: impl Future,
    other: impl Future<Output = Result<Observed, Difference>>,
) -> Check {
    let early = async {
        work.await;
        Err(Difference("it ended before it was dropped".into()))
    };
    smol::future::or(async { other.await.map(drop) }, early).await
}

/// A URL whose connections are refused as long as the socket lives: its port is taken, and nobody
/// listens.
pub(crate) fn refusing() -> Result<(Socket, String), Difference> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = socket
        .local_addr()?
        .as_socket()
        .expect("it is an IPv4 address");
    Ok((socket, format!("http://{address}/refused")))
}

/// An authority where connections are taken and nothing is ever said.
pub(crate) fn silent() -> Result<(TcpListener, String), Difference> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    Ok((listener, address.to_string()))
}
