//! One attempt in flight, and what it returns.

use std::sync::Arc;

#[cfg(feature = "cache")]
use fetch_proto::cache::CacheStatus;
use fetch_proto::{AttemptId, ResumePoint};

#[cfg(feature = "cache")]
use crate::driver::cache::plan::AttemptCache;
use crate::driver::exchange::{BodyChunks, ResponseParts};
use crate::driver::permits::AttemptPermit;
use crate::model::error::ErrorSource;
use crate::model::save::SaveReceipt;
use crate::telemetry::tracing::FetchSpan;
use crate::transport::connection::ConnectionInfo;
use crate::transport::failure_reason::FailureReason;
use crate::transport::progress::{AttemptProgress, PhaseTimes, ReportedPhases};

/// An attempt in flight.
pub(crate) struct InFlightAttempt {
    /// Whether what its server says about authentication is for its profile, which may be a login.
    pub(crate) answers_challenges: bool,
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<Box<AttemptCache>>,
    /// The URL whose cookies are sent and stored, if there is a jar.
    #[cfg(feature = "cookies")]
    pub(crate) cookie_url: Option<Arc<url::Url>>,
    pub(crate) id: AttemptId,
    /// Whether its response redirects and is kept.
    pub(crate) is_redirect: bool,
    /// Its index in the attempt set.
    pub(crate) index: usize,
    /// Whether a hook reads the first bytes of the body.
    pub(crate) peeks: bool,
    pub(crate) permit: Option<AttemptPermit>,
    pub(crate) progress: AttemptProgress,
    /// The phases that were already reported to the engine.
    pub(crate) reported: ReportedPhases,
    pub(crate) result: Box<AttemptResult>,
    /// Where the request continues the body.
    pub(crate) resume: Option<Box<ResumePoint>>,
    pub(crate) span: FetchSpan,
    pub(crate) url: Arc<url::Url>,
}

impl InFlightAttempt {
    /// Whether the cache stores its response.
    pub(crate) fn is_stored(&self) -> bool {
        #[cfg(feature = "cache")]
        let is_stored = self.cache.as_ref().is_some_and(|cache| cache.is_stored());
        #[cfg(not(feature = "cache"))]
        let is_stored = false;
        is_stored
    }
}

/// What an attempt returned.
#[derive(Default)]
pub(crate) struct AttemptResult {
    /// What the cache did.
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<CacheStatus>,
    pub(crate) chunks: BodyChunks,
    pub(crate) connection: Option<ConnectionInfo>,
    /// The text of the error.
    pub(crate) detail: Option<String>,
    /// Whether the body was received to its end.
    pub(crate) is_complete: bool,
    /// The exact cause of the failure, if the transport reported it.
    pub(crate) reason: Option<FailureReason>,
    /// Phases that the engine had not seen when it aborted the attempt.
    pub(crate) late_phases: PhaseTimes,
    pub(crate) parts: Option<ResponseParts>,
    /// The permit for the outcome, if the attempt ended and was not aborted.
    pub(crate) permit: Option<AttemptPermit>,
    pub(crate) saved: Option<SaveReceipt>,
    /// The native error.
    pub(crate) source: Option<ErrorSource>,
    pub(crate) wire_bytes: u64,
}

impl AttemptResult {
    /// A copy of the response, for a fetch that shares it.
    pub(crate) fn copy_response(&self) -> Self {
        Self {
            #[cfg(feature = "cache")]
            cache: self.cache,
            chunks: self.chunks.clone(),
            connection: self.connection.clone(),
            detail: self.detail.clone(),
            is_complete: self.is_complete,
            reason: self.reason,
            late_phases: PhaseTimes::new(),
            parts: self.parts.clone(),
            permit: None,
            // Fetches whose bodies are saved share no responses.
            saved: None,
            source: self.source.clone(),
            wire_bytes: self.wire_bytes,
        }
    }
}
