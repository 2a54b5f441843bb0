//! Collects the settings of a fetcher.

pub(crate) mod build;
#[cfg(feature = "cache")]
mod cache;
mod connections;
mod hooks;
mod limits;
mod policy;
mod route;
mod threads;

use fetch_proto::Quoted;
use std::fmt;
use std::sync::Arc;

use fetch_proto::AuthProfile;
use http::{HeaderName, HeaderValue};

use self::policy::PolicySettings;
use crate::auth::source::CredentialSource;
#[cfg(feature = "cookies")]
use crate::fields::cookies::jar::CookieJar;
use crate::fields::hsts::HstsStore;
use crate::fields::netrc::Netrc;
use crate::settings::Settings;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::settings::transport_override::TransportOverride;
use crate::telemetry::recording::RecordSink;
use crate::transport::Transport;

/// Builds a [`Fetcher`](crate::Fetcher) on the runtime of `A`.
#[must_use = "call `build`"]
pub struct Builder<A> {
    adapter: A,
    errors: Vec<BuildError>,
    policies: PolicySettings,
    record: Option<RecordSink>,
    settings: Settings,
}

impl<A> fmt::Debug for Builder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A recording is not cloned: it has one place, that of the original.
impl<A: Clone> Clone for Builder<A> {
    fn clone(&self) -> Self {
        Self {
            adapter: self.adapter.clone(),
            errors: self.errors.clone(),
            policies: self.policies.clone(),
            record: None,
            settings: self.settings.clone(),
        }
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
            policies: PolicySettings::default(),
            record: None,
            settings: Settings::default(),
        }
    }

    /// Authenticates the requests to which `profile` applies with tokens of `source`, unless they have a
    /// field `Authorization` themselves.
    ///
    /// A token is acquired when the first request needs it: the others wait, without taking a slot. It
    /// is refreshed while it is still valid. If a server refuses it by 401, a new one is acquired and
    /// the request is sent again, once, unless its body can be sent only once. Of several profiles the
    /// first that applies to a URL counts, also after a redirect: a token never leaves its origin.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fetch_driver::{AccessToken, AuthProfile, CredentialError};
    ///
    /// let profile = AuthProfile::new("api").scope("https://api.example/v1".parse()?);
    /// let builder = fetch_smol::Fetcher::builder().auth(profile, || async {
    ///     let token = AccessToken::bearer("t0k3n").map_err(CredentialError::refused)?;
    ///     Ok(token.lifetime(Duration::from_secs(3600)))
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth(mut self, profile: AuthProfile, source: impl CredentialSource) -> Self {
        self.settings.add_credentials(profile, source);
        self
    }

    /// Sets whether cookies are stored and sent back, as browsers do (RFC 6265bis). Default no.
    ///
    /// All fetches share the jar, which exists as long as the fetcher. It holds at most 180 cookies of
    /// each domain and 3,300 in all. If there are more, it evicts 30 of the domain or 300 of all: those
    /// that are not `Secure` first, and among them those that were not sent for the longest time.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().cookies(true);
    /// ```
    #[cfg(feature = "cookies")]
    pub fn cookies(mut self, enabled: bool) -> Self {
        match enabled {
            true => _ = self.settings.cookie_jar.get_or_insert_default(),
            false => self.settings.cookie_jar = None,
        }
        self
    }

    /// Stores cookies in this jar, which can be loaded before and saved to a file afterwards.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let builder = fetch_smol::Fetcher::builder().cookie_jar(jar.clone());
    /// ```
    #[cfg(feature = "cookies")]
    pub fn cookie_jar(mut self, jar: CookieJar) -> Self {
        self.settings.cookie_jar = Some(jar);
        self
    }

    /// Sets whether compressed bodies are requested and decoded. Default yes.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().decode(false);
    /// ```
    pub fn decode(mut self, decode: bool) -> Self {
        self.settings.decode = decode;
        self
    }

    /// Sets a header field of every request. If a name is set twice, the last value is used.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().header("user-agent", "example/1.0 (me@a.test)");
    /// ```
    pub fn header(self, name: &str, value: &str) -> Self {
        self.apply(
            parse_header("header", name, value),
            |settings, (name, value)| {
                settings.headers.insert(name, value);
            },
        )
    }

    /// Reaches the hosts in this store by https only, and adds those whose `Strict-Transport-Security` says
    /// so. Default: none.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().hsts(fetch_driver::HstsStore::new());
    /// ```
    pub fn hsts(mut self, store: HstsStore) -> Self {
        self.settings.hsts = Some(store);
        self
    }

    /// Sends the logins of this file to their hosts, unless a request has a field `Authorization`. Default:
    /// none.
    ///
    /// ```
    /// let (netrc, _) = fetch_driver::Netrc::parse(b"machine a.test login me password secret")?;
    /// let builder = fetch_smol::Fetcher::builder().netrc(netrc);
    /// # Ok::<(), String>(())
    /// ```
    pub fn netrc(mut self, netrc: Netrc) -> Self {
        self.settings.netrc = Some(Arc::new(netrc));
        self
    }

    /// Sets whether compressed bodies are requested where they are decoded. Default yes.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().request_codings(false);
    /// ```
    pub fn request_codings(mut self, requested: bool) -> Self {
        self.settings.request_codings = requested;
        self
    }

    /// Records the inputs of the core, without bodies and secrets, so that `fetch-trace` can replay
    /// them.
    ///
    /// The driver writes the recording in pieces of 32 KiB, so `to` must not block for long. A write
    /// error is logged once and ends the recording; the fetches continue.
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

    /// Sets the seed of all random choices, such as jitter. Default: drawn at each build.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().seed(7);
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets whether GET and HEAD requests for the same URL with the same header fields that are in
    /// flight at the same time are sent once and share the response. Default no.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().share(true);
    /// ```
    pub fn share(mut self, share: bool) -> Self {
        self.settings.share = share;
        self
    }

    /// Changes any setting.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .settings(|settings| settings.tls.insecure = false);
    /// ```
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sends requests through this transport in place of the adapter's HTTP client, whose settings then
    /// cannot be changed: a function ([`transport_fn`](crate::transport_fn)), or with the feature `tower` any
    /// service.
    ///
    /// ```
    /// use fetch_driver::http::{HeaderMap, StatusCode, Version};
    /// use fetch_driver::{IncomingResponse, transport_fn};
    ///
    /// let teapot = transport_fn(|_request, _progress| async {
    ///     let (status, version) = (StatusCode::IM_A_TEAPOT, Version::HTTP_11);
    ///     let body = fetch_smol::stream::empty();
    ///     Ok(IncomingResponse::new(status, version, HeaderMap::new(), body))
    /// });
    /// let fetcher = fetch_smol::Fetcher::builder().transport(teapot).build()?;
    /// assert_eq!(smol::block_on(fetcher.get("http://a.test/"))?.status, 418);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transport<T: Transport + Clone>(self, transport: T) -> Builder<TransportOverride<A, T>> {
        Builder {
            adapter: TransportOverride::new(self.adapter, transport),
            errors: self.errors,
            policies: self.policies,
            record: self.record,
            settings: self.settings,
        }
    }

    /// Applies a valid setting, or stores the error for [`build`](Self::build).
    fn apply<T>(
        mut self,
        parsed: Result<T, BuildError>,
        apply: impl FnOnce(&mut Settings, T),
    ) -> Self {
        match parsed {
            Ok(value) => apply(&mut self.settings, value),
            Err(error) => self.errors.push(error),
        }
        self
    }
}

/// A header field that the builder's method `setting` sets.
fn parse_header(
    setting: &'static str,
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), BuildError> {
    let parsed = HeaderName::try_from(name).map_err(|error| error.to_string());
    let parsed = parsed.and_then(|name| {
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        Ok((name, value))
    });
    parsed.map_err(|error| {
        let name = Quoted(name);
        BuildError::new(setting, format!("{name} is not valid: {error}"))
    })
}
