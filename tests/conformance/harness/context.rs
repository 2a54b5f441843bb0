//! What a behaviour works with: fetchers, requests, checks and servers.

use std::error::Error;
use std::fmt::{self, Debug};
use std::net::TcpListener;
use std::pin::pin;
use std::time::{Duration, Instant};

use fetch_all::{
    AttemptEnd, Backoff, ErrorKind, Method, Outcome, Policy, PolicyRules, Request, Settings,
    Timeouts,
};
use fetch_testbed::{Observed, Site};
use futures::StreamExt;
use futures::future::{self, LocalBoxFuture};
use smol::Timer;
use socket2::{Domain, Socket, Type};

use crate::harness::adapter::{AdapterRef, DynFetcher, OutcomeStream, RequestIterator};
use crate::harness::behaviour::CheckResult;

/// Time limit of one check. It is generous, because the machine may be busy.
const CHECK_TIMEOUT: Duration = Duration::from_secs(90);
/// How long to wait for something that the server must see.
const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// What differs from the expectation.
pub(crate) struct Mismatch(pub(crate) String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Mismatch {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Fails unless `got` equals `want`.
pub(crate) fn check_eq<T: Debug + PartialEq<U>, U: Debug>(
    what: &str,
    got: T,
    want: U,
) -> CheckResult {
    if got == want {
        return Ok(());
    }
    Err(Mismatch(format!("{what}: {got:?}, not {want:?}")))
}

/// Fails unless `condition` holds. `what` names the condition, `seen` is what was found.
pub(crate) fn check(what: &str, condition: bool, seen: impl fmt::Display) -> CheckResult {
    if condition {
        return Ok(());
    }
    Err(Mismatch(format!("does not hold: {what}: {seen}")))
}

/// The context of one check: the adapter, and fetchers on it.
pub(crate) struct TestContext {
    pub(crate) adapter: AdapterRef,
}

impl TestContext {
    pub(crate) fn new(adapter: AdapterRef) -> Self {
        Self { adapter }
    }

    /// Runs a check and fails if it takes longer than [`CHECK_TIMEOUT`].
    pub(crate) fn run_with_timeout(
        &self,
        run: for<'a> fn(&'a Self) -> LocalBoxFuture<'a, CheckResult>,
    ) -> LocalBoxFuture<'_, CheckResult> {
        let timeout = async {
            Timer::after(CHECK_TIMEOUT).await;
            Err(Mismatch(format!("timed out after {CHECK_TIMEOUT:?}")))
        };
        Box::pin(first_to_finish(run(self), timeout))
    }

    /// A fetcher with [`test_policy`] and the given changes to its settings.
    pub(crate) fn fetcher(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Box<dyn DynFetcher>, Mismatch> {
        let mut settings = Settings::default();
        settings.update_config(|config| config.rules(PolicyRules::from_policy(test_policy())));
        change(&mut settings);
        Ok((self.adapter.build_fetcher)(settings)?)
    }

    /// A fetcher with this policy.
    pub(crate) fn fetcher_with_policy(
        &self,
        policy: Policy,
    ) -> Result<Box<dyn DynFetcher>, Mismatch> {
        self.fetcher(|settings| {
            settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
        })
    }
}

/// The output of the future that finishes first. If both are ready, that is the first one.
async fn first_to_finish<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> T {
    future::select(pin!(first), pin!(second))
        .await
        .factor_first()
        .0
}

/// Three attempts without delays, and time limits that only a hang reaches.
pub(crate) fn test_policy() -> Policy {
    Policy::default()
        .backoff(Backoff::default().base(Duration::ZERO))
        .timeouts(long_timeouts())
}

/// Time limits that only a hang reaches.
pub(crate) fn long_timeouts() -> Timeouts {
    Timeouts::NONE
        .attempt(Duration::from_secs(60))
        .connect(Duration::from_secs(60))
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn get_request(url: impl Into<String>) -> Result<Request, Mismatch> {
    Ok(Request::get(url)?)
}

pub(crate) fn new_request(method: &str, url: impl Into<String>) -> Result<Request, Mismatch> {
    let method: Method = method.parse()?;
    Ok(Request::new(method, url)?)
}

/// A lazy iterator of GET requests for these URLs.
pub(crate) fn get_requests(urls: impl Iterator<Item = String> + 'static) -> RequestIterator {
    Box::new(urls.map(|url| Request::get(url).expect("the site's URLs are valid")))
}

/// Collects all outcomes, in the order of their requests.
pub(crate) async fn collect_outcomes(outcomes: OutcomeStream) -> Vec<Outcome> {
    let mut all: Vec<Outcome> = outcomes.collect().await;
    all.sort_by_key(|outcome| outcome.tag);
    all
}

/// How a fetch ended: its status, or the short name of its error.
pub(crate) fn outcome_label(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(response) => response.status.as_u16().to_string(),
        Err(error) => error_label(error.kind()),
    }
}

fn error_label(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Fetch(fetch_all::FetchError::TimedOut(limit)) => format!("{limit} timeout"),
        kind => kind.as_str().to_owned(),
    }
}

/// How each attempt ended, as one line.
pub(crate) fn attempt_labels(outcome: &Outcome) -> String {
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

/// Fails unless the status is 200.
pub(crate) fn check_ok(outcome: &Outcome) -> CheckResult {
    check_eq(&outcome.to_string(), outcome_label(outcome), "200")
}

/// Waits until the site has observed what `condition` accepts.
pub(crate) async fn wait_until(
    site: &Site,
    what: &str,
    condition: impl Fn(&Observed) -> bool,
) -> Result<Observed, Mismatch> {
    let began = Instant::now();
    loop {
        let seen = site.observed();
        if condition(&seen) {
            return Ok(seen);
        }
        if began.elapsed() > WAIT_LIMIT {
            return Err(Mismatch(format!(
                "the server did not see {what} in time: {seen:?}"
            )));
        }
        Timer::after(millis(2)).await;
    }
}

/// Polls `work` until `other` has finished, then drops it. Fails if `work` finishes first.
pub(crate) async fn drop_after(
    work: impl Future,
    other: impl Future<Output = Result<Observed, Mismatch>>,
) -> CheckResult {
    let early = async {
        work.await;
        Err(Mismatch("it finished before it was dropped".into()))
    };
    first_to_finish(async { other.await.map(drop) }, early).await
}

/// A URL that refuses connections while the socket exists: the socket occupies the port and does
/// not listen.
pub(crate) fn refused_url() -> Result<(Socket, String), Mismatch> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = socket
        .local_addr()?
        .as_socket()
        .expect("the socket has an IPv4 address");
    Ok((socket, format!("http://{address}/refused")))
}

/// A listener that accepts connections and never answers, and its authority.
pub(crate) fn silent_listener() -> Result<(TcpListener, String), Mismatch> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    Ok((listener, address.to_string()))
}
