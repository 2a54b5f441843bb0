//! HAR 1.2, the archive format of browsers' network panels: one JSON document, written as a stream.

use std::io::{self, Write};
use std::time::SystemTime;

use fetch_proto::{is_secret_field, redact_secrets};
use serde_json::{Value, json};

use super::{RecordEncoder, RecordSink};
use crate::outcome::recorded_body::RecordedValue;
use crate::output::record::{Record, RecordBuilder, RecordInput, StartedAt};

/// Separates two entries.
const SEPARATOR: &[u8] = b",\n";

/// One entry for each record.
pub(super) struct HarEncoder;

impl RecordEncoder for HarEncoder {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let record = builder.build(input);
        let headers = input.headers();
        let headers = headers.as_deref().into_iter().flatten();
        let headers: Vec<_> = headers.map(header_entry).collect();
        serde_json::to_writer(&mut *out, &har_entry(&record, headers)).expect("an entry is JSON");
        out.extend_from_slice(SEPARATOR);
    }

    fn open_sink(&self, mut out: Box<dyn Write + Send>) -> io::Result<Box<dyn RecordSink>> {
        let version = env!("CARGO_PKG_VERSION");
        write!(
            out,
            "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{\"name\":\"fetch-all\",\
             \"version\":\"{version}\"}},\"entries\":["
        )?;
        Ok(Box::new(HarSink {
            has_entries: false,
            out,
        }))
    }
}

/// The document. Every buffer ends with a separator, which is written only before the next buffer.
struct HarSink {
    has_entries: bool,
    out: Box<dyn Write + Send>,
}

impl RecordSink for HarSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let before = if self.has_entries { SEPARATOR } else { b"\n" };
        self.has_entries = true;
        self.out.write_all(before)?;
        self.out
            .write_all(buffer.strip_suffix(SEPARATOR).unwrap_or(buffer))?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n]}}\n")?;
        self.out.flush()
    }
}

fn header_entry((name, value): (&http::HeaderName, &http::HeaderValue)) -> Value {
    let value = String::from_utf8_lossy(value.as_bytes());
    // HAR files are made to be shown to others.
    let shown = match is_secret_field(name.as_str()) {
        true => "REDACTED".into(),
        false => redact_secrets(&value),
    };
    json!({"name": name.as_str(), "value": shown})
}

fn har_entry(record: &Record<'_>, headers: Vec<Value>) -> Value {
    let url = record.url_effective.as_ref().map(|url| url.text());
    let given = redact_secrets(url.as_deref().or(record.url).unwrap_or_default());
    let given = &*given;
    let parsed = url::Url::parse(given).ok();
    // The format requires a valid URL.
    let url = if parsed.is_some() {
        given
    } else {
        "about:invalid"
    };
    let version = record
        .http_version
        .map_or(String::new(), |version| format!("HTTP/{version}"));
    let header = |name: &str| headers.iter().find(|field| field["name"] == name).cloned();
    let location =
        header("location").map_or_else(|| Value::from(""), |field| field["value"].clone());
    let (time, timings) = phase_timings(record);
    let mut entry = json!({
        // A line that is no request has no start.
        "startedDateTime": record.started_at.unwrap_or_else(|| StartedAt(SystemTime::now())),
        "time": time,
        "request": {
            "method": record.method, "url": url, "httpVersion": version, "cookies": [],
            "headers": [], "queryString": query_entries(parsed.as_ref()), "headersSize": -1, "bodySize": -1,
        },
        "response": {
            "status": record.response_code.unwrap_or(0), "statusText": "", "httpVersion": version,
            "cookies": [], "headers": headers, "redirectURL": location, "headersSize": -1,
            "bodySize": record.size_download,
            "content": {
                "size": record.size_delivered,
                "mimeType": record.content_type.unwrap_or(""),
            },
        },
        "cache": {},
        "timings": timings,
        "_id": record.id, "_outcome": record.outcome.as_str(), "_exitcode": record.exitcode,
        "_attempts": record.attempts,
    });
    if let Some(Some(body)) = record.body.0 {
        let content = &mut entry["response"]["content"];
        match body {
            RecordedValue::Json(json) => content["text"] = json.get().into(),
            RecordedValue::Text(text) => content["text"] = text.as_str().into(),
            RecordedValue::Base64(text) => {
                content["text"] = text.as_str().into();
                content["encoding"] = "base64".into();
            }
        }
    }
    if let Some(ip) = record.remote_ip {
        entry["serverIPAddress"] = ip.to_string().into();
    }
    for (name, value) in [
        ("_url", parsed.is_none().then(|| given.to_owned())),
        ("_error", record.errormsg.as_ref().map(ToString::to_string)),
        ("_sha256", record.sha256.map(str::to_owned)),
        ("_filename", record.filename_effective.map(str::to_owned)),
    ] {
        if let Some(value) = value {
            entry[name] = value.into();
        }
    }
    entry
}

/// The phases of the last attempt, and their sum: the time of the whole fetch. What came before the attempt
/// is `blocked`. `connect` includes `ssl`, and an optional phase that did not take place is -1.
fn phase_timings(record: &Record<'_>) -> (Value, Value) {
    let attempts = &record.attempts;
    let before = attempts.0.zip(attempts.1.last()).map(|(first, last)| {
        let before = last.timings.started.saturating_since(first);
        before.as_secs_f64()
    });
    let mut reached = microseconds(before.unwrap_or(0.0));
    let blocked = microseconds(record.time_queue) + reached;
    // From the end of the phase before; nothing if the phase was not reached.
    let mut phase = |end: Option<f64>| {
        let took = end.map(|end| microseconds(end).saturating_sub(reached));
        reached += took.unwrap_or(0);
        took
    };
    let dns = phase(record.time_namelookup);
    let connect = phase(record.time_appconnect.or(record.time_connect));
    let send = phase(record.time_posttransfer).unwrap_or(0);
    let wait = phase(record.time_starttransfer).unwrap_or(0);
    let receive = phase(record.time_total).unwrap_or(0);
    let ssl = record.time_connect.zip(record.time_appconnect);
    let ssl = ssl.map(|(connected, done)| microseconds((done - connected).max(0.0)));
    let optional = |phase: Option<u64>| phase.map_or_else(|| json!(-1), milliseconds);
    let timings = json!({
        "blocked": milliseconds(blocked),
        "dns": optional(dns),
        "connect": optional(connect),
        "ssl": optional(ssl),
        "send": milliseconds(send),
        "wait": milliseconds(wait),
        "receive": milliseconds(receive),
    });
    let optional = dns.unwrap_or(0) + connect.unwrap_or(0);
    (
        milliseconds(blocked + optional + send + wait + receive),
        timings,
    )
}

fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

fn milliseconds(microseconds: u64) -> Value {
    json!(microseconds as f64 / 1e3)
}

fn query_entries(url: Option<&url::Url>) -> Vec<Value> {
    let pairs = url.into_iter().flat_map(url::Url::query_pairs);
    pairs
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}
