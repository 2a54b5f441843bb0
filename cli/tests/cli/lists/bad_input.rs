//! Bad input of every kind gets a clear record or message, and does not affect other URLs.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::Value;

use crate::support::*;

/// Malformed lines, and a part of the message of each.
const LINES: &[(&[u8], &str)] = &[
    (b"\x7fELF\x02\x01\x01\x00\x00", "NUL byte"),
    (b"\xff\xfeh\x00t\x00t\x00p\x00", "not valid UTF-8"),
    (b"http://a.test/\xc3\x28", "not valid UTF-8"),
    (b"http://a.test/\x00", "NUL byte"),
    (b"http://a.test/\x1b[31m", "control character"),
    (b"http://a.test/ http://b.test/", "contains a space"),
    (b"word", "no scheme"),
    (b"page.html", "no scheme"),
    (b"mailto:me@a.test", "only http and https can be fetched"),
    (b"/path", "no scheme"),
    (b"{\"url\": 1}", "contains a space"),
    (b"ftp://a.test/", "neither http nor https"),
    (b"file:///etc/passwd", "neither http nor https"),
    (b"javascript://a/%0aalert(1)", "neither http nor https"),
    (b"HTTPX://a.test/", "neither http nor https"),
    (b"http://", "empty host"),
    (b"http://a.test:99999/", "port"),
    (b"http://a.test:port/", "port"),
    (b"http://[::1/", "IPv6"),
    (b"http://[1::2::3]/", "IPv6"),
    (b"http://1.2.3.4.5/", "IPv4"),
    (b"http://256.1.1.1/", "IPv4"),
    (b"http://a b.test/", "contains a space"),
    (b"http://a<b>.test/", "domain"),
    (b"http://xn--a/", "domain"),
    (b"http://%00/", "domain"),
];

/// Options, the exit code, and a part of the message.
const OPTIONS: &[(&[&str], i32, &str)] = &[
    (&["-i", "/none/list"], 3, "cannot be read"),
    (&["-i", "/"], 3, "is a directory"),
    (&["-i", ""], 2, "write a path"),
    (&["-i", "-", "-i", "-"], 2, "only once"),
    (&["--url", "@"], 2, "no file"),
    (&["--url-column", "0", "http://a.test"], 2, "from 1"),
    (&["--input-format", "xml", "-i", "x"], 2, "write one of csv"),
    (&["http://a.test/[1-"], 2, "at character 15"),
    (&["http://a.test/{a,b"], 2, "not closed"),
    (
        &["-d", "@/none/body", "http://a.test"],
        3,
        "--data @/none/body",
    ),
    (
        &["--data-binary", "@/", "http://a.test"],
        3,
        "--data-binary @/",
    ),
    (&["-w", "%output{/none/x}", "http://a.test"], 3, "/none/x"),
    (&["-w", "@/none/form", "http://a.test"], 3, "/none/form"),
    (&["-o", "/none/out", "http://a.test"], 3, "/none/out"),
    (&["--format", "parquet", "http://a.test"], 2, "needs a file"),
    (
        &["--cacert", "/none/ca", "http://a.test"],
        3,
        "--cacert /none/ca",
    ),
    (
        &["--policy", "/none/policy", "http://a.test"],
        3,
        "/none/policy",
    ),
    (
        &["--config", "/none/config", "http://a.test"],
        3,
        "/none/config",
    ),
    (
        &["--output-dir", "/dev/null/x", "http://a.test"],
        3,
        "/dev/null/x",
    ),
    (
        &[
            "--name-template",
            "{nonsense}",
            "--output-dir",
            "x",
            "http://a.test",
        ],
        2,
        "nonsense",
    ),
    (
        &["--state", "/dev/null/x", "-o", "x", "http://a.test"],
        3,
        "/dev/null/x",
    ),
    (&["--resolve", "a:80:x", "http://a.test"], 2, "--resolve"),
    (&["-H", "a\nb: c", "http://a.test"], 2, "--header"),
    (&["-X", "P UT", "http://a.test"], 2, "--request"),
    (&["--max-threads", "4", "http://a.test"], 2, "-j N"),
    (&["--threads", "0", "http://a.test"], 2, "write 1 or more"),
    (&["--threads", "two", "http://a.test"], 2, "--threads"),
    (&[], 2, "nothing to fetch"),
];

/// A response, and the outcome and curl's exit code in its record.
const ANSWERS: &[(&str, &str, u64)] = &[
    ("", "io", 52),
    ("garbage\r\n\r\n", "protocol", 1),
    ("HTTP/1.1\r\n\r\n", "protocol", 1),
    ("HTTP/9.9 200 OK\r\n\r\n", "protocol", 1),
    ("HTTP/1.1 20 OK\r\n\r\n", "protocol", 1),
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
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "protocol",
        8,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        "io",
        18,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "io",
        18,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "protocol",
        56,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        "protocol",
        61,
    ),
    (
        "HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        "protocol",
        3,
    ),
    (
        "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "protocol",
        1,
    ),
];

#[test]
fn malformed_lines_get_records_and_valid_lines_are_fetched() {
    let site = site();
    let good = |n: usize| format!("{}\n", site.url(&format!("/get?{n}"))).into_bytes();
    let mut list = Vec::new();
    for (n, (line, _)) in LINES.iter().enumerate() {
        list.extend(good(n));
        list.extend_from_slice(line);
        list.push(b'\n');
    }
    // A line of 10 MiB without a line break.
    list.extend(good(LINES.len()));
    list.extend(std::iter::repeat_n(b'x', 10 << 20));
    let list = List::new(list);
    let ran = fetch_all(&["-i", &list.path("list")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let records: HashMap<u64, Value> = ran
        .records()
        .into_iter()
        .map(|record| (record["seq"].as_u64().unwrap(), record))
        .collect();
    assert_eq!(records.len(), 2 * LINES.len() + 2);
    let mut wrong = Vec::new();
    for (n, (line, part)) in LINES
        .iter()
        .chain([&(&b"xxx"[..], "longer than 64 KiB")])
        .enumerate()
    {
        let (good, bad) = (&records[&(2 * n as u64 + 1)], &records[&(2 * n as u64 + 2)]);
        assert_eq!(good["outcome"], "ok", "beside {line:?}: {good}");
        assert!(bad.to_string().len() < 4000, "records stay short");
        let message = bad["errormsg"].as_str().unwrap_or_default();
        let is_scheme = *part == "neither http nor https" && line.windows(3).any(|w| w == b"://");
        let code = if is_scheme { 1 } else { 3 };
        if bad["outcome"] != "invalid" || bad["exitcode"] != code || !message.contains(part) {
            wrong.push(format!("{:?}: {bad}", String::from_utf8_lossy(line)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_options_and_files_are_reported_before_anything_is_sent() {
    let mut wrong = Vec::new();
    for (options, code, part) in OPTIONS {
        let ran = fetch_all(options);
        let is_clear = ran.stderr.contains(part) && !ran.stderr.contains("panicked");
        if ran.code != *code || !is_clear || !ran.stdout.is_empty() {
            wrong.push(format!("{options:?}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server that answers `GET /N` with the response of this row, and then closes.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head);
                let row = head
                    .split(['/', ' ', '?'])
                    .find_map(|word| word.parse::<usize>().ok());
                let answer = row.map_or("", |row| ANSWERS[row].0);
                let _ = socket.write_all(answer.as_bytes());
            });
        }
    });
    address
}

#[test]
fn broken_responses_get_records_and_valid_ones_are_fetched() {
    let (site, broken) = (site(), server());
    let mut list: String = (0..ANSWERS.len())
        .map(|n| format!("http://{broken}/{n}\n{}\n", site.url("/get")))
        .collect();
    for path in [
        "/gzip-bomb/100",
        "/head-flood?bytes=10000000",
        "/endless",
        "/redirect-loop",
        "/truncate",
        "/reset",
    ] {
        list += &format!("{}\n", site.url(path));
    }
    let list = List::new(list);
    let options = [
        "-L",
        "--retry",
        "0",
        "-m",
        "20",
        "--max-filesize",
        "1M",
        "-i",
        &list.path("list"),
    ];
    let ran = fetch_all(&options);
    let records = ran.records();
    let of = |url: &str| {
        records
            .iter()
            .find(|record| record["url"].as_str().is_some_and(|own| own.ends_with(url)))
    };
    let mut wrong = Vec::new();
    for (n, (answer, outcome, code)) in ANSWERS.iter().enumerate() {
        let Some(record) = of(&format!("{broken}/{n}")) else {
            panic!("{answer:?} has no record");
        };
        let is_told = record["errormsg"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        if record["outcome"] != *outcome || record["exitcode"] != *code || !is_told {
            wrong.push(format!("{answer:?}: {record}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (path, outcome) in [
        ("/gzip-bomb/100", "too_large"),
        ("/head-flood?bytes=10000000", "protocol"),
        ("/endless", "too_large"),
        ("/redirect-loop", "protocol"),
        ("/truncate", "io"),
        ("/reset", "io"),
    ] {
        assert_eq!(of(path).unwrap()["outcome"], outcome, "{path}");
    }
    let good = records
        .iter()
        .filter(|record| record["outcome"] == "ok")
        .count();
    assert_eq!(good, ANSWERS.len(), "{}", ran.stderr);
}
