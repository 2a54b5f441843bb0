//! The fields of a record, in one table that every output format reads.
//!
//! A line of [`Record`] has a field's name, type and value. The name is that of the JSON member, of
//! the column in CSV and Parquet, and of the variable of `-w`; the type's [`FieldValue`] says how
//! each of them is written.

use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::builder::RecordBuilder;
use super::fields::{
    AttemptList, CacheText, EffectiveUrl, ErrorMessage, FieldNames, HeaderJson, RecordId, seconds,
};
use super::object::json_object;
use super::source::{RecordInput, RecordSource, http_version, is_new_connection};
use super::started_at::StartedAt;
use super::value::{ColumnType, FieldValue, IfPresent, TableCell};
use crate::outcome::error_type::ErrorType;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::recorded_body::RecordedValue;

/// The version of the schema.
const SCHEMA: u8 = 1;

/// A field as a column of a table.
#[derive(Debug)]
pub(in crate::output) struct Column {
    pub(in crate::output) name: &'static str,
    /// `None` for a nested value, which is not a column.
    pub(in crate::output) kind: Option<ColumnType>,
    pub(in crate::output) cell: for<'r> fn(&'r Record<'r>) -> TableCell<'r>,
}

/// Defines a JSON object that is also a row of a table.
macro_rules! record_table {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $Record:ident<$life:lifetime> of $source:ident: $Source:ty {
            $($(#[$doc:meta])* $name:ident: $Value:ty = $value:expr;)*
        }
    ) => {
        json_object! {
            $(#[$meta])*
            $visibility struct $Record<$life> of $source: $Source {
                $($(#[$doc])* $name: $Value = $value;)*
            }
        }

        impl<$life> $Record<$life> {
            const FIELDS: &'static [Column] = &[
                $(Column {
                    name: stringify!($name),
                    kind: <$Value as FieldValue>::COLUMN,
                    cell: |record| record.$name.cell(),
                },)*
            ];
        }
    };
}

record_table! {
    /// A record. What is not known is null.
    pub(crate) struct Record<'a> of source: &RecordSource<'a> {
        v: u8 = SCHEMA;
        id: RecordId<'a> = source.id();
        seq: u64 = source.seq;
        url: Option<&'a str> = source.url;
        url_effective: Option<EffectiveUrl<'a>> = source.effective_url().map(EffectiveUrl);
        host_key: Option<&'a str> = source.fetch.and_then(|fetch| fetch.host());
        method: &'a str = source.method();
        outcome: OutcomeKind = source.outcome;
        response_code: Option<u16> = source.response_code();
        http_version: Option<&'static str> = source.response().and_then(|r| http_version(r.version));
        content_type: Option<&'a str> = source.content_type();
        error_type: Option<ErrorType> = source.error_type;
        errormsg: Option<ErrorMessage<'a>> = source.message;
        exitcode: u8 = source.curl_code;
        started_at: Option<StartedAt> = source.started_at();
        time_queue: f64 = source.fetched(|outcome| seconds(outcome.timings.queued));
        time_namelookup: Option<f64> = source.time_until(|t| t.resolved);
        time_connect: Option<f64> = source.time_until(|t| t.connected);
        time_appconnect: Option<f64> = source.time_until(|t| t.tls_done);
        time_pretransfer: Option<f64> = source.time_until(|t| t.tls_done.or(t.connected));
        time_posttransfer: Option<f64> = source.time_until(|t| t.sent);
        time_starttransfer: Option<f64> = source.time_until(|t| t.head);
        time_redirect: f64 = source.fetched(|outcome| seconds(outcome.timings.redirecting));
        time_total: Option<f64> = source.time_total();
        num_retries: u16 = source.fetched(|outcome| outcome.retries);
        auth: IfPresent<&'a str> = IfPresent(source.auth());
        auth_retries: IfPresent<u16> = IfPresent(source.auth().map(|_| source.fetched(|o| o.auth_retries)));
        withheld_fields: IfPresent<FieldNames<'a>> = IfPresent(source.withheld().map(FieldNames));
        num_redirects: u16 = source.fetched(|outcome| outcome.redirects);
        num_connects: usize = source.attempts().iter().filter(|a| is_new_connection(a)).count();
        remote_ip: Option<IpAddr> = source.remote().map(|remote| remote.ip());
        remote_port: Option<u16> = source.remote().map(|remote| remote.port());
        size_request: Option<u64> = source.message_size(|sizes| sizes.requests);
        size_header: Option<u64> = source.message_size(|sizes| sizes.response_heads);
        cache: IfPresent<&'static str> = IfPresent(source.cache().map(|cache| cache.result().as_str()));
        cache_status: IfPresent<CacheText> = IfPresent(source.cache().map(CacheText));
        cache_age: IfPresent<u64> = IfPresent(source.cache().and_then(|cache| cache.age));
        size_download: u64 = source.fetched(|outcome| outcome.wire_bytes);
        resumed_from: Option<u64> = source.fetched(|outcome| outcome.resumed_from);
        size_delivered: u64 = source.size_delivered();
        sha256: Option<&'a str> = source.saved().and_then(|saved| saved.sha256.as_deref());
        checksum: IfPresent<&'a str> = IfPresent(source.saved().and_then(|s| s.checksum.as_deref()));
        filename_effective: Option<&'a str> = source.file;
        header_json: IfPresent<HeaderJson<'a>> = IfPresent(source.recorded_headers().map(HeaderJson));
        body: IfPresent<Option<&'a RecordedValue>> = IfPresent(source.body());
        body_error: IfPresent<&'a str> = IfPresent(source.body_error());
        row: IfPresent<&'a RawValue> = IfPresent(source.carried);
        attempts: AttemptList<'a> = AttemptList(source.started(), source.attempts());
    }
}

impl RecordBuilder {
    pub(crate) fn build<'a>(&'a self, input: &RecordInput<'a>) -> Record<'a> {
        Record::new(&RecordSource::new(self, input))
    }

    /// Appends the record as one line of JSON.
    pub(crate) fn write_line(&self, out: &mut Vec<u8>, input: &RecordInput<'_>) {
        self.build(input).write_json(out);
        out.push(b'\n');
    }
}

impl Record<'_> {
    /// The fields that a table has as columns.
    pub(in crate::output) fn columns() -> impl Iterator<Item = &'static Column> {
        let fields = Record::FIELDS.iter();
        fields.filter(|field| field.kind.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use fetch_driver::Timestamp;
    use fetch_proto::{AttemptEnd, AttemptReport, AttemptTimings, FailureKind};
    use http::{HeaderMap, HeaderName};

    use super::*;

    const TEXTS: [&str; 4] = [
        "",
        "http://a.test/",
        "\u{7f}ü\u{10ffff}",
        "a\"b\\c\n\u{1}\u{1f} d",
    ];

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_micros(micros))
    }

    fn attempt(number: u16, end: AttemptEnd) -> AttemptReport {
        let mut timings = AttemptTimings::new(at(number.into()));
        timings.ended = at(90_001);
        let url = std::sync::Arc::new("http://u:p@a.test/x?y=\"z\"".parse().unwrap());
        let mut report = AttemptReport::new(number, url, end, timings);
        report.bytes = 7;
        report.retry_after = (number > 1).then_some(Duration::from_millis(1_500));
        report.status = (number > 1).then_some(503);
        report
    }

    fn assert_equals_serde(record: &Record<'_>) {
        let mut line = Vec::new();
        record.write_json(&mut line);
        let by_serde = serde_json::to_string(record).unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), by_serde);
    }

    #[test]
    fn json_is_that_of_serde() {
        let builder = RecordBuilder::new(SystemTime::now(), "GET", b"", true);
        let mut headers = HeaderMap::new();
        headers.append("a", "1".parse().unwrap());
        headers.append("a", "\"2\"".parse().unwrap());
        let attempts = [
            attempt(1, AttemptEnd::Failed(FailureKind::Connect)),
            attempt(2, AttemptEnd::Responded),
        ];
        let names = [http::header::COOKIE, HeaderName::from_static("x-api-key")];
        let carried = RawValue::from_string(r#"{"n":1.0}"#.into()).unwrap();
        for text in TEXTS {
            let input = RecordInput::Invalid {
                carried: Some(&carried),
                line: text.as_bytes(),
                message: text,
                seq: 7,
                url: Some(text),
            };
            let mut record = builder.build(&input);
            assert_equals_serde(&record);
            record.attempts = AttemptList(Some(at(1)), &attempts);
            let body = RecordedValue::Json(carried.clone());
            record.body = IfPresent(Some(Some(&body)));
            assert_equals_serde(&record);
            let body = RecordedValue::Text(text.to_owned());
            record.body = IfPresent(Some(Some(&body)));
            record.body_error = IfPresent(Some(text));
            record.checksum = IfPresent(Some(text));
            record.error_type = Some(ErrorType::Status(404));
            record.filename_effective = Some(text);
            record.header_json = IfPresent(Some(HeaderJson(std::borrow::Cow::Borrowed(&headers))));
            record.host_key = Some(text);
            record.id = RecordId::Given(text);
            record.outcome = OutcomeKind::HttpError;
            record.remote_ip = Some([127, 0, 0, 1].into());
            record.response_code = Some(404);
            record.started_at = Some(StartedAt(SystemTime::now()));
            record.time_connect = Some(1e-6);
            record.time_total = Some(1e300);
            record.withheld_fields = IfPresent(Some(FieldNames(&names)));
            record.url_effective = Some(EffectiveUrl(&attempts[0].url));
            assert_equals_serde(&record);
        }
    }
}
