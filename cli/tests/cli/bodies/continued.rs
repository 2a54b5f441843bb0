//! Downloads that a later run continues: `-C -`, and `--state` after a kill.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bodies::saved::{files, sha256};
use crate::support::*;

/// The length of the body.
const LENGTH: usize = 3_000_000;

/// A server of one body that supports ranges.
struct RangeServer {
    shared: Arc<Mutex<Served>>,
    url: String,
}

struct Served {
    /// The number of bytes of a response after which the connection is closed.
    breaks_after: usize,
    etag: &'static str,
    modified: Option<&'static str>,
    /// The fields `Range` and `If-Range` of the requests.
    ranges: Vec<(Option<String>, Option<String>)>,
    /// Whether connections are closed without an answer.
    refuses: bool,
    /// Whether the body comes in small pieces with pauses.
    trickles: bool,
}

impl RangeServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/film.bin", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Served {
            breaks_after: usize::MAX,
            etag: "\"one\"",
            modified: None,
            ranges: Vec::new(),
            refuses: false,
            trickles: false,
        }));
        let served = shared.clone();
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                // A client that goes away is no error.
                thread::spawn(move || answer(stream, &served));
            }
        });
        Self { shared, url }
    }

    fn set(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.shared.lock().unwrap());
    }

    fn ranges(&self) -> Vec<(Option<String>, Option<String>)> {
        std::mem::take(&mut self.shared.lock().unwrap().ranges)
    }
}

/// The body of an entity tag.
fn body(etag: &str) -> Vec<u8> {
    let first = etag.len();
    (0..LENGTH)
        .map(|n| ((n * 7 + n / 251 + first) % 251) as u8)
        .collect()
}

fn answer(mut stream: TcpStream, served: &Mutex<Served>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut range, mut if_range, mut line) = (None, None, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.trim().split_once(": ") {
            match &*name.to_ascii_lowercase() {
                "range" => range = Some(value.to_owned()),
                "if-range" => if_range = Some(value.to_owned()),
                _ => {}
            }
        }
        line.clear();
    }
    let (etag, modified, trickles, breaks_after) = {
        let served = &mut *served.lock().unwrap();
        served.ranges.push((range.clone(), if_range.clone()));
        if served.refuses {
            return Ok(());
        }
        let limit = served.breaks_after;
        // Nothing is answered after a break.
        served.refuses = limit < LENGTH;
        (served.etag, served.modified, served.trickles, limit)
    };
    let bytes = body(etag);
    let range = range.filter(|_| if_range.is_none_or(|tag| tag == etag));
    let first = range.and_then(|range| {
        let first = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        first.parse::<usize>().ok()
    });
    let (status, from) = match first {
        None => ("200 OK", 0),
        Some(first) if first < LENGTH => ("206 Partial Content", first),
        Some(_) => ("416 Range Not Satisfiable", LENGTH),
    };
    let range = match first {
        None => String::new(),
        Some(_) if from == LENGTH => format!("Content-Range: bytes */{LENGTH}\r\n"),
        Some(_) => format!("Content-Range: bytes {from}-{}/{LENGTH}\r\n", LENGTH - 1),
    };
    let modified = modified.map_or(String::new(), |date| format!("Last-Modified: {date}\r\n"));
    let length = LENGTH - from;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nETag: {etag}\r\n{modified}{range}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )?;
    let end = LENGTH.min(from.saturating_add(breaks_after));
    for piece in bytes[from..end].chunks(16 << 10) {
        stream.write_all(piece)?;
        if trickles {
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// The durable length of the only part in a directory, as soon as it has one.
fn wait_for_part(root: &Path) -> u64 {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "no part");
        let names = fs::read_dir(root).into_iter().flatten().flatten();
        let mut names = names.filter_map(|file| file.file_name().into_string().ok());
        if let Some(name) = names.find(|name| name.ends_with(".json"))
            && let Ok(text) = fs::read(root.join(name))
            && let Ok(info) = serde_json::from_slice::<Value>(&text)
        {
            return info["length"].as_u64().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a run with `--state`, kills it in the middle of the body, and returns the list and the number of
/// bytes that were durable at least.
fn kill_in_the_middle(server: &RangeServer, options: &[&str]) -> (List, u64) {
    let list = List::new(format!("{}\n", server.url));
    server.set(|served| served.trickles = true);
    let mut child = run(&list, options).spawn().unwrap();
    let length = wait_for_part(&list.file("kept"));
    child.kill().unwrap();
    child.wait().unwrap();
    server.set(|served| served.trickles = false);
    assert_eq!(server.ranges(), [(None, None)]);
    (list, length)
}

/// A run with `--state`.
fn run(list: &List, options: &[&str]) -> std::process::Command {
    let [urls, out, state] = ["list", "out", "state"].map(|name| list.path(name));
    let options = options
        .iter()
        .map(|text| text.replace("{kept}", &list.path("kept")));
    let mut command = command(&["-q", "-i", &urls, "-o", &out, "--state", &state]);
    command.args(options);
    command
}

fn only_record(list: &List) -> Value {
    let mut records = parse(&fs::read_to_string(list.file("out")).unwrap());
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[test]
fn a_killed_download_continues_where_its_durable_bytes_end() {
    for naming in [&["--name-template", "{name}"][..], &[]] {
        let server = RangeServer::start();
        let options = [&["--output-dir", "{kept}"], naming].concat();
        let (list, durable) = kill_in_the_middle(&server, &options);
        let done = ran(run(&list, &options).output().unwrap());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let record = only_record(&list);
        let from = record["resumed_from"].as_u64().unwrap();
        assert!(from >= durable, "{from} {durable}");
        let asked = (Some(format!("bytes={from}-")), Some("\"one\"".to_owned()));
        assert_eq!(server.ranges(), [asked]);
        assert_eq!(record["response_code"], 206);
        assert_eq!(record["sha256"], sha256(&body("\"one\"")));
        let found = files(&list.file("kept"));
        assert_eq!(found.len(), 1, "{:?}", found.keys());
        assert!(found[record["filename_effective"].as_str().unwrap()] == body("\"one\""));
    }
}

#[test]
fn a_killed_download_into_an_archive_continues_too() {
    for archive in [["--tar", "{kept}"], ["--warc", "{kept}/a.warc"]] {
        let server = RangeServer::start();
        let list = List::new(format!("{}\n", server.url));
        fs::create_dir(list.file("kept")).unwrap();
        server.set(|served| served.trickles = true);
        let mut child = run(&list, &archive).spawn().unwrap();
        wait_for_part(&list.file("kept"));
        child.kill().unwrap();
        child.wait().unwrap();
        server.set(|served| served.trickles = false);
        let done = ran(run(&list, &archive).output().unwrap());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let record = only_record(&list);
        assert!(record["resumed_from"].as_u64().is_some_and(|from| from > 0));
        assert_eq!(record["sha256"], sha256(&body("\"one\"")));
        assert_eq!(files(&list.file("kept")).len(), 1);
    }
}

#[test]
fn a_body_that_has_changed_starts_over() {
    let server = RangeServer::start();
    let options = ["--output-dir", "{kept}", "--name-template", "{name}"];
    let (list, _) = kill_in_the_middle(&server, &options);
    server.set(|served| served.etag = "\"another\"");
    let done = ran(run(&list, &options).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let record = only_record(&list);
    assert!(record["resumed_from"].is_null(), "{record}");
    assert_eq!(record["sha256"], sha256(&body("\"another\"")));
    let found = files(&list.file("kept"));
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["film.bin"]);
}

/// A run of `-C -` for the URL, into the directory.
fn continue_at(server: &RangeServer, root: &Path) -> Ran {
    let root = root.to_str().unwrap();
    let options = ["-s", "-C", "-", "-O", "--retry", "0", "--output-dir", root];
    fetch_all(&[&options[..], &[&server.url]].concat())
}

#[test]
fn a_download_that_broke_off_is_continued_by_the_next_run_and_then_complete() {
    let server = RangeServer::start();
    let root = tempfile::tempdir().unwrap();
    server.set(|served| served.breaks_after = 1_000_000);
    let failed = continue_at(&server, root.path());
    assert_ne!(failed.code, 0);
    let names: Vec<_> = files(root.path()).into_keys().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // Nothing is answered.
    server.ranges();
    let failed = continue_at(&server, root.path());
    assert_ne!(failed.code, 0);
    let (range, tag) = server.ranges().remove(0);
    assert!(range.is_some() && tag.as_deref() == Some("\"one\""));
    // It failed, and the part stays for the next run.
    server.set(|served| {
        (served.refuses, served.breaks_after) = (false, usize::MAX);
    });
    let ran = continue_at(&server, root.path());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.record()["resumed_from"].as_u64().is_some());
    let found = files(root.path());
    assert_eq!(found.len(), 1, "{:?}", found.keys());
    assert!(found["film.bin"] == body("\"one\""));
    // A complete file is recognized, and stays.
    server.ranges();
    let ran = continue_at(&server, root.path());
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = ran.record();
    assert_eq!(server.ranges(), [(Some(format!("bytes={LENGTH}-")), None)]);
    assert_eq!(
        (&record["outcome"], &record["size_download"]),
        (&"ok".into(), &0.into())
    );
    assert_eq!(record["filename_effective"], "film.bin");
    assert_eq!(record["sha256"], sha256(&body("\"one\"")));
    assert!(files(root.path()) == found);
}

#[test]
fn a_partial_file_of_another_program_is_continued_unless_the_body_has_changed_since() {
    let server = RangeServer::start();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("film.bin");
    fs::write(&path, &body("\"one\"")[..1_000_000]).unwrap();
    let ran = continue_at(&server, root.path());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.record()["resumed_from"], 1_000_000);
    assert!(fs::read(&path).unwrap() == body("\"one\""));
    assert_eq!(files(root.path()).len(), 1);
    fs::write(&path, b"begin").unwrap();
    server.set(|served| served.modified = Some("Sat, 01 Jan 2050 00:00:00 GMT"));
    let ran = continue_at(&server, root.path());
    assert_eq!(ran.code, 3, "{ran:?}");
    let error = ran.record()["errormsg"].as_str().unwrap().to_owned();
    assert!(error.contains("remove it, to start over"), "{error}");
    assert_eq!(files(root.path())["film.bin"], b"begin");
}

#[test]
fn continuing_needs_names_and_finds_offsets_itself() {
    let refused = |options: &[&str]| {
        let ran = fetch_all(&[options, &["http://127.0.0.1:9/x"]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    };
    let error = refused(&["-O", "-C", "100", "http://127.0.0.1:9/y"]);
    assert!(
        error.contains("write -C -") && error.contains("--range 100-"),
        "{error}"
    );
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    for options in [
        &["-C", "-"][..],
        &["-C", "-", "--output-dir", root],
        &["-C", "-", "--tar", root],
    ] {
        let error = refused(options);
        assert!(error.contains("use -O, or --output-dir"), "{error}");
    }
}

#[test]
fn an_offset_keeps_that_many_bytes_of_the_file() {
    let server = RangeServer::start();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("film.bin");
    let whole = body("\"one\"");
    let run = |offset: &str| {
        let root = root.path().to_str().unwrap();
        let options = ["-s", "-C", offset, "-O", "--output-dir", root, &server.url];
        let ran = fetch_all(&options);
        assert_eq!(ran.code, 0, "{ran:?}");
        (server.ranges(), ran.record())
    };
    // More than the offset is replaced by what the server has.
    fs::write(&path, [&whole[..1000], b"other bytes"].concat()).unwrap();
    let (ranges, record) = run("1000");
    assert_eq!(ranges, [(Some("bytes=1000-".to_owned()), None)]);
    assert_eq!(record["resumed_from"], 1000);
    assert!(fs::read(&path).unwrap() == whole);
    // A file that is shorter stays, because there would be a hole.
    fs::write(&path, b"short").unwrap();
    run("1000");
    let found = files(root.path());
    assert_eq!(found["film.bin"], b"short");
    assert!(found["film.bin.1"] == whole[1000..]);
    // Without a file, its rest alone is saved.
    fs::remove_file(&path).unwrap();
    run("1000");
    assert!(fs::read(&path).unwrap() == whole[1000..]);
}

#[test]
fn without_a_file_an_offset_asks_for_the_rest() {
    let server = RangeServer::start();
    let ran = fetch_all(&["-C", "1000", &server.url]);
    assert_eq!(ran.record()["response_code"], 206, "{ran:?}");
    assert_eq!(server.ranges(), [(Some("bytes=1000-".to_owned()), None)]);
}
