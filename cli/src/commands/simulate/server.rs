//! The tables of a model that describe the behaviour of a host.

use std::num::NonZeroU32;

use fetch_proto::Rate;
use fetch_proto::testing::{Outage, OutageKind, ServerModel};
use serde::Deserialize;
use toml::Spanned;

use super::fields::{ByteCount, LatencyField, RequestShare, ThrottleRate};
use crate::config::toml_file::{TextDuration, TomlDocument};
use crate::exit::CliError;

/// `[[host]]` or `[default]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) urls: Option<Spanned<u32>>,
    pub(super) hosts: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) outage: Vec<OutageTable>,
    bandwidth: Option<ByteCount>,
    body: Option<ByteCount>,
    burst: Option<Spanned<u32>>,
    capacity: Option<CapacityTable>,
    errors: Option<RequestShare>,
    latency: Option<LatencyField>,
    quota: Option<ThrottleRate>,
    rejection: Option<TextDuration>,
    resets: Option<RequestShare>,
    retry_after: Option<TextDuration>,
    stalls: Option<RequestShare>,
    throttle: Option<ThrottleRate>,
    throttle_later: Option<LaterThrottle>,
    throttle_status: Option<Spanned<u16>>,
    unavailable: Option<RequestShare>,
}

/// The throttle from a later time on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterThrottle {
    from: TextDuration,
    rate: ThrottleRate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapacityTable {
    workers: Spanned<u32>,
    queue: u32,
}

/// `[[outage]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutageTable {
    from: TextDuration,
    until: Spanned<TextDuration>,
    how: Spanned<OutageName>,
    retry_after: Option<TextDuration>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
enum OutageName {
    #[serde(rename = "refuse")]
    Refuse,
    #[serde(rename = "stall")]
    Stall,
    #[serde(rename = "503")]
    Unavailable,
}

impl HostTable {
    /// The behaviour of the host.
    ///
    /// # Errors
    ///
    /// If keys contradict each other.
    pub(super) fn server(&self, document: &TomlDocument) -> Result<ServerModel, CliError> {
        let share =
            |share: &Option<RequestShare>| share.as_ref().map_or(0, |share| *share.0.get_ref());
        let shares = [&self.errors, &self.resets, &self.stalls, &self.unavailable];
        if shares.iter().map(|s| share(s)).sum::<u16>() > 1000 {
            let last = shares.iter().rev().find_map(|share| share.as_ref());
            let span = last.map_or(0..0, |share| share.0.span());
            let why = "errors, resets, stalls and unavailable add up to more than 100%: write less";
            return Err(document.error_at(span, why));
        }
        let mut server = ServerModel::default()
            .errors(share(&self.errors))
            .resets(share(&self.resets))
            .stalls(share(&self.stalls))
            .unavailable(share(&self.unavailable));
        if let Some(latency) = &self.latency {
            server = server.latency(latency.0);
        }
        if let Some(time) = self.rejection {
            server = server.rejection(time.0);
        }
        if let Some(wait) = self.retry_after {
            server = server.retry_after(wait.0);
        }
        server = self.limits(server, document)?;
        if let Some(capacity) = &self.capacity {
            let workers = *capacity.workers.get_ref();
            if workers == 0 {
                let why = "a server without workers never answers: write 1 or more";
                return Err(document.error_at(capacity.workers.span(), why));
            }
            server = server.capacity(workers, capacity.queue);
        }
        self.body(server, document)
    }

    /// Sets the limits on the rate of requests.
    fn limits(
        &self,
        mut server: ServerModel,
        document: &TomlDocument,
    ) -> Result<ServerModel, CliError> {
        if let Some(rate) = self.throttle(document)? {
            server = server.throttle(rate);
        }
        if let Some(later) = &self.throttle_later {
            server = server.throttle_later(later.from.0, later.rate.0);
        }
        if let Some(quota) = &self.quota {
            server = server.quota(quota.0);
        }
        if let Some(status) = &self.throttle_status {
            if !matches!(status.get_ref(), 429 | 503) {
                let why = "servers that limit the rate answer 429 or 503: write one of them";
                return Err(document.error_at(status.span(), why));
            }
            server = server.throttle_status(*status.get_ref());
        }
        Ok(server)
    }

    fn throttle(&self, document: &TomlDocument) -> Result<Option<Rate>, CliError> {
        let Some(burst) = &self.burst else {
            return Ok(self.throttle.as_ref().map(|limit| limit.0));
        };
        let wrong = |why| document.error_at(burst.span(), why);
        let Some(limit) = &self.throttle else {
            return Err(wrong(
                "a burst needs a rate: write throttle = \"100/s\" too",
            ));
        };
        let burst = NonZeroU32::new(*burst.get_ref());
        let burst = burst.ok_or_else(|| wrong("no request would be admitted: write 1 or more"))?;
        Ok(Some(limit.0.burst(burst)))
    }

    fn body(&self, server: ServerModel, document: &TomlDocument) -> Result<ServerModel, CliError> {
        let size = |size: &Option<ByteCount>| size.as_ref().map(|size| *size.0.get_ref());
        match (&self.bandwidth, size(&self.body)) {
            (Some(bandwidth), None) => {
                let why = "a bandwidth needs a body: write body = \"200k\" too";
                Err(document.error_at(bandwidth.0.span(), why))
            }
            (Some(bandwidth), _) if *bandwidth.0.get_ref() == 0 => {
                let why = "no body would ever arrive: write 1 or more, or stalls = \"100%\"";
                Err(document.error_at(bandwidth.0.span(), why))
            }
            (_, None) => Ok(server),
            (_, Some(bytes)) => Ok(server.body(bytes, size(&self.bandwidth))),
        }
    }
}

impl OutageTable {
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        self.how.span()
    }

    /// The outage.
    ///
    /// # Errors
    ///
    /// If keys contradict each other.
    pub(super) fn outage(&self, document: &TomlDocument) -> Result<Outage, CliError> {
        let (from, until) = (self.from.0, self.until.get_ref().0);
        if until <= from {
            let why = "the outage ends before it begins: write a time after `from`";
            return Err(document.error_at(self.until.span(), why));
        }
        let wait = self.retry_after.map(|wait| wait.0);
        let how = match self.how.get_ref() {
            OutageName::Unavailable => OutageKind::Unavailable(wait),
            _ if wait.is_some() => {
                let why = "only a 503 has a retry_after: write how = \"503\", or remove it";
                return Err(document.error_at(self.how.span(), why));
            }
            OutageName::Refuse => OutageKind::Refuse,
            OutageName::Stall => OutageKind::Stall,
        };
        Ok(Outage {
            from,
            until,
            kind: how,
        })
    }
}
