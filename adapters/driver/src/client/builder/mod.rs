//! From settings, one by one, to a running fetcher.

mod build;
mod route;
mod threads;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use fetch_proto::{Backoff, Pattern, Policy, Rate, Rules};
use http::{HeaderName, HeaderValue};

use crate::client::fetcher::Fetcher;
use crate::driver::recording::Record;
use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::{Outcome, Response};
use crate::settings::Settings;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::settings::tls::{Http2, Identity};

/// Builds a [`Fetcher`](crate::Fetcher) on the runtime of `A`.
#[must_use = "call `build`"]
pub struct Builder<A> {
    adapter: A,
    pub(crate) errors: Vec<BuildError>,
    policy: Option<Policy>,
    record: Option<Record>,
    pub(crate) settings: Settings,
    timeouts: Vec<(Pattern, Duration)>,
}

impl<A> fmt::Debug for Builder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<A: Adapter + Default> Fetcher<A> {
    /// A builder with the defaults.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().concurrency(10).build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use = "call `build`"]
    pub fn builder() -> Builder<A> {
        Builder::new(A::default())
    }
}

impl<A: Adapter> Builder<A> {
    /// Starts from the defaults, on this adapter.
    ///
    /// ```
    /// let builder = fetch_driver::Builder::new(fetch_smol::Smol::default());
    /// ```
    pub fn new(adapter: A) -> Self {
        Self {
            adapter,
            errors: Vec::new(),
            policy: None,
            record: None,
            settings: Settings::default(),
            timeouts: Vec::new(),
        }
    }

    /// Trusts the CA certificates in this PEM text besides the built-in ones.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::builder().tls(fetch_testbed::Certificate::Good).start()?;
    /// let fetcher = fetch_smol::Fetcher::builder().ca_certificate(site.ca_pem().unwrap()).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.settings.ca_certificates.push(pem.into());
        self
    }

    /// Shows this certificate, with the key that belongs to it, to servers that ask for one. Both are
    /// PEM text: see [`Identity`].
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().client_certificate("no PEM", "no key");
    /// let error = builder.build().unwrap_err();
    /// assert!(error.to_string().starts_with("client_certificate: "));
    /// ```
    pub fn client_certificate(
        mut self,
        cert_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.settings.client_certificate = Some(Identity {
            cert_pem: cert_pem.into(),
            key_pem: key_pem.into(),
        });
        self
    }

    /// Sets how many attempts may be in flight at once. Default 100; 0 is an error.
    ///
    /// ```
    /// assert!(fetch_smol::Fetcher::builder().concurrency(500).build().is_ok());
    /// assert!(fetch_smol::Fetcher::builder().concurrency(0).build().is_err());
    /// ```
    pub fn concurrency(mut self, attempts: usize) -> Self {
        if attempts == 0 {
            self.errors.push(BuildError::new(
                "concurrency",
                "0 would fetch nothing: use 1 or more",
            ));
        }
        self.settings.concurrency = attempts;
        self
    }

    /// Sets the engine's whole configuration: limits, rates and rules, and with them breakers,
    /// budgets, learned limits, targets. What is set after it wins.
    ///
    /// ```
    /// use fetch_proto::{Breaker, Config, RetryBudget};
    ///
    /// let config = Config::default().breaker(Breaker::default()).host_budget(RetryBudget::default());
    /// let fetcher = fetch_smol::Fetcher::builder().config(config).build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn config(mut self, config: fetch_proto::Config) -> Self {
        self.settings.adopt(config);
        self
    }

    /// Accepts any TLS certificate, which makes TLS worthless against an attacker. Default no.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().danger_accept_invalid_certs(true);
    /// ```
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.settings.insecure = accept;
        self
    }

    /// Sets whether compressed bodies are asked for and decoded. Default yes.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().decode(false);
    /// ```
    pub fn decode(mut self, decode: bool) -> Self {
        self.settings.decode = decode;
        self
    }

    /// Sets how long DNS answers are kept. Default 300 s.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().dns_ttl(std::time::Duration::from_secs(60));
    /// ```
    pub fn dns_ttl(mut self, ttl: Duration) -> Self {
        self.settings.dns_ttl = ttl;
        self
    }

    /// Sets what to answer with where a policy's [`Fallback`](fetch_proto::Fallback) asks for a value
    /// and no earlier response is kept ([`stale`](Self::stale)).
    ///
    /// ```
    /// use fetch_driver::Response;
    /// use http::StatusCode;
    ///
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .fallback_value(|outcome| Some(Response::new(StatusCode::OK, "[]")));
    /// ```
    pub fn fallback_value(
        mut self,
        answer: impl Fn(&Outcome) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        self.settings.fallback_value = Some(FallbackValue::new(answer));
        self
    }

    /// Sets a header field of every request. A name that is set twice has the last value.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().header("user-agent", "example/1.0 (me@a.test)");
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed = HeaderName::try_from(name).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|name| {
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            Ok((name, value))
        });
        match parsed {
            Ok((name, value)) => {
                self.settings.headers.insert(name, value);
            }
            Err(why) => {
                self.errors.push(BuildError::new(
                    "header",
                    format!("{name:?} is not valid: {why}"),
                ));
            }
        }
        self
    }

    /// Sets how fast attempts at one host may begin. Default: no limit.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().host_rate("5/s".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn host_rate(mut self, rate: Rate) -> Self {
        self.settings.host_rate = Some(rate);
        self
    }

    /// Sets when HTTP/2 is spoken. Default [`Http2::Auto`]: where client and server agree on it.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().http2(fetch_driver::Http2::Off);
    /// ```
    pub fn http2(mut self, http2: Http2) -> Self {
        self.settings.http2 = http2;
        self
    }

    /// Sets how long an idle connection is kept. Default 90 s.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().idle_timeout(std::time::Duration::from_secs(10));
    /// ```
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.settings.idle_timeout = idle;
        self
    }

    /// Sets the most connections in all, idle ones included, of all threads together. Default 2 × the
    /// concurrency, but no less than 1,024 (if the process may have twice as many files open), so that in
    /// a list of many hosts each finds its connection again.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().concurrency(50).max_connections(50);
    /// ```
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = Some(connections);
        self
    }

    /// Sets how many attempts may be in flight at once at one host. Default: no limit of its own.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().per_host(4);
    /// ```
    pub fn per_host(mut self, attempts: usize) -> Self {
        self.settings.per_host = Some(attempts);
        self
    }

    /// Sets the policy that the rules start from. Default [`Policy::default`]. With rules of your
    /// own, set it in them.
    ///
    /// ```
    /// use fetch_driver::Policy;
    /// let builder = fetch_smol::Fetcher::builder().policy(Policy::default().attempts(5));
    /// ```
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the wait before retries: see [`Policy::backoff`].
    ///
    /// ```
    /// use fetch_driver::Backoff;
    /// let builder = fetch_smol::Fetcher::builder().backoff(Backoff::default().jitter(None));
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy = Some(self.policy.unwrap_or_default().backoff(backoff));
        self
    }

    /// Sets how fast attempts may begin over all hosts. Default: no limit.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().rate("50/s".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate(mut self, rate: Rate) -> Self {
        self.settings.rate = Some(rate);
        self
    }

    /// Records what the core sees, without bodies and secrets, so that `fetch-trace` can replay it.
    ///
    /// It is written from the driver's own loop, in pieces of 32 KiB, so `to` must not block for
    /// long. If it fails, that is logged once and the recording ends; the fetches go on.
    ///
    /// ```
    /// let file = tempfile::tempfile()?;
    /// let fetcher = fetch_smol::Fetcher::builder().record(file).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "record")]
    pub fn record(mut self, to: impl std::io::Write + Send + 'static) -> Self {
        self.record = Some(Box::new(to));
        self
    }

    /// Uses these addresses for a host name and port instead of asking DNS.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().resolve("a.test", 80, ["127.0.0.1".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(
        mut self,
        host: &str,
        port: u16,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        self.settings
            .resolve
            .push((host.to_owned(), port, addresses.into_iter().collect()));
        self
    }

    /// Sets the rules that choose each request's policy. Default [`Rules::default`].
    ///
    /// ```
    /// use fetch_driver::{Policy, Rules};
    /// let builder = fetch_smol::Fetcher::builder().rules(Rules::only(Policy::default()));
    /// ```
    pub fn rules(mut self, rules: Rules) -> Self {
        self.settings.rules = rules;
        self
    }

    /// Draws all chance, such as jitter, from this seed. Default: another at each build.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().seed(7);
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets how many threads fetch, each with an engine and connections of its own. Default 1.
    ///
    /// Hosts are divided among them, and a redirect to another's host goes over to its thread, so that
    /// the limits of a host are as exact as with one; the concurrency is one for all, and goes where it
    /// is needed. Hosts that targets are served from are all on one thread. With a rate or a budget over
    /// all hosts, a rule that has a rate, or a recording, one thread does all the work, whatever is set.
    /// [`max_connections`](Self::max_connections) is one bound for all, too: where there is no room, a
    /// thread that has more than its equal part gives way to one that waits and has less.
    ///
    /// Not every adapter can do it: smol on its global executor, and tokio.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let urls = [site.url("/get"), site.url("/status/404")];
    /// use fetch_smol::{Fetcher, StreamExt};
    ///
    /// let fetcher = Fetcher::builder().threads(2).build()?;
    /// let outcomes = smol::block_on(fetcher.fetch_all(urls).collect::<Vec<_>>());
    /// assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        if threads == 0 {
            self.errors
                .push(BuildError::new("threads", "there must be at least one"));
        }
        self.settings.threads = threads;
        self
    }

    /// Limits each attempt at URLs that match `pattern` to `limit`. The first pattern that matches
    /// counts, and those that are added come before the rules' own.
    ///
    /// The pattern is a substring, or `glob:…`, `regex:…` or `host:…`: see [`Pattern::parse`].
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .timeout("/reports/", Duration::from_secs(30))
    ///     .timeout("host:slow.test", Duration::from_secs(60));
    /// ```
    pub fn timeout(mut self, pattern: &str, limit: Duration) -> Self {
        match Pattern::parse(pattern) {
            Ok(pattern) => self.timeouts.push((pattern, limit)),
            Err(error) => self
                .errors
                .push(BuildError::new("timeout", error.to_string())),
        }
        self
    }

    /// Sets whether GET and HEAD requests for the same URL with the same header fields, at the same
    /// time, are one request whose response all get. Default no.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().share(true);
    /// ```
    pub fn share(mut self, share: bool) -> Self {
        self.settings.share = share;
        self
    }

    /// Keeps this many good responses to GET, the latest used, to answer with where a policy's
    /// [`Fallback`](fetch_proto::Fallback) asks for a value. Default 0.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().stale(1000);
    /// ```
    pub fn stale(mut self, responses: usize) -> Self {
        self.settings.stale = responses;
        self
    }

    /// Sets how many outcomes may wait for the consumer before no more attempts are started.
    /// Default: as many as the concurrency.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().undelivered(10);
    /// ```
    pub fn undelivered(mut self, outcomes: usize) -> Self {
        self.settings.undelivered = Some(outcomes);
        self
    }

    /// Sets how many fetches may be live at once: queued, in flight, or waiting for a retry. It
    /// bounds the memory. Default 4 × the concurrency, at least 10,000.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().window(100_000);
    /// ```
    pub fn window(mut self, fetches: usize) -> Self {
        self.settings.window = Some(fetches);
        self
    }

    /// Changes any setting.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().settings(|settings| settings.insecure = false);
    /// ```
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}
