//! The records of one response and its request.

use fetch_driver::{ConnectionInfo, RedactedUrl, Response};
use fetch_proto::Method;
use http::{HeaderMap, HeaderName, Version};

use super::super::spool::FinishedBody;
use super::record::{WarcRecord, record_id, request_head, response_head};

/// A response and its request.
pub(in crate::save) struct ArchivedExchange<'a> {
    pub(in crate::save) body: &'a FinishedBody,
    pub(in crate::save) connection: Option<ConnectionInfo>,
    pub(in crate::save) date: String,
    /// Whether the request has lost its body by a redirect.
    pub(in crate::save) has_lost_body: bool,
    /// Whether the response's body was received to its end.
    pub(in crate::save) is_complete: bool,
    pub(in crate::save) method: &'a Method,
    pub(in crate::save) response: &'a Response,
    /// The common fields that the request lacks.
    pub(in crate::save) withheld: &'a [HeaderName],
}

impl ArchivedExchange<'_> {
    /// The fields that both records have.
    pub(super) fn common(&self) -> Vec<(&'static str, String)> {
        let protocol = match self.response.version {
            Version::HTTP_2 => "h2",
            Version::HTTP_10 => "http/1.0",
            _ => "http/1.1",
        };
        let uri = RedactedUrl(&self.response.url).to_string();
        let remote = self
            .connection
            .as_ref()
            .and_then(|connection| connection.remote);
        let mut common = vec![
            ("WARC-Target-URI", uri),
            ("WARC-Date", self.date.clone()),
            ("WARC-Protocol", protocol.to_owned()),
        ];
        common.extend(remote.map(|remote| ("WARC-IP-Address", remote.ip().to_string())));
        common
    }

    /// The records. `headers` are the fields of all requests.
    pub(super) fn records<'a>(
        &'a self,
        common: &'a [(&'static str, String)],
        headers: &HeaderMap,
    ) -> [WarcRecord<'a>; 2] {
        let is_sent = |name: &HeaderName| {
            let is_lost = self.has_lost_body && name.as_str().starts_with("content-");
            !is_lost && !self.withheld.contains(name)
        };
        let sent = headers.iter().filter(|(name, _)| is_sent(name));
        let headers = sent
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (response_id, request_id) = (record_id(), record_id());
        let mut own = vec![("WARC-Record-ID", response_id.clone())];
        if !self.is_complete {
            own.push(("WARC-Truncated", "unspecified".to_owned()));
        }
        let response = WarcRecord {
            body: Some(self.body),
            common,
            head: response_head(self.response),
            kind: "response",
            media: "application/http;msgtype=response",
            own,
        };
        let request = WarcRecord {
            body: None,
            common,
            head: request_head(self.method, &self.response.url, &headers),
            kind: "request",
            media: "application/http;msgtype=request",
            own: vec![
                ("WARC-Record-ID", request_id),
                ("WARC-Concurrent-To", response_id),
            ],
        };
        [response, request]
    }
}
