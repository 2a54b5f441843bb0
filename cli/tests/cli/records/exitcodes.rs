//! `exitcode` in records is curl's: the codes are those of curl 7.88 for the same bytes.

use std::io::{Read, Write};
use std::net::SocketAddr;

use fetch_testbed::{Certificate, Site};
use serde_json::{Value, json};

use crate::support::*;

/// The bytes of a server, and the outcome and the code in the record.
const RESPONSES: &[(&str, &str, u8)] = &[
    ("hello world\r\n\r\n", "protocol", 1),
    ("<html>hi</html>", "protocol", 1),
    ("HTTP/3.7 200 OK\r\n\r\n", "protocol", 1),
    ("HTTP/1.1 abc OK\r\n\r\n", "protocol", 1),
    ("HTTP/1.1 20 OK\r\n\r\n", "protocol", 1),
    ("HTTP/1.1 2000 OK\r\n\r\n", "protocol", 1),
    ("ICY 200 OK\r\n\r\n", "protocol", 1),
    (
        "HTTP/1.1 302 No\r\nLocation: http://[\r\n\r\n",
        "protocol",
        3,
    ),
    (
        "HTTP/1.1 302 No\r\nLocation: file:///etc/passwd\r\n\r\n",
        "protocol",
        1,
    ),
    (
        "HTTP/1.1 302 No\r\nLocation: odd://a/x\r\n\r\n",
        "protocol",
        1,
    ),
    (
        "HTTP/1.1 302 No\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "protocol",
        47,
    ),
    ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "protocol", 8),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "protocol",
        8,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "protocol",
        8,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "too_large",
        63,
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "io", 18),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "io",
        18,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "io",
        18,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n",
        "io",
        18,
    ),
    (
        "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "http_error",
        22,
    ),
    ("", "io", 52),
    ("HTTP/1.1 2", "io", 52),
    ("HTTP/1.1 100 Continue\r\n\r\n", "io", 52),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: lzw, chunked\r\n\r\n0\r\n\r\n",
        "protocol",
        61,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Encoding: foo\r\nContent-Length: 3\r\n\r\nabc",
        "protocol",
        61,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        "protocol",
        61,
    ),
];

/// The answers of a proxy, one after each read, and the code of a request through it.
const PROXIES: &[(&str, &[&[u8]], u8)] = &[
    ("http", &[b"HTTP/1.1 403 No\r\n\r\n"], 56),
    ("http", &[b"HTTP/1.1 407 No\r\n\r\n"], 56),
    ("http", &[b"HTTP/1.1 503 No\r\n\r\n"], 56),
    ("http", &[b"garbage\r\n\r\n"], 56),
    ("http", &[b"HTTP/1.1 200 O"], 56),
    ("http", &[b""], 56),
    ("http", &[b"HTTP/1.1 200 OK\r\n\r\n"], 35),
    ("socks5", &[b"\x05\xff"], 97),
    (
        "socks5",
        &[b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0"],
        97,
    ),
    (
        "socks5h",
        &[b"\x05\x00", b"\x05\x04\x00\x01\0\0\0\0\0\0"],
        97,
    ),
    ("socks5", &[b"\x05\x00"], 97),
    ("socks5", &[b"\x04\x00"], 97),
    ("socks5", &[b"garbage\r\n\r\n"], 97),
];

/// The frames of an HTTP/2 server after the request, and the code.
const FRAMES: &[(&[u8], u8)] = &[
    // GOAWAY: the request was not processed, NO_ERROR and INTERNAL_ERROR.
    (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", 16),
    (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16),
    // Nothing, and a head without its body.
    (b"", 18),
    (b"\0\0\x01\x01\x04\0\0\0\x01\x88", 18),
    // DATA without a stream, a field block that is no HPACK, an oversized frame.
    (b"\0\0\x03\0\0\0\0\0\0abc", 52),
    (b"\0\0\x05\x01\x04\0\0\0\x01\xff\xff\xff\xff\xff", 52),
    (b"\xff\xff\xff\0\0\0\0\0\x01", 52),
    // RST_STREAM: PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL; then after the head.
    (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x01", 92),
    (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02", 92),
    (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08", 92),
    (
        b"\0\0\x01\x01\x04\0\0\0\x01\x88\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02",
        92,
    ),
    // A head without a status.
    (b"\0\0\x05\x01\x05\0\0\0\x01\x0f\x0d\x0210", 92),
];

/// Serves these frames after the settings and the request.
fn serve_frames(frames: &'static [u8]) -> SocketAddr {
    serve(move |socket| {
        let (mut preface, mut head) = ([0; 24], [0; 9]);
        let _ = socket.write_all(b"\0\0\0\x04\0\0\0\0\0");
        let _ = socket.read_exact(&mut preface);
        while socket.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let _ = socket.read_exact(&mut vec![0; length as usize]);
            if head[3] == 1 {
                break;
            }
        }
        let _ = socket.write_all(b"\0\0\0\x04\x01\0\0\0\0");
        let _ = socket.write_all(frames);
    })
}

/// The record of one URL, without retries.
fn record(options: &[&str]) -> Value {
    let common = ["--retry", "0", "--host-max-wait", "0"];
    let patience: &[&str] = if options.contains(&"-m") {
        &[]
    } else {
        &["-m", "20"]
    };
    fetch_all(&[&common, patience, options].concat()).record()
}

#[test]
fn each_invalid_response_has_curls_code() {
    let mut wrong = Vec::new();
    for (response, outcome, code) in RESPONSES {
        let answers: &'static [&'static [u8]] = Box::leak(Box::new([response.as_bytes()]));
        let url = format!("http://{}/", serve_answers(answers));
        let record = record(&[
            "-L",
            "-f",
            "--max-redirs",
            "2",
            "--max-filesize",
            "1000",
            &url,
        ]);
        if (&record["outcome"], &record["exitcode"]) != (&json!(outcome), &json!(code)) {
            wrong.push(format!("{response:?} is {outcome} {code}: {record}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_failure_of_a_proxy_has_curls_code() {
    let mut wrong = Vec::new();
    for (scheme, answers, code) in PROXIES {
        let proxy = format!("{scheme}://{}", serve_answers(answers));
        let record = record(&["-x", &proxy, "https://127.0.0.1:9/"]);
        if record["exitcode"] != *code {
            wrong.push(format!("{scheme} {answers:?} is {code}: {record}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let refused = record(&["-x", "http://127.0.0.1:1", "http://a.test/"]);
    assert_eq!(refused["exitcode"], 7);
    let unknown = record(&["-x", "http://nowhere.invalid:1", "http://127.0.0.1/"]);
    assert_eq!(unknown["exitcode"], 5, "{unknown}");
    let name = record(&[
        "-x",
        &format!("socks5://{}", serve_answers(&[b"\x05\x00"])),
        "http://nowhere.invalid/",
    ]);
    assert_eq!(name["exitcode"], 97, "{name}");
}

#[test]
fn each_failure_of_http2_has_curls_code() {
    let mut wrong = Vec::new();
    for (frames, code) in FRAMES {
        let url = format!("http://{}/", serve_frames(frames));
        let record = record(&["--http2-prior-knowledge", &url]);
        if record["exitcode"] != *code {
            wrong.push(format!("{} is {code}: {record}", frames.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_failure_without_a_response_has_curls_code() {
    let site = Site::builder().tls(Certificate::Good).start().unwrap();
    let plain = Site::start().unwrap();
    let no_tls = format!("https://{}/", serve_answers(&[b"garbage\r\n\r\n"]));
    let lost = format!("https://{}/", serve_answers(&[b""]));
    let (stall, reset) = (plain.url("/stall"), plain.url("/reset"));
    for (options, outcome, code) in [
        (&["odd://a.test/"][..], "invalid", 1),
        (&["http://a.test:99999/"], "invalid", 3),
        (&["http://nowhere.invalid/"], "dns", 6),
        (&["http://127.0.0.1:1/"], "connect", 7),
        (
            &["--unix-socket", "/none/socket", "http://a.test/"],
            "connect",
            7,
        ),
        (&["-m", "0.2", &stall], "timeout", 28),
        (&[&lost], "connect", 35),
        (&[&no_tls], "tls", 35),
        (&[&reset], "io", 56),
        (&[&site.url("/get")], "tls", 60),
    ] {
        let record = record(options);
        let found = (&record["outcome"], &record["exitcode"]);
        assert_eq!(
            found,
            (&json!(outcome), &json!(code)),
            "{options:?}: {record}"
        );
    }
}

#[test]
fn what_only_this_command_checks_is_no_success_either() {
    let site = Site::start().unwrap();
    let wrong = format!(
        "{{\"url\":\"{}\",\"checksum\":\"md5:{}\"}}\n",
        site.url("/bytes/5"),
        "0".repeat(32)
    );
    let list = List::new(wrong);
    let mismatch = record(&["--input-format", "jsonl", "-i", &list.path("list")]);
    assert_eq!(
        (&mismatch["outcome"], &mismatch["exitcode"]),
        (&json!("checksum"), &json!(56))
    );
    let dead = record(&["--robots", "http://127.0.0.1:1/"]);
    assert_eq!(
        (&dead["outcome"], &dead["exitcode"]),
        (&json!("robots"), &json!(9))
    );
    let list = List::new(format!("{}\n", site.url("/bytes/5")));
    let full = record(&[
        "--output-dir",
        &list.path("full"),
        "--name-template",
        "x",
        "-i",
        &list.path("list"),
    ]);
    assert_eq!(full["exitcode"], 0);
}

#[test]
fn with_fail_an_error_ends_at_its_head() {
    // The body neither has a length nor ends.
    let address = serve(|socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\n\r\nbeginning");
        let _ = std::io::copy(socket, &mut std::io::sink());
    });
    let ran = fetch_all(&["-f", &format!("http://{address}/")]);
    let record = ran.record();
    assert_eq!(
        (&record["outcome"], &record["exitcode"]),
        (&json!("http_error"), &json!(22))
    );
    assert_eq!(
        (ran.code, record["attempts"].as_array().unwrap().len()),
        (8, 1)
    );
}
