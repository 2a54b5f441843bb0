//! A record as a line of JSON, which every URL has: the names of the fields are pieces that are copied, and
//! texts in which nothing is to be escaped are, too. All else is `serde_json`'s, and a test holds the
//! whole to what that makes of a record.

use std::net::IpAddr;

use serde::Serialize;

use super::Record;
use super::fields::{Attempts, Effective, HeaderJson, Id, Shown, StartedAt};
use crate::outcome::error_type::ErrorType;

/// Writes an object of these fields; those after `unless none` are left out where they are `None`.
macro_rules! object {
    ($out:expr, $of:expr; $first:ident $(, $name:ident)* $(; unless none $optional:ident $(, $then:ident)*)*) => {{
        $out.extend_from_slice(concat!("{\"", stringify!($first), "\":").as_bytes());
        $of.$first.put($out);
        $(object!(@field $out, $of, $name);)*
        $(
            if $of.$optional.is_some() {
                object!(@field $out, $of, $optional);
            }
            $(object!(@field $out, $of, $then);)*
        )*
        $out.push(b'}');
    }};
    (@field $out:expr, $of:expr, $name:ident) => {
        $out.extend_from_slice(concat!(",\"", stringify!($name), "\":").as_bytes());
        $of.$name.put($out);
    };
}

/// Writes the record and ends the line.
pub(super) fn write(out: &mut Vec<u8>, record: &Record<'_>) {
    object!(out, record;
        v, id, seq, url, url_effective, host_key, method, outcome, response_code, http_version,
        content_type, error_type, errormsg, exitcode, started_at, time_queue, time_namelookup,
        time_connect, time_appconnect, time_pretransfer, time_posttransfer, time_starttransfer,
        time_redirect, time_total, num_retries, num_redirects, num_connects, remote_ip, remote_port,
        size_request, size_header, size_download, size_delivered, sha256;
        unless none checksum, filename_effective;
        unless none header_json, attempts
    );
    out.push(b'\n');
}

/// What can be the value of a field.
trait Put {
    fn put(&self, out: &mut Vec<u8>);
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Put for &str {
    fn put(&self, out: &mut Vec<u8>) {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        // Without a branch for each byte.
        if self
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte))
        {
            out.reserve(self.len() + 2);
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            json(out, self);
        }
    }
}

impl Put for Effective<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        (&*self.text()).put(out);
    }
}

impl Put for Id<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        self.with_text(|text| text.put(out));
    }
}

impl Put for StartedAt {
    fn put(&self, out: &mut Vec<u8>) {
        self.with_text(|text| text.put(out));
    }
}

impl Put for Attempts<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (i, attempt) in self.records().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            object!(out, attempt; response_code, error_type, retry_after, time_start, time_total);
        }
        out.push(b']');
    }
}

macro_rules! by_serde {
    ($($kind:ty),*) => {
        $(impl Put for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                json(out, self);
            }
        })*
    };
}

by_serde!(
    u8,
    u16,
    u64,
    usize,
    f64,
    ErrorType,
    HeaderJson<'_>,
    IpAddr,
    Shown<'_>
);

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("a field is writable as JSON");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use fetch_driver::Timestamp;
    use fetch_proto::{AttemptEnd, AttemptReport, AttemptTimings, Failure};
    use http::HeaderMap;

    use super::*;
    use crate::output::record::{Recorder, Told};

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
        AttemptReport {
            bytes: 7,
            end,
            number,
            retry_after: (number > 1).then_some(Duration::from_millis(1_500)),
            status: (number > 1).then_some(503),
            timings: AttemptTimings {
                started: at(number.into()),
                resolved: None,
                connected: None,
                reused: false,
                tls_done: None,
                sent: None,
                head: None,
                ended: at(90_001),
            },
            url: std::sync::Arc::new("http://u:p@a.test/x?y=\"z\"".parse().unwrap()),
        }
    }

    fn assert_as_serde_has_it(record: &Record<'_>) {
        let mut line = Vec::new();
        write(&mut line, record);
        let by_serde = serde_json::to_string(record).unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), by_serde + "\n");
    }

    #[test]
    fn a_line_is_what_serde_makes_of_its_record() {
        let recorder = Recorder::new(SystemTime::now(), "GET", b"", true);
        let mut headers = HeaderMap::new();
        headers.append("a", "1".parse().unwrap());
        headers.append("a", "\"2\"".parse().unwrap());
        let attempts = [
            attempt(1, AttemptEnd::Failed(Failure::Connect)),
            attempt(2, AttemptEnd::Responded),
        ];
        for text in TEXTS {
            let told = Told::Invalid {
                message: text,
                seq: 7,
                text,
            };
            let mut record = recorder.make(&told);
            assert_as_serde_has_it(&record);
            record.attempts = Attempts(Some(at(1)), &attempts);
            record.checksum = Some(text);
            record.error_type = Some(ErrorType::Status(404));
            record.filename_effective = Some(text);
            record.header_json = Some(HeaderJson(&headers));
            record.host_key = Some(text);
            record.id = Id::Given(text);
            record.remote_ip = Some([127, 0, 0, 1].into());
            record.response_code = Some(404);
            record.started_at = Some(StartedAt(SystemTime::now()));
            record.time_connect = Some(1e-6);
            record.time_total = Some(1e300);
            record.url_effective = Some(Effective(&attempts[0].url));
            assert_as_serde_has_it(&record);
        }
    }
}
