//! The cache of one driver: makes plans, and keeps the store up to date.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fetch_proto::cache::{
    CacheMode, CacheUse, ForwardReason, WallTime, judge_use, may_replace_error, needs_lookup,
};
use fetch_proto::{
    AuthProfile, EngineConfig, Method, Timestamp, is_secret_field, is_sent_to_other_origins,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use super::flights::Flights;
use super::plan::{AskedRequest, CachePlan, PlanAction};
use super::tasks::{CacheTask, TaskEnd, TaskOwner};
use crate::auth::shared::SharedCredential;
use crate::cache::handle::Cache;
use crate::cache::key::{CacheKey, IdentityBuilder};
use crate::cache::store::StoreAnswer;
use crate::cache::stored::StoredResponse;
use crate::driver::exchange::attempt_set::AttemptSet;
use crate::driver::fetches::job::FetchJob;
use crate::model::request::Request;
use crate::settings::Settings;
use crate::settings::tls::TrustedRoots;
use crate::transport::clock::Clock;
use crate::transport::message::OutgoingRequest;

/// The cache of one driver.
pub(crate) struct CacheRunner {
    pub(super) cache: Cache,
    clock: Clock,
    /// The engine's, by whose rules requests get profiles.
    config: EngineConfig,
    pub(super) flights: Flights,
    lookup_count: u64,
    /// What distinguishes this fetcher from others that share the store.
    identity: IdentityBuilder,
    /// In the order in which they began, which is that of their deadlines.
    lookups: VecDeque<PendingLookup>,
    /// What waits for each task, by its index.
    pub(super) owners: Vec<Option<TaskOwner>>,
    profiles: Vec<AuthProfile>,
    /// Identifies the user of each profile.
    profile_users: Vec<Vec<u8>>,
    /// Jobs that waited for a response, with that response, if it answers them.
    pub(super) released: Vec<(FetchJob, Option<Arc<StoredResponse>>)>,
    pub(super) tasks: AttemptSet<CacheTask>,
    /// The wall clock's time when the driver's clock started.
    unix_start: Duration,
}

/// A lookup that the store has not answered.
struct PendingLookup {
    /// When it is given up.
    at: Timestamp,
    /// Of its task.
    index: usize,
    serial: u64,
}

/// How a request is answered, given what is stored for it.
pub(super) enum Choice {
    /// By the server, as its plan says.
    Server,
    /// By this stored response, and whether that is validated in the background.
    Stored(Arc<StoredResponse>, bool),
    /// Not at all: only a stored response is wanted, and there is none.
    Unavailable,
}

impl CacheRunner {
    pub(crate) fn new(cache: Cache, settings: &Settings, clock: Clock) -> Self {
        let credentials = &settings.credentials;
        let profiles = credentials.iter();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            cache,
            config: settings.config.clone(),
            flights: Flights::default(),
            lookups: VecDeque::new(),
            lookup_count: 0,
            identity: fetcher_identity(settings),
            owners: Vec::new(),
            profiles: profiles
                .map(|credential| credential.profile.clone())
                .collect(),
            profile_users: credentials.iter().map(SharedCredential::identity).collect(),
            released: Vec::new(),
            tasks: AttemptSet::new(),
            unix_start: since_1970
                .unwrap_or_default()
                .saturating_sub(clock.now().since_start()),
            clock,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The wall clock's time. A clock that is set while the driver runs changes nothing.
    pub(super) fn wall(&self) -> WallTime {
        WallTime::from_unix(self.unix_start + self.clock.now().since_start())
    }

    /// The plan to send this request, before anything is looked up.
    pub(super) fn new_plan(&self, request: &OutgoingRequest, asked: AskedRequest<'_>) -> CachePlan {
        let mode = asked.mode.unwrap_or_else(|| self.cache.default_mode());
        let mut fields = request.headers.clone();
        // The profile stands for the token, which changes and may not be known yet.
        if asked.token.is_some() && fields.get(header::AUTHORIZATION) == asked.token {
            Arc::make_mut(&mut fields).remove(header::AUTHORIZATION);
        }
        let (identity, is_stable) = self.identity_of(&fields, asked.profile);
        if asked.profile.is_some() && !fields.contains_key(header::AUTHORIZATION) {
            let value = HeaderValue::from_static("profile");
            Arc::make_mut(&mut fields).insert(header::AUTHORIZATION, value);
        }
        let key = CacheKey::new(&request.url, request.path_as_is.as_ref(), identity);
        let mut plan = CachePlan::forward(key, fields, asked.method, mode, ForwardReason::UriMiss);
        let looked = plan.with_request(needs_lookup);
        plan.may_store = is_stable && asked.is_storable && mode != CacheMode::NoStore;
        let reason = match looked {
            Err(reason) => Some(reason),
            Ok(()) if plan.may_store => None,
            Ok(()) => Some(ForwardReason::Bypass),
        };
        plan.status.forward = reason;
        plan
    }

    /// The profile whose token the request gets, as the engine will choose it.
    pub(crate) fn profile_of(&self, request: &Request) -> Option<u16> {
        if self.profiles.is_empty() {
            return None;
        }
        let of_rules = || {
            self.config
                .policy_for(&request.method, &request.url)
                .clone()
        };
        let policy = request.policy.clone().unwrap_or_else(of_rules);
        let auth = match &request.patch {
            Some(patch) => patch.apply(&policy).auth,
            None => policy.auth.clone(),
        };
        AuthProfile::choose(&self.profiles, &auth, &request.url, true)
    }

    /// Adopts a new configuration of the engine.
    pub(crate) fn configure(&mut self, config: &EngineConfig) {
        self.config = config.clone();
    }

    /// Whether the store is asked about the plan's request.
    pub(super) fn is_looked_up(plan: &CachePlan) -> bool {
        plan.status.forward.is_none()
    }

    /// Who sends a request: credentials as sent, and what distinguishes the fetcher. False if they change
    /// with each request, so that nothing can be stored under them.
    fn identity_of(&self, headers: &HeaderMap, profile: Option<u16>) -> (Arc<[u8]>, bool) {
        let mut identity = self.identity.clone();
        let is_shared = self.cache.core_rules().is_shared();
        let mut is_stable = true;
        let fields = headers.iter().filter(|(name, _)| match **name {
            // RFC 9111 says what a shared cache does with these.
            header::AUTHORIZATION | header::COOKIE => !is_shared,
            header::HOST => true,
            _ => is_secret(name),
        });
        let mut fields: SmallVec<[_; 4]> = fields.collect();
        fields.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in fields {
            is_stable &= *name != header::AUTHORIZATION || !changes_per_request(value);
            identity.add(name.as_str(), value.as_bytes());
        }
        let profile = profile.map(usize::from).filter(|_| !is_shared);
        let profile = profile.filter(|_| !headers.contains_key(header::AUTHORIZATION));
        if let Some(number) = profile
            && let Some(profile) = self.profiles.get(number)
        {
            identity.add("profile", profile.name().as_bytes());
            identity.add("user", &self.profile_users[number]);
        }
        (identity.finish(), is_stable)
    }

    /// Decides about a request, given what is stored for it.
    pub(super) fn choose(&self, plan: &mut CachePlan, stored: &[Arc<StoredResponse>]) -> Choice {
        let (now, rules) = (self.wall(), self.cache.core_rules());
        let heads: Vec<_> = stored.iter().map(|stored| &stored.head).collect();
        let judged = plan.with_request(|request| judge_use(request, &heads, now, rules));
        let on_error = stored.iter().filter(|stored| {
            plan.with_request(|request| may_replace_error(request, &stored.head, None, now, rules))
        });
        plan.on_error = on_error
            .max_by_key(|stored| stored.head.received())
            .cloned();
        match judged {
            CacheUse::Serve {
                index,
                ttl,
                revalidate,
                ..
            } => {
                plan.status.forward = None;
                plan.status.ttl = Some(ttl);
                Choice::Stored(stored[index].clone(), revalidate)
            }
            CacheUse::Validate {
                index,
                if_none_match,
                if_modified_since,
                reason,
            } => {
                let value = |text: Option<Box<str>>| {
                    // Latin-1, as header fields are.
                    let text = text?;
                    let bytes = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?'));
                    HeaderValue::from_bytes(&bytes.collect::<Vec<_>>()).ok()
                };
                plan.status.forward = Some(reason);
                plan.action = PlanAction::Validate {
                    if_modified_since: value(if_modified_since),
                    if_none_match: value(if_none_match),
                    stored: stored[index].clone(),
                };
                Choice::Server
            }
            CacheUse::Forward(reason) => {
                plan.status.forward = Some(reason);
                Choice::Server
            }
            CacheUse::Unavailable(reason) => {
                plan.status.forward = Some(reason);
                plan.status.detail = Some("only-if-cached");
                Choice::Unavailable
            }
        }
    }

    /// The plan to validate a stale response that was used.
    pub(super) fn validation(&self, plan: &CachePlan, stored: &Arc<StoredResponse>) -> CachePlan {
        let (key, fields) = (plan.key.clone(), plan.fields.clone());
        let (method, mode) = (&Method::Get, CacheMode::NoCache);
        let mut validation = CachePlan::forward(key, fields, method, mode, ForwardReason::Stale);
        let stored = [stored.clone()];
        // Without a validator, the response is fetched again.
        let _ = self.choose(&mut validation, &stored);
        validation.mode = plan.mode;
        validation
    }

    /// Stores a response.
    pub(super) fn put(&mut self, key: &CacheKey, response: Arc<StoredResponse>) {
        let (rules, keep) = (self.cache.core_rules(), self.cache.keep_time());
        let keep = response.head.keep_for(rules, keep, self.wall());
        let answer = self.cache.store().put(key, response, keep);
        self.await_write(answer);
    }

    /// Removes what is stored for a URL.
    pub(super) fn remove(&mut self, url: &str) {
        let answer = self.cache.store().remove(url);
        self.await_write(answer);
    }

    fn await_write(&mut self, answer: StoreAnswer<()>) {
        if let StoreAnswer::Pending(answer) = answer {
            let task = CacheTask(Box::pin(async { TaskEnd::Written(answer.await) }));
            self.add_task(task, TaskOwner::Write);
        }
    }

    /// Adds a lookup, which has a deadline.
    pub(super) fn add_lookup(&mut self, task: CacheTask, job: FetchJob) {
        self.lookup_count += 1;
        let serial = self.lookup_count;
        let index = self.add_task(task, TaskOwner::Look { job, serial });
        let at = self.now() + self.cache.longest_lookup();
        self.lookups.push_back(PendingLookup { at, index, serial });
    }

    /// When the next lookup takes too long.
    pub(super) fn next_deadline(&mut self) -> Option<Timestamp> {
        loop {
            let next = self.lookups.front()?;
            let owner = self.owners.get(next.index).and_then(Option::as_ref);
            let waits = |owner: &TaskOwner| matches!(owner, TaskOwner::Look { serial, .. } if *serial == next.serial);
            if owner.is_some_and(waits) {
                return Some(next.at);
            }
            self.lookups.pop_front();
        }
    }

    /// Gives up the lookup with the next deadline.
    pub(super) fn give_up_lookup(&mut self) -> Option<FetchJob> {
        let index = self.lookups.pop_front()?.index;
        self.tasks.remove(index);
        self.cache.count_error();
        match self.owners[index].take()? {
            TaskOwner::Look { job, .. } => Some(job),
            TaskOwner::Save { .. } | TaskOwner::Write => None,
        }
    }

    pub(super) fn add_task(&mut self, task: CacheTask, owner: TaskOwner) -> usize {
        let index = self.tasks.insert(task);
        if self.owners.len() <= index {
            self.owners.resize_with(index + 1, || None);
        }
        self.owners[index] = Some(owner);
        index
    }

    /// Ends the flight that the plan's request leads, if nobody is to wait for it.
    pub(super) fn release(&mut self, plan: &CachePlan) {
        if plan.leads {
            let released = self.flights.end(&plan.key);
            self.released
                .extend(released.into_iter().map(|job| (job, None)));
        }
    }

    /// Whether a job waits here.
    pub(crate) fn has_jobs(&self) -> bool {
        let mut owners = self.owners.iter().flatten();
        !self.released.is_empty()
            || owners.any(|owner| !matches!(owner, TaskOwner::Write))
            || self.flights.has_waiting()
    }
}

/// Whether a field may have a secret as its value. Most names are known to have none.
fn is_secret(name: &HeaderName) -> bool {
    !is_sent_to_other_origins(name.as_str()) && is_secret_field(name.as_str())
}

/// Whether a value of `Authorization` is made for one request only.
fn changes_per_request(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
    let scheme = scheme.unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"digest") || scheme.to_ascii_lowercase().starts_with(b"aws4-")
}

/// What distinguishes a fetcher from others that share a store: how far servers are trusted, which they
/// are, and as whom it connects.
fn fetcher_identity(settings: &Settings) -> IdentityBuilder {
    let (tls, route) = (&settings.tls, &settings.route);
    let mut identity = IdentityBuilder::default();
    if tls.insecure {
        identity.add("insecure", b"");
    }
    // The system's authorities and the built-in ones are equally public.
    if tls.trusted_roots == TrustedRoots::None {
        identity.add("roots", b"");
    }
    if let Some(config) = &tls.client_config {
        identity.add("tls", &config.serial().to_le_bytes());
    }
    // What hooks authorize is not stored.
    if !settings.hooks.before_attempt.is_empty() {
        identity.add("hooks", b"");
    }
    if !settings.decode {
        identity.add("coded", b"");
    }
    for certificate in &tls.ca_certificates {
        identity.add("ca", certificate);
    }
    for key in &tls.pinned_keys {
        identity.add("pin", key);
    }
    if let Some(client) = &tls.client_certificate {
        identity.add("client", &client.cert_pem);
    }
    let defaults = crate::settings::route::RouteSettings::default();
    let (shown, default) = (format!("{route:?}"), format!("{defaults:?}"));
    if shown != default {
        identity.add("route", shown.as_bytes());
    }
    route
        .proxy
        .add_identity(&mut |credentials| identity.add("proxy", credentials));
    let headers: &HeaderMap = &route.proxy_headers;
    for (name, value) in headers {
        identity.add(name.as_str(), value.as_bytes());
    }
    identity
}
