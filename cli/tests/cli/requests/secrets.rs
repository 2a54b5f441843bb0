//! One marked secret goes in by every way, and is looked for in every output.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;

use fetch_testbed::{TokenReply, TokenServer};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::people::monitoring::get;
#[cfg(target_os = "linux")]
use crate::people::terminal::run_on_terminal;
use crate::support::*;

/// The secret. Its form is that of no token, so it is found by its place alone.
const MARK: &str = "MARKED7SECRET";

/// Whether the output has the secret. Archives have responses as the server sent them.
fn has_mark(output: &[u8]) -> bool {
    let text = String::from_utf8_lossy(output);
    let is_response = |record: &&str| record.contains("WARC-Type: response\r\n");
    let mut records = text.split("WARC/1.1\r\n");
    records.any(|record| !is_response(&record) && record.contains(MARK))
}

/// The files below `directory` that have the secret.
fn leaking(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaking(&path));
        } else if has_mark(&fs::read(&path).unwrap()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Runs with all outputs, and returns where the secret is.
fn leaks_of(arguments: &[&str]) -> Vec<String> {
    let outputs = tempfile::tempdir().unwrap();
    let path = |name: &str| outputs.path().join(name).to_str().unwrap().to_owned();
    let (har, log, report, warc, trace) = (
        path("out.har"),
        path("log"),
        path("report.html"),
        path("a.warc"),
        path("trace"),
    );
    let mut found = Vec::new();
    let mut note = |name: &str, ran: &Ran| {
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if text.contains(MARK) {
                found.push(format!("{stream} of {name}: {text}"));
            }
        }
    };
    let all = [
        "-vvv",
        "-o",
        &har,
        "--log-file",
        &log,
        "--log-level",
        "trace",
        "--report",
        &report,
        "--warc",
        &warc,
        "--record",
        &trace,
    ];
    note("the run", &fetch_all(&[&all[..], arguments].concat()));
    note(
        "text",
        &fetch_all(&[&["--format", "text"], arguments].concat()),
    );
    note("dry run", &fetch_all(&[&["--dry-run"], arguments].concat()));
    note(
        "print-config",
        &fetch_all(&[&["--print-config"], arguments].concat()),
    );
    note("replay", &fetch_all(&["replay", &trace]));
    found.extend(leaking(outputs.path()));
    found.extend(leaks_in_records(arguments));
    found
}

/// Runs with each format of records and with StatsD, and returns the columns that have the secret but
/// are not what the caller asked for.
fn leaks_in_records(arguments: &[&str]) -> Vec<String> {
    let outputs = tempfile::tempdir().unwrap();
    let parquet = outputs.path().join("out.parquet");
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let run =
        |options: &[&str]| fetch_all(&[options, &["--retry", "0"], arguments].concat()).stdout;
    let mut cells: Vec<(String, String)> = Vec::new();
    for record in run(&["--format", "jsonl", "--statsd", &address]).lines() {
        let Ok(serde_json::Value::Object(record)) = serde_json::from_str(record) else {
            continue; // no record, because the command line was refused
        };
        cells.extend(
            record
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string())),
        );
    }
    let table = run(&["--format", "csv"]);
    let mut table = csv::Reader::from_reader(table.as_bytes());
    let names = table.headers().unwrap().clone();
    for row in table.records().map(Result::unwrap) {
        let pairs = names.iter().zip(&row);
        cells.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    run(&["--format", "parquet", "-o", parquet.to_str().unwrap()]);
    if let Ok(file) = File::open(&parquet) {
        let reader = SerializedFileReader::new(file).unwrap();
        for row in reader.get_row_iter(None).unwrap().map(Result::unwrap) {
            let columns = row.get_column_iter();
            cells.extend(columns.map(|(name, value)| (name.clone(), value.to_string())));
        }
    }
    let mut packet = [0; 65536];
    while let Ok(length) = server.recv(&mut packet) {
        let metrics = String::from_utf8_lossy(&packet[..length]).into_owned();
        cells.push(("StatsD".to_owned(), metrics));
    }
    let is_asked_for = |name: &str| matches!(name, "url" | "url_effective" | "row");
    let leaks = cells
        .into_iter()
        .filter(|(name, value)| value.contains(MARK) && !is_asked_for(name));
    leaks
        .map(|(name, value)| format!("column {name}: {value}"))
        .collect()
}

#[test]
fn a_secret_is_in_no_output_by_whichever_way_it_came() {
    let site = site();
    let url = site.url("/status/404");
    let with_user = |user: &str| url.replace("http://", &format!("http://{user}@"));
    let nested = format!("{url}?next=https%3A%2F%2Fa.test%2F%3Ftoken%3D{MARK}");
    let list = List::new("");
    let file = |name: &str, text: String| {
        fs::write(list.file(name), text).unwrap();
        list.path(name)
    };
    let netrc = file(
        "netrc",
        format!("machine 127.0.0.1 login me password {MARK}\n"),
    );
    let jar = file("jar", format!("127.0.0.1\tFALSE\t/\tFALSE\t0\tk\t{MARK}\n"));
    let fields = file("fields", format!("X-Api-Key: {MARK}\n"));
    let options = file("options", format!("user = \"me:{MARK}\"\n"));
    let configuration = file("config", format!("user = [\"me:{MARK}\"]\n"));
    let certificate = format!("/no/certificate.pem:{MARK}");
    let policy = file("policy", format!("[auth.a]\npassword = \"{MARK}\" x\n"));
    let text = file(
        "list",
        format!("{url}?token={MARK}\nnot a url ?token={MARK}\nhttp://u:{MARK}@h st/\n"),
    );
    let rows = file(
        "rows.jsonl",
        format!(
            "{{\"url\": \"{url}\", \"headers\": {{\"Authorization\": \"Bearer {MARK}\"}}}}\n\
         {{\"url\": \"{url}\", \"headers\": {{\"Authorization\": \"Bearer {MARK}\"}}, \"method\": 1}}\n\
         {{\"url\": \"{url}\", \"headers\": \"X-Api-Key: {MARK}\"}}\n"
        ),
    );
    let table = file(
        "rows.csv",
        format!("url\n{url}?password={MARK}\n\"{url}?api_key={MARK}\n"),
    );
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let redirect = |target: &str| site.url(&format!("/redirect-to?url={}", encode(target)));
    let to_user = redirect(&with_user(&format!("me:{MARK}")));
    let to_token = redirect(&format!("{url}?session_token={MARK}"));
    let to_nowhere = redirect(&format!(
        "http://me:{MARK}@127.0.0.1:1/;sid={MARK}?sig={MARK}"
    ));
    let environment = format!("{{\"url\": \"{url}\", \"headers\": {{\"X-Auth\": \"{MARK}\"}}}}\n");
    let more_rows = file("more.jsonl", environment);
    let no_proxy = format!("http://me:{MARK}@127.0.0.1:1");
    let bare_proxy = format!("me:{MARK}@127.0.0.1:1");
    let ways: &[&[&str]] = &[
        &["-x", &no_proxy, &url],
        &["-x", &bare_proxy, &url],
        &[
            "-x",
            "http://127.0.0.1:1",
            "--proxy-user",
            &format!("me:{MARK}"),
            &url,
        ],
        &[
            "-x",
            "http://127.0.0.1:1",
            "--proxy-header",
            &format!("X-Key: {MARK}"),
            &url,
        ],
        &["-L", &to_user],
        &["-L", &to_token],
        &["-L", &to_nowhere],
        &["--no-location", &to_nowhere],
        &["-e", &format!("{url}?token={MARK}"), &url],
        &["-i", &more_rows],
        &[&format!("{url}/https%3A%2F%2Fme%3A{MARK}%40a.test")],
        &[&format!("http://me:{MARK}/x@127.0.0.1/")],
        &[&format!("me:{MARK}@127.0.0.1:1/")],
        &["--no-such-option", &with_user(&format!("me:{MARK}"))],
        &["--retry", "x", "-u", &format!("me:{MARK}"), &url],
        &[&with_user(&format!("me:{MARK}"))],
        &[&with_user(MARK)],
        &[&format!("{url}?access_token={MARK}")],
        &[&format!("{url};jsessionid={MARK}")],
        &[&nested],
        &["-H", &format!("X-Api-Key: {MARK}"), &url],
        &["-H", &format!("Authorization: Bearer {MARK}"), &url],
        &["-H", &format!("@{fields}"), &url],
        &["-u", &format!("me:{MARK}"), &url],
        &["--oauth2-bearer", MARK, &url],
        &[
            "--token-url",
            &url,
            "--client-id",
            "a",
            "--client-secret",
            MARK,
            &url,
        ],
        &["--netrc-file", &netrc, &url],
        &["-b", &format!("k={MARK}"), &url],
        &["-b", &jar, &url],
        &["-K", &options, &url],
        &["--config", &configuration, &url],
        &["--policy", &policy, &url],
        &["-E", &certificate, &url],
        &["-H", &format!("X-Api-Key {MARK}"), &url],
        &["-d", &format!("password={MARK}"), &url],
        &["-i", &text],
        &["-i", &rows],
        &["-i", &table],
    ];
    let ran = fetch_all(&["policy", "check", &policy]);
    assert!(ran.code == 1 && !ran.stdout.contains(MARK), "{ran:?}");
    let leaks: Vec<_> = ways.iter().map(|way| (way, leaks_of(way))).collect();
    let leaks: Vec<_> = leaks
        .iter()
        .filter(|(_, leaks)| !leaks.is_empty())
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn a_token_and_what_it_is_acquired_with_are_in_no_output() {
    let list = List::new("");
    fs::write(list.file("secret"), MARK).unwrap();
    let place = format!("file:{}", list.path("secret"));
    let token = format!(r#"{{"access_token": "{MARK}", "token_type": "Bearer"}}"#);
    let echo = format!(r#"{{"error": "invalid_client", "error_description": "not {MARK}"}}"#);
    for (status, body) in [(200, token), (401, echo)] {
        let mut server = TokenServer::builder();
        for _ in 0..20 {
            server = server.reply(TokenReply::new(status, "application/json", &body));
        }
        let (server, site) = (server.start().unwrap(), site());
        let (token_url, url) = (server.url(), site.url("/status/404"));
        let leaks = leaks_of(&[
            "--token-url",
            &token_url,
            "--client-id",
            "me",
            "--client-secret",
            &place,
            &url,
        ]);
        assert!(leaks.is_empty(), "{leaks:#?}");
        assert!(!server.requests().is_empty());
        if status == 200 {
            let sent = site.last_request("/status/404").unwrap();
            assert!(sent.header("authorization").unwrap().contains(MARK));
        }
    }
}

#[test]
fn a_secret_is_in_no_metric_and_on_no_page_of_a_run() {
    let site = site();
    let stalled = site.url(&format!("/delay/10?token={MARK}"));
    let failed = site.url(&format!("/status/404?api_key={MARK}"));
    let refused = format!("http://me:{MARK}@127.0.0.1:1/?token={MARK}");
    let options = [
        "--metrics-listen",
        "0",
        "-m",
        "20",
        "--retry",
        "0",
        "-u",
        &format!("me:{MARK}"),
    ];
    let mut run = command(&[&options[..], &[&stalled, &failed, &refused]].concat());
    let mut child = run.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().split("http://").nth(1).unwrap();
    let address = address.trim_end_matches('/');
    while !get(address, "/metrics").contains("http_response_status_code=\"404\"") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for page in ["/", "/metrics"] {
        let text = get(address, page);
        assert!(!text.contains(MARK), "{page}: {text}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_is_not_on_the_screen() {
    let site = site();
    let list = List::new(format!(
        "{}\n{}\nhttp://me:{MARK}@127.0.0.1:1/?token={MARK}\nhttp://h st/?token={MARK}\n",
        site.url(&format!("/get?access_token={MARK}")),
        site.url(&format!("/status/404;sid={MARK}")),
    ));
    let list = list.path("list");
    let common = [
        "--host-rate",
        "1/50ms",
        "-u",
        &format!("me:{MARK}"),
        "-o",
        "/dev/null",
        "-i",
        &list,
    ];
    for view in [&["--tui"][..], &[]] {
        let output = run_on_terminal(200, 50, &[&common[..], view].concat());
        let text = String::from_utf8_lossy(&output);
        assert!(
            text.contains("404") && !text.contains(MARK),
            "{view:?}: {text}"
        );
    }
}

#[test]
fn a_referer_with_a_secret_does_not_go_to_another_origin() {
    let (site, other) = (site(), site());
    let target = format!("/redirect-to?url={}", other.url("/anything"));
    let redirect = site.url(&target);
    for (referer, is_sent) in [
        ("http://a.test/?page=1", true),
        ("http://a.test/?token=1", false),
        ("http://me:pass@a.test/", false),
    ] {
        assert_eq!(fetch_all(&["-L", "-e", referer, &redirect]).code, 0);
        let seen = other.last_request("/anything").unwrap();
        assert_eq!(seen.header("referer"), is_sent.then_some(referer));
        let first = site.last_request(&target);
        assert_eq!(first.unwrap().header("referer"), Some(referer));
    }
}

#[test]
fn cells_that_look_like_formulas_are_text_if_asked() {
    let site = site();
    let url = site.url("/get");
    let list = List::new(format!("url,note\n{url},x\n=cmd(),x\n"));
    let input = list.path("list");
    let run = |more: &[&str]| {
        fetch_all(
            &[
                &["--format", "csv", "-i", &input, "--input-format", "csv"],
                more,
            ]
            .concat(),
        )
    };
    assert!(
        run(&["--csv-safe"]).stdout.contains(",'=cmd(),"),
        "{:?}",
        run(&["--csv-safe"])
    );
    assert!(run(&[]).stdout.contains(",=cmd(),"));
    let refused = fetch_all(&["--csv-safe", "--format", "jsonl", &url]);
    assert!(
        refused.code == 2 && refused.stderr.contains("--format csv"),
        "{refused:?}"
    );
}
