//! Saved bodies: files, tar files, WARC.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use ring::digest;
use tempfile::TempDir;

use crate::support::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The body of `/bytes/N`.
fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

/// All files in a directory, by their relative paths.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(at: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

fn directory() -> (TempDir, PathBuf, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept");
    let text = path.to_str().unwrap().to_owned();
    (dir, path, text)
}

#[test]
fn files_are_named_by_content_and_records_have_their_paths() {
    let site = site();
    let (_dir, kept, path) = directory();
    let urls = ["/bytes/300000", "/bytes/10", "/status/404"].map(|path| site.url(path));
    let ran = fetch_all(&["--output-dir", &path, &urls[0], &urls[1], &urls[2]]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = files(&kept);
    assert_eq!(found.len(), 2, "the body of a 404 is not kept: {found:?}");
    for record in ran.records() {
        let size = record["size_delivered"].as_u64().unwrap() as usize;
        if record["response_code"] == 404 {
            assert!(record["filename_effective"].is_null());
            continue;
        }
        let (digest, name) = (sha256(&bytes(size)), &record["filename_effective"]);
        assert_eq!(record["sha256"], digest);
        let name = name.as_str().unwrap();
        assert!(name.contains(&digest), "{name}");
        assert_eq!(found[name], bytes(size));
    }
}

#[test]
fn a_template_names_files_and_replaces_none_by_default() {
    let site = site();
    let (_dir, kept, path) = directory();
    let template = ["--output-dir", &path, "--name-template", "{seq}-{name}"];
    let (small, large) = (site.url("/bytes/3"), site.url("/bytes/4"));
    for url in [&small, &large] {
        let ran = fetch_all(&[&template[..3], &["same", url]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let expected = [("same", bytes(3)), ("same.1", bytes(4))];
    assert_eq!(
        files(&kept),
        expected
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .into()
    );
    fetch_all(&[&template[..3], &["same", "--clobber", &large]].concat());
    assert_eq!(files(&kept)["same"], bytes(4));
    fetch_all(&[&template[..], &[&small, &large]].concat());
    assert!(files(&kept).contains_key("1-3") && files(&kept).contains_key("2-4"));
}

#[test]
fn no_url_leaves_the_directory() {
    let site = site();
    let (dir, kept, path) = directory();
    let evil = [
        "/anything/..%2f..%2f..%2fetc%2fpasswd",
        "/anything/%2e%2e/%2e%2e/anything/x",
        "/anything/%00nul",
        "/anything/.hidden",
        "/anything/-rf",
        "/anything/con",
        "/anything/C:%5cwindows",
        "/anything/a%0ab",
    ];
    let long = format!("/anything/{}", "n".repeat(3000));
    let urls: Vec<_> = evil
        .iter()
        .chain([&&*long])
        .map(|path| site.url(path))
        .collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let arguments = ["--output-dir", &path, "--name-template", "{path}"];
    let ran = fetch_all(&[&arguments[..], &urls].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(files(&kept).len(), evil.len() + 1);
    let beside: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    for name in files(&kept).keys() {
        let clean = name
            .split('/')
            .all(|part| ![".", "..", ""].contains(&part) && part.len() <= 255);
        assert!(clean && !name.contains(['\0', '\n', '\\']), "{name:?}");
    }
}

#[test]
fn a_truncated_body_leaves_no_file() {
    let site = site();
    let (_dir, kept, path) = directory();
    let urls = ["/truncate", "/reset-body"].map(|path| site.url(path));
    let ran = fetch_all(&["--retry", "0", "--output-dir", &path, &urls[0], &urls[1]]);
    assert_eq!(ran.records().len(), 2, "{ran:?}");
    assert!(files(&kept).is_empty(), "{:?}", files(&kept));
}

#[test]
fn a_kill_inside_a_body_leaves_no_file_with_its_name() {
    let site = site();
    let (_dir, kept, path) = directory();
    let (fast, slow) = (
        site.url("/bytes/5"),
        site.url("/drip?bytes=1000000&duration=60"),
    );
    let template = ["--output-dir", &path, "--name-template", "{name}"];
    let mut child = command(&[&template[..], &["-m", "60", &fast, &slow]].concat())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !kept.join("5").exists() || site.observed().in_flight == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let names: Vec<_> = files(&kept).into_keys().collect();
    let whole = names.iter().filter(|name| !name.ends_with(".part"));
    assert_eq!(whole.collect::<Vec<_>>(), ["5"]);
}

#[test]
fn skip_existing_does_not_fetch_existing_files() {
    let site = site();
    let (_dir, kept, path) = directory();
    let url = site.url("/bytes/7");
    let arguments = [
        "--output-dir",
        &path,
        "--name-template",
        "{name}",
        "--skip-existing",
        &url,
    ];
    assert_eq!(fetch_all(&arguments).record()["outcome"], "ok");
    let again = fetch_all(&arguments);
    assert_eq!((again.code, site.hits("/bytes/7")), (0, 1));
    assert_eq!(again.record()["outcome"], "skipped");
    assert!(again.stderr.contains("skipped"), "{}", again.stderr);
    assert_eq!(files(&kept).len(), 1);
}

#[test]
fn a_link_in_a_path_is_an_error_of_its_url_only() {
    let site = site();
    let (dir, kept, path) = directory();
    fs::create_dir(&kept).unwrap();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, kept.join("anything")).unwrap();
    let urls = ["/anything/x", "/bytes/2"].map(|path| site.url(path));
    let template = ["--output-dir", &path, "--name-template", "{path}"];
    let ran = fetch_all(&[&template[..], &[&urls[0], &urls[1]]].concat());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(files(&kept).get("bytes/2"), Some(&bytes(2)));
    let failed = ran
        .records()
        .into_iter()
        .find(|r| r["outcome"] != "ok")
        .unwrap();
    assert!(
        failed["errormsg"].as_str().unwrap().contains("link"),
        "{failed}"
    );
    assert_eq!(failed["exitcode"], 23);
}

/// The members of a tar file: names and contents.
pub(crate) fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap();
    let member = |entry: std::io::Result<tar::Entry<'_, File>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    entries.map(member).collect()
}

#[test]
fn tar_files_have_each_body_with_its_record() {
    let site = site();
    let (_dir, kept, path) = directory();
    let urls: Vec<_> = (1..=5).map(|n| site.url(&format!("/bytes/{n}"))).collect();
    let mut arguments = vec!["--tar", &path, "--tar-count", "2"];
    arguments.extend(urls.iter().map(String::as_str));
    let ran = fetch_all(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    let names: Vec<_> = files(&kept).into_keys().collect();
    assert_eq!(names, ["00000.tar", "00001.tar", "00002.tar"]);
    let all: Vec<_> = names
        .iter()
        .flat_map(|name| members(&kept.join(name)))
        .collect();
    assert_eq!(all.len(), 10);
    for pair in all.chunks(2) {
        let [(body, bytes_), (record, json)] = pair else {
            unreachable!()
        };
        assert_eq!(
            body.split_once('.').unwrap().0,
            record.strip_suffix(".json").unwrap()
        );
        let record: serde_json::Value = serde_json::from_slice(json).unwrap();
        let size = record["size_delivered"].as_u64().unwrap() as usize;
        assert_eq!((&bytes(size), size), (bytes_, bytes_.len()));
    }
}

/// The next run shows whether the state matches the tar files of a killed run.
#[test]
fn a_killed_run_loses_no_body_that_its_state_has_as_completed() {
    let site = site();
    let (dir, kept, path) = directory();
    let state = dir.path().join("state").to_str().unwrap().to_owned();
    let records = dir.path().join("records").to_str().unwrap().to_owned();
    let lines: String = (0..3000)
        .map(|n| site.url(&format!("/bytes/9?{n}")) + "\n")
        .collect();
    let list = List::new(lines);
    let list = list.path("list");
    let arguments = [
        "--state", &state, "-o", &records, "--tar", &path, "-i", &list, "-q",
    ];
    let mut child = command(&arguments).spawn().unwrap();
    let begun = Instant::now();
    while site.observed().requests < 800 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = fetch_all(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut seqs: Vec<_> = files(&kept)
        .keys()
        .flat_map(|name| members(&kept.join(name)))
        .filter_map(|(name, _)| name.strip_suffix(".json").map(ToOwned::to_owned))
        .collect();
    seqs.sort();
    seqs.dedup();
    assert_eq!(seqs.len(), 3000);
    let records = parse(&fs::read_to_string(&records).unwrap());
    assert_eq!(records.len(), 3000);
}

/// The records of a WARC file: fields and block.
pub(crate) fn warc(bytes: &[u8]) -> Vec<(BTreeMap<String, String>, Vec<u8>)> {
    let mut reader = BufReader::new(bytes);
    let mut records = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return records;
        }
        assert_eq!(line, "WARC/1.1\r\n");
        let mut fields = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                assert_eq!(line, "\r\n");
                break;
            };
            fields.insert(name.to_owned(), value.to_owned());
        }
        let mut block = vec![0; fields["Content-Length"].parse().unwrap()];
        reader.read_exact(&mut block).unwrap();
        let mut end = [0; 4];
        reader.read_exact(&mut end).unwrap();
        assert_eq!(&end, b"\r\n\r\n");
        records.push((fields, block));
    }
}

#[test]
fn a_warc_file_has_responses_and_requests_with_correct_digests() {
    let site = site();
    let (dir, ..) = directory();
    for name in ["a.warc", "a.warc.gz"] {
        let path = dir.path().join(name);
        let urls = ["/bytes/200000", "/gzip", "/status/404"].map(|path| site.url(path));
        let secret = ["-H", "authorization: Bearer very-secret", "-H", "x-a: b"];
        let arguments = [
            "--warc",
            path.to_str().unwrap(),
            &urls[0],
            &urls[1],
            &urls[2],
        ];
        let ran = fetch_all(&[&secret[..], &arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut bytes = fs::read(&path).unwrap();
        if name.ends_with(".gz") {
            let mut plain = Vec::new();
            MultiGzDecoder::new(&bytes[..])
                .read_to_end(&mut plain)
                .unwrap();
            bytes = plain;
        }
        assert!(!String::from_utf8_lossy(&bytes).contains("very-secret"));
        let records = warc(&bytes);
        let kinds: Vec<_> = records
            .iter()
            .map(|(f, _)| f["WARC-Type"].as_str())
            .collect();
        assert_eq!(kinds[0], "warcinfo");
        assert_eq!(kinds.iter().filter(|kind| **kind == "response").count(), 3);
        assert_eq!(kinds.iter().filter(|kind| **kind == "request").count(), 3);
        for (fields, block) in &records {
            if let Some(told) = fields.get("WARC-Block-Digest") {
                let sha = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, block);
                let found = data_encoding(sha.as_ref());
                assert_eq!(told, &format!("sha1:{found}"), "{fields:?}");
            }
            if fields["WARC-Type"] == "request" {
                assert!(String::from_utf8_lossy(block).contains("x-a: b\r\n"));
            }
        }
        let response = records.iter().find(|(fields, _)| {
            fields["WARC-Type"] == "response" && fields["WARC-Target-URI"] == urls[0]
        });
        let (_, block) = response.unwrap();
        assert!(
            block.starts_with(b"HTTP/1.1 200 OK\r\n"),
            "{:?}",
            &block[..40]
        );
        assert!(block.ends_with(&self::bytes(200_000)));
    }
}

/// RFC 4648's base 32, as in WARC digests.
fn data_encoding(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |five: &[u8]| u8::from_str_radix(std::str::from_utf8(five).unwrap(), 2).unwrap();
    let letters = bits
        .as_bytes()
        .chunks(5)
        .map(|five| LETTERS[usize::from(digit(five))]);
    String::from_utf8(letters.collect()).unwrap()
}

#[test]
fn an_existing_archive_is_not_overwritten() {
    let site = site();
    let (dir, ..) = directory();
    let path = dir.path().join("a.warc");
    fs::write(&path, "precious").unwrap();
    fetch_all(&["--warc", path.to_str().unwrap(), &site.url("/get")]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert!(dir.path().join("a-00001.warc").exists());
}

#[test]
fn an_unwritable_destination_stops_before_any_request() {
    let site = site();
    let list = List::new("");
    let (file, url) = (list.path("list"), site.url("/get"));
    let warc = format!("{file}/a.warc");
    for options in [["--output-dir", &file], ["--tar", &file], ["--warc", &warc]] {
        let ran = fetch_all(&[&options[..], &[&url]].concat());
        assert_eq!(ran.code, 3, "{options:?}: {ran:?}");
        assert!(ran.stderr.contains(options[0]), "{ran:?}");
    }
    assert_eq!(site.observed().requests, 0);
}
