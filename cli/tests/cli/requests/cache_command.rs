//! `fetch-all cache`: what is in a directory, and its removal.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::*;

/// A directory with the responses to these paths of a site.
struct Stored {
    directory: TempDir,
    site: fetch_testbed::Site,
}

impl Stored {
    fn new(paths: &[&str]) -> Self {
        let (directory, site) = (tempfile::tempdir().unwrap(), site());
        let stored = Self { directory, site };
        for path in paths {
            let run = fetch_all(&["--cache", stored.path(), &stored.site.url(path)]);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        stored
    }

    fn path(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Ran {
        fetch_all(&[&["cache", command, self.path()], arguments].concat())
    }

    fn list(&self) -> Vec<Value> {
        let ran = self.run("list", &["--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        parse(&ran.stdout)
    }

    /// Changes the last byte of the only file.
    fn damage(&self) -> PathBuf {
        let list = self.list();
        let file = PathBuf::from(list[0]["file"].as_str().unwrap());
        let mut content = fs::read(&file).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(&file, content).unwrap();
        file
    }
}

#[test]
fn a_list_has_each_response_with_its_state() {
    let stored = Stored::new(&["/cache/0?token=t0ps3cret", "/cache/1000"]);
    let list = stored.list();
    let column = |name: &str| list.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    let url = stored.site.url("/cache/1000");
    assert_eq!(list[1]["url"], json!(url));
    assert_eq!(column("state"), [json!("stale"), json!("fresh")]);
    assert_eq!(column("status"), [json!(200), json!(200)]);
    assert_eq!(list[1]["lifetime"], json!(1000));
    assert_eq!(column("identity"), [json!(null), json!(null)]);
    let text = stored.run("list", &[]).stdout;
    assert!(text.starts_with("STATE ") && text.ends_with("2 responses\n"));
    assert!(!text.contains("t0ps3cret") && text.contains("token=REDACTED"));
    let only = |arguments: &[&str]| parse(&stored.run("list", arguments).stdout).len();
    assert_eq!(only(&["--json", "--stale"]), 1);
    assert_eq!(only(&["--json", "glob:/cache/1*"]), 1);
    assert_eq!(only(&["--json", "/cache/0", "/cache/1"]), 2);
    assert_eq!(only(&["--json", "host:other.test"]), 0);
}

#[test]
fn stats_count_states_hosts_and_identities() {
    let stored = Stored::new(&["/cache/0", "/cache/1000"]);
    let url = stored.site.url("/cache/1000");
    let with_password = ["--cache", stored.path(), "-u", "me:t0ps3cret", &url];
    assert_eq!(fetch_all(&with_password).code, 0);
    let stats = parse(
        &stored
            .run("stats", &["--json"])
            .stdout
            .replace(['\n', ' '], ""),
    );
    for (name, value) in [
        ("responses", 3),
        ("urls", 2),
        ("hosts", 1),
        ("fresh", 2),
        ("stale", 1),
        ("expired", 0),
        ("with_identity", 1),
        ("identities", 1),
        ("damaged_files", 0),
    ] {
        assert_eq!(stats[0][name], json!(value), "{name}");
    }
    let text = stored.run("stats", &[]).stdout;
    assert!(
        text.starts_with("responses   3 of 2 URLs on 1 host\n"),
        "{text}"
    );
}

#[test]
fn show_has_the_fields_and_the_body_of_what_is_stored() {
    let stored = Stored::new(&["/cache/1000"]);
    let url = stored.site.url("/cache/1000");
    let shown = stored.run("show", &[&url]).stdout;
    for part in [
        &*format!("url         {url}\n"),
        "state       fresh, age ",
        "HTTP/1.1 200\n",
        "cache-control: ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let body = stored.run("show", &[&url, "--body"]).stdout;
    assert!(body.starts_with('{'), "{body}");
    let other = stored.run("show", &[&stored.site.url("/none")]);
    assert_eq!(other.code, 1);
    assert!(other.stdout.starts_with("nothing is stored for "));
    // Another identity: two responses for one URL.
    assert_eq!(
        fetch_all(&["--cache", stored.path(), "-u", "me:x", &url]).code,
        0
    );
    let refused = stored.run("show", &[&url, "--body"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("2 responses are stored"),
        "{}",
        refused.stderr
    );
    let one = stored.run("show", &[&url, "--variant", "2"]).stdout;
    assert!(
        one.starts_with("variant     2 of 2\n") && !one.contains("identity    none"),
        "{one}"
    );
    assert_eq!(stored.run("show", &[&url, "--variant", "3"]).code, 2);
}

#[test]
fn purge_removes_what_is_meant_and_nothing_else() {
    let stored = Stored::new(&["/cache/0", "/cache/1000", "/cache/2000"]);
    let refused = stored.run("purge", &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--all"), "{}", refused.stderr);
    assert_eq!(stored.run("purge", &["--all", "--stale"]).code, 2);
    let dry = stored.run("purge", &["--stale", "--dry-run"]).stdout;
    assert!(dry.contains("/cache/0\nwould remove 1 response ("), "{dry}");
    let none = stored.run("purge", &["--unused", "3600"]).stdout;
    assert_eq!(none, "removed 0 responses (0 B), 3 left\n");
    assert!(
        stored
            .run("purge", &["/cache/1"])
            .stdout
            .ends_with("2 left\n")
    );
    let urls: Vec<_> = stored.list().iter().map(|row| row["url"].clone()).collect();
    let left = ["/cache/0", "/cache/2000"].map(|path| json!(stored.site.url(path)));
    assert_eq!(urls, left);
    assert!(stored.run("purge", &["--all"]).stdout.ends_with("0 left\n"));
    let again = ["--cache", stored.path(), &stored.site.url("/cache/2000")];
    assert_eq!(fetch_all(&again).record()["cache"], json!("miss"));
}

#[test]
fn damage_is_reported_and_removed() {
    let stored = Stored::new(&["/cache/1000"]);
    let whole = stored.run("verify", &[]);
    assert_eq!(
        (whole.code, &*whole.stdout),
        (0, "1 response is whole, no damage\n")
    );
    let file = stored.damage();
    let damaged = stored.run("verify", &[]);
    assert_eq!(damaged.code, 3);
    let line = format!("{}: its body is damaged\n", file.display());
    assert!(damaged.stdout.starts_with(&line), "{}", damaged.stdout);
    assert!(Path::new(&file).exists());
    fs::write(&file, "no such format").unwrap();
    assert!(stored.run("list", &[]).stdout.contains("1 file is damaged"));
    let removed = stored.run("verify", &["--remove"]);
    assert_eq!(removed.code, 0);
    assert!(
        removed.stdout.ends_with("1 damaged file was removed\n"),
        "{}",
        removed.stdout
    );
    assert!(!file.exists());
}

#[test]
fn a_directory_without_a_cache_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    for command in ["stats", "list", "verify"] {
        let ran = fetch_all(&["cache", command, path]);
        assert_eq!(ran.code, 3);
        let hint = "pass the directory that was given to --cache";
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    }
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
}
