//! The variables of `-w`: curl's, and the other fields of records.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine as _;
use http::{HeaderMap, header};
use url::Url;

use super::value::WriteOutValue;
use crate::output::record::{Column, Record, RecordBuilder, RecordInput};

/// A known variable.
#[derive(Clone, Copy, Debug)]
pub(super) enum WriteOutVariable {
    Computed(&'static ComputedVariable),
    Field(&'static Column),
    /// All header fields.
    HeaderJson,
    /// All variables.
    Json,
}

/// A variable that is not a field, or whose value differs from the field's.
#[derive(Debug)]
pub(super) struct ComputedVariable(
    &'static str,
    for<'a> fn(&'a VariableSource<'a>) -> WriteOutValue<'a>,
);

/// The source of the values.
pub(super) struct VariableSource<'a> {
    headers: Option<Cow<'a, HeaderMap>>,
    referer: Option<&'a str>,
    input: &'a RecordInput<'a>,
    pub(super) record: Record<'a>,
}

/// The field that is no variable: the version of the format.
const EXCLUDED: &str = "v";

/// Names that are not in [`COMPUTED`] and no fields.
const OTHERS: [(&str, WriteOutVariable); 2] = [
    ("header_json", WriteOutVariable::HeaderJson),
    ("json", WriteOutVariable::Json),
];

/// As in curl, an unknown number is 0, and an unknown text is empty.
const COMPUTED: &[ComputedVariable] = &[
    ComputedVariable("certs", |s| WriteOutValue::text(s.certificates_pem())),
    ComputedVariable("http_code", status),
    ComputedVariable("http_version", |s| {
        WriteOutValue::text(s.record.http_version.unwrap_or("0"))
    }),
    ComputedVariable("local_ip", |s| {
        WriteOutValue::text(
            s.local()
                .map_or(String::new(), |local| local.ip().to_string()),
        )
    }),
    ComputedVariable("local_port", |s| {
        WriteOutValue::number(s.local().map_or(0, |local| local.port().into()))
    }),
    ComputedVariable("method", |s| {
        let last = s.input.outcome().map(|outcome| outcome.method.as_str());
        WriteOutValue::text(last.unwrap_or(s.record.method))
    }),
    ComputedVariable("num_certs", |s| {
        WriteOutValue::number(s.certificates().len() as u64)
    }),
    ComputedVariable("num_headers", |s| {
        WriteOutValue::number(s.headers.as_ref().map_or(0, |headers| headers.len() as u64))
    }),
    ComputedVariable("redirect_url", |s| WriteOutValue::Text(s.redirect_url())),
    ComputedVariable("referer", |s| WriteOutValue::Text(s.referer.map(Cow::from))),
    ComputedVariable("remote_ip", |s| {
        WriteOutValue::text(
            s.record
                .remote_ip
                .map_or(String::new(), |ip| ip.to_string()),
        )
    }),
    ComputedVariable("response_code", status),
    ComputedVariable("scheme", |s| {
        let url = s.record.url_effective.as_ref().map(|url| url.0.scheme());
        let scheme = url.or_else(|| Some(s.record.url?.split_once("://")?.0));
        WriteOutValue::Text(scheme.map(Cow::from))
    }),
    ComputedVariable("size_upload", |s| WriteOutValue::number(s.sizes().upload)),
    ComputedVariable("speed_download", |s| s.speed(s.record.size_download)),
    ComputedVariable("speed_upload", |s| s.speed(s.sizes().upload)),
    ComputedVariable("ssl_verify_result", |s| {
        // As OpenSSL's "unspecified certificate verification error".
        WriteOutValue::number((s.record.exitcode == 60).into())
    }),
    ComputedVariable("url_effective", |s| {
        let url = s.record.url_effective.as_ref().map(|url| url.text());
        let url = url.or_else(|| s.record.url.map(Cow::from));
        WriteOutValue::text(url.unwrap_or_default())
    }),
    ComputedVariable("urlnum", |s| {
        WriteOutValue::number(s.record.seq.saturating_sub(1))
    }),
    // Without a meaning here: FTP, and proxies that are reached over TLS.
    ComputedVariable("ftp_entry_path", |_| WriteOutValue::Text(None)),
    ComputedVariable("proxy_ssl_verify_result", |_| WriteOutValue::Integer(0)),
];

fn status<'a>(source: &VariableSource<'_>) -> WriteOutValue<'a> {
    WriteOutValue::Status(source.record.response_code.unwrap_or(0))
}

impl<'a> VariableSource<'a> {
    pub(super) fn new(builder: &'a RecordBuilder, input: &'a RecordInput<'a>) -> Self {
        Self {
            headers: input.headers(),
            referer: builder.referer.as_deref(),
            input,
            record: builder.build(input),
        }
    }

    /// Writes the first value of a field, or with a separator all of them.
    pub(super) fn write_header(&self, out: &mut Vec<u8>, name: &str, separator: Option<&str>) {
        let headers = self.headers.as_ref().into_iter();
        let values = headers.flat_map(|headers| headers.get_all(name));
        let count = separator.map_or(1, |_| usize::MAX);
        for (n, value) in values.take(count).enumerate() {
            if n > 0 {
                out.extend_from_slice(separator.unwrap_or_default().as_bytes());
            }
            out.extend_from_slice(value.as_bytes());
        }
    }

    fn local(&self) -> Option<std::net::SocketAddr> {
        self.input.outcome()?.connection.as_ref()?.local
    }

    /// The certificates of the server's chain as DER.
    fn certificates(&self) -> &[Vec<u8>] {
        let connection = self
            .input
            .outcome()
            .and_then(|outcome| outcome.connection.as_ref());
        connection.map_or(&[], |connection| &connection.certificates)
    }

    /// The chain as PEM, as in curl without the lines that describe each certificate.
    fn certificates_pem(&self) -> String {
        let mut pem = String::new();
        for der in self.certificates() {
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            pem += "-----BEGIN CERTIFICATE-----\n";
            for line in text.as_bytes().chunks(64) {
                pem += &String::from_utf8_lossy(line);
                pem.push('\n');
            }
            pem += "-----END CERTIFICATE-----\n";
        }
        pem
    }

    fn sizes(&self) -> fetch_driver::MessageSizes {
        let outcome = self.input.outcome();
        outcome.map_or_else(Default::default, |outcome| outcome.sizes)
    }

    /// Bytes per second, on average.
    fn speed(&self, bytes: u64) -> WriteOutValue<'a> {
        let seconds = self.record.time_total.filter(|seconds| *seconds > 0.0);
        let speed = seconds.map_or(0, |seconds| (bytes as f64 / seconds) as i64);
        WriteOutValue::Integer(speed)
    }

    /// The URL of a redirect that was not followed.
    fn redirect_url(&self) -> Option<Cow<'a, str>> {
        if !(300..400).contains(&self.record.response_code?) {
            return None;
        }
        let location = self.headers.as_ref()?.get(header::LOCATION)?;
        let location = fetch_proto::location_text(location.as_bytes());
        if location.is_empty() {
            return None;
        }
        let base: &Url = self.record.url_effective.as_ref()?.0;
        base.join(&location)
            .ok()
            .map(|url| String::from(url).into())
    }

    /// All variables as curl's `%{json}`, and the other fields of the record.
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut names: Vec<_> = all().map(|variable| (variable.name(), variable)).collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        out.push(b'{');
        for (name, variable) in names {
            let start = out.len();
            out.extend_from_slice(b"\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            match variable {
                WriteOutVariable::Computed(variable) => variable.1(self).write_json(out),
                WriteOutVariable::Field(column) => {
                    let cell = (column.cell)(&self.record);
                    WriteOutValue::of_field(column.kind, cell).write_json(out);
                }
                WriteOutVariable::HeaderJson | WriteOutVariable::Json => {
                    out.truncate(start);
                    continue;
                }
            }
            out.push(b',');
        }
        let version = env!("CARGO_PKG_VERSION");
        write!(out, "\"curl_version\":\"fetch-all/{version}\"}}")
            .expect("a vector takes every write");
    }

    /// The header fields as curl writes them: each on a line.
    fn write_header_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{");
        let headers = self.headers.as_ref().into_iter();
        for (n, name) in headers.flat_map(|headers| headers.keys()).enumerate() {
            let values = self
                .headers
                .iter()
                .flat_map(|headers| headers.get_all(name));
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<_> = values.collect();
            out.extend_from_slice(if n > 0 { b",\n" } else { b"" });
            let written = serde_json::to_writer(&mut *out, name.as_str());
            out.push(b':');
            let written = written.and_then(|()| serde_json::to_writer(&mut *out, &values));
            written.expect("texts are writable as JSON");
        }
        out.extend_from_slice(b"\n}");
    }
}

impl WriteOutVariable {
    pub(super) fn named(name: &str) -> Option<Self> {
        all().find(|variable| variable.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Computed(variable) => variable.0,
            Self::Field(column) => column.name,
            Self::HeaderJson => OTHERS[0].0,
            Self::Json => OTHERS[1].0,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>, source: &VariableSource<'_>) {
        match self {
            Self::Computed(variable) => variable.1(source).write_text(out),
            Self::Field(column) => {
                let cell = (column.cell)(&source.record);
                WriteOutValue::of_field(column.kind, cell).write_text(out);
            }
            Self::HeaderJson => source.write_header_json(out),
            Self::Json => source.write_json(out),
        }
    }
}

impl PartialEq for WriteOutVariable {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// Variables of curl that do not exist here.
const MISSING: [&str; 1] = ["http_connect"];

/// The known name that is most similar to an unknown one, which is not one of curl's.
pub(super) fn similar_name(unknown: &str) -> Option<&'static str> {
    if MISSING.contains(&unknown) {
        return None;
    }
    let scored = all().map(|variable| {
        let name = variable.name();
        (strsim::jaro_winkler(unknown, name), name)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.8).map(|(_, name)| name)
}

fn all() -> impl Iterator<Item = WriteOutVariable> {
    let is_computed = |name| COMPUTED.iter().any(|variable| variable.0 == name);
    let fields = Record::columns()
        .filter(move |column| column.name != EXCLUDED && !is_computed(column.name));
    let computed = COMPUTED.iter().map(WriteOutVariable::Computed);
    let others = OTHERS.iter().map(|(_, variable)| *variable);
    computed
        .chain(others)
        .chain(fields.map(WriteOutVariable::Field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(WriteOutVariable::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn variables_are_those_of_curl_and_of_records() {
        // Of curl 7.88, but for onerror, stderr and stdout, which are no values.
        let of_curl = "certs num_certs content_type errormsg exitcode filename_effective ftp_entry_path header_json \
            http_code http_version json local_ip local_port method num_connects num_headers \
            num_redirects proxy_ssl_verify_result redirect_url referer remote_ip remote_port \
            response_code scheme size_download size_header size_request size_upload speed_download \
            speed_upload ssl_verify_result time_appconnect time_connect time_namelookup \
            time_pretransfer time_redirect time_starttransfer time_total url url_effective urlnum";
        let of_records = "auth auth_retries withheld_fields body body_error row checksum error_type host_key id num_retries outcome resumed_from seq sha256 \
            size_delivered started_at time_posttransfer time_queue";
        for name in of_curl
            .split_whitespace()
            .chain(of_records.split_whitespace())
        {
            assert!(WriteOutVariable::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_misspelled_variable_has_a_similar_name() {
        assert_eq!(similar_name("http_cod"), Some("http_code"));
        assert_eq!(similar_name("xyzzy"), None);
    }
}
