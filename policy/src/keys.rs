//! The keys of a policy file, as serde reads them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fetch_proto::{FailureKind, OverCap, RetryClass};
use serde::Deserialize;
use url::Url;

use crate::tables::{Breaker, Budget, CacheKeys, Limits, Shed, Target, Throttle};
use crate::values::{DurationText, Percent, RateText, TimeLimit, table};

/// All keys of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileKeys {
    pub(crate) auth: BTreeMap<String, Auth>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) budget: Option<Budget>,
    pub(crate) cache: Option<CacheKeys>,
    pub(crate) default: Policy,
    pub(crate) host_budget: Option<Budget>,
    pub(crate) limits: Limits,
    pub(crate) rule: Vec<Policy>,
    pub(crate) shed: Option<Shed>,
    pub(crate) target: Vec<Target>,
    pub(crate) throttle: Option<Throttle>,
}

table! {
    /// Changes to a policy and, in a rule, the URLs that it applies to. One table for both, because
    /// serde refuses unknown keys only in structs without flattened fields.
    Policy {
        attempts: u16,
        auth: String,
        backoff: Backoff,
        chaos: Vec<Chaos>,
        classes: BTreeMap<String, RetryClass>,
        drain: u64,
        fallback: Fallback,
        hedge: Hedge,
        max_body: u64,
        methods: Vec<String>,
        #[serde(rename = "match")]
        pattern: String,
        rate: RateText,
        redirects: Redirects,
        retry_after: RetryAfter,
        retry_non_idempotent: bool,
        retry_statuses: Vec<u16>,
        stall: Stall,
        timeouts: Timeouts,
        useful: DurationText,
    }
}

table! {
    /// A profile of authentication of any kind, with the keys of all kinds: an enum would lose the
    /// position of an error in serde.
    Auth {
        access_key: String,
        audience: String,
        client_id: String,
        client_secret: String,
        credentials: String,
        issuer: String,
        key: String,
        key_id: String,
        kind: AuthKindName,
        origins: Vec<String>,
        password: String,
        refresh_token: String,
        region: String,
        scope: String,
        secret_key: String,
        service: String,
        session_token: String,
        style: ClientStyle,
        subject: String,
        token: String,
        token_cache: PathBuf,
        token_url: String,
        username: String,
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthKindName {
    Basic,
    Bearer,
    ClientCredentials,
    Digest,
    JwtBearer,
    RefreshToken,
    #[serde(rename = "sigv4")]
    SigV4,
}

/// How a client shows the token server who it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientStyle {
    Basic,
    Post,
    PrivateKeyJwt,
}

impl AuthKindName {
    pub(crate) const ALL: [Self; 7] = [
        Self::Basic,
        Self::Bearer,
        Self::ClientCredentials,
        Self::Digest,
        Self::JwtBearer,
        Self::RefreshToken,
        Self::SigV4,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::ClientCredentials => "client_credentials",
            Self::Digest => "digest",
            Self::JwtBearer => "jwt_bearer",
            Self::RefreshToken => "refresh_token",
            Self::SigV4 => "sigv4",
        }
    }

    /// The keys that a profile of this kind may have.
    pub(crate) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Basic | Self::Digest => &["kind", "origins", "username", "password"],
            Self::Bearer => &["kind", "origins", "token"],
            Self::ClientCredentials => &[
                "kind",
                "origins",
                "token_url",
                "client_id",
                "client_secret",
                "style",
                "key",
                "key_id",
                "audience",
                "scope",
                "token_cache",
            ],
            Self::JwtBearer => &[
                "kind",
                "origins",
                "token_url",
                "key",
                "key_id",
                "issuer",
                "subject",
                "audience",
                "client_id",
                "client_secret",
                "style",
                "scope",
                "token_cache",
            ],
            Self::SigV4 => &[
                "kind",
                "origins",
                "region",
                "service",
                "access_key",
                "secret_key",
                "session_token",
                "credentials",
            ],
            Self::RefreshToken => &[
                "kind",
                "origins",
                "token_url",
                "refresh_token",
                "client_id",
                "client_secret",
                "style",
                "key",
                "key_id",
                "audience",
                "scope",
                "token_cache",
            ],
        }
    }
}

impl Auth {
    /// The keys that are set.
    pub(crate) fn given_keys(&self) -> Vec<&'static str> {
        let Self {
            access_key,
            audience,
            client_id,
            client_secret,
            credentials,
            issuer,
            key,
            key_id,
            kind,
            origins,
            password,
            refresh_token,
            region,
            scope,
            secret_key,
            service,
            session_token,
            style,
            subject,
            token,
            token_cache,
            token_url,
            username,
        } = self;
        let all = [
            ("access_key", access_key.is_some()),
            ("audience", audience.is_some()),
            ("client_id", client_id.is_some()),
            ("client_secret", client_secret.is_some()),
            ("credentials", credentials.is_some()),
            ("issuer", issuer.is_some()),
            ("key", key.is_some()),
            ("key_id", key_id.is_some()),
            ("kind", kind.is_some()),
            ("origins", origins.is_some()),
            ("password", password.is_some()),
            ("refresh_token", refresh_token.is_some()),
            ("region", region.is_some()),
            ("scope", scope.is_some()),
            ("secret_key", secret_key.is_some()),
            ("service", service.is_some()),
            ("session_token", session_token.is_some()),
            ("style", style.is_some()),
            ("subject", subject.is_some()),
            ("token", token.is_some()),
            ("token_cache", token_cache.is_some()),
            ("token_url", token_url.is_some()),
            ("username", username.is_some()),
        ];
        let given = all.into_iter().filter(|(_, is_set)| *is_set);
        given.map(|(key, _)| key).collect()
    }
}

table! {
    Backoff {
        base: DurationText,
        cap: DurationText,
        factor: u32,
        jitter: Jitter,
        step: DurationText,
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Jitter {
    Decorrelated,
    Equal,
    Full,
    None,
    Smooth,
}

table! {
    Timeouts {
        attempt: TimeLimit,
        connect: TimeLimit,
        first_byte: TimeLimit,
        hook: TimeLimit,
        idle_read: TimeLimit,
        queue: TimeLimit,
        total: TimeLimit,
    }
}

table! { RetryAfter { cap: DurationText, over: OverCap, } }
table! {
    Redirects {
        downgrade: bool,
        follow: bool,
        https_only: bool,
        keep_post: Vec<u16>,
        max: u16,
        trusted: bool,
    }
}
table! { Stall { grace: DurationText, min_bytes_per_second: u64, window: DurationText, } }
table! { Fallback { url: Url, value: bool, } }
table! {
    Hedge {
        after: DurationText,
        fallback: DurationText,
        max: u8,
        min: DurationText,
        on_failure: bool,
        percentile: Percent,
    }
}

/// An injected fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chaos {
    pub(crate) fault: FaultKind,
    pub(crate) percent: Percent,
    pub(crate) bytes: Option<u64>,
    pub(crate) by: Option<DurationText>,
    pub(crate) failure: Option<String>,
    pub(crate) max: Option<DurationText>,
    pub(crate) min: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    ClockJump,
    Error,
    Latency,
    Reset,
    Stall,
    Truncate,
}

/// The failure with this name. Records and metrics use the same names.
pub(crate) fn parse_failure(name: &str) -> Option<FailureKind> {
    let all = [
        FailureKind::Connect,
        FailureKind::Decode,
        FailureKind::Dropped,
        FailureKind::EmptyReply,
        FailureKind::Io,
        FailureKind::Protocol,
        FailureKind::Resolve,
        FailureKind::Tls,
        FailureKind::Unanswered,
        FailureKind::UnknownHost,
    ];
    all.into_iter().find(|failure| failure.as_str() == name)
}
