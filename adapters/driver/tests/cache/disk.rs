//! The store in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use fetch_driver::{Cache, DiskStore, Fetcher, Request};

use crate::server::{FRESH, Server, URL, get, request, respond, told};

/// A fetcher with a store in this directory.
fn fetcher(server: &Server, directory: &Path, bytes: u64) -> (Fetcher<Server>, Cache) {
    let cache = Cache::new(DiskStore::open(directory, bytes).unwrap());
    (server.fetcher(&cache), cache)
}

/// All files with responses.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.join("v1")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

/// Waits until the store has so many files, because a response is written after it was delivered.
fn wait_for_files(directory: &Path, count: usize) {
    while files(directory).len() != count {
        std::thread::yield_now();
    }
}

#[test]
fn responses_outlive_the_fetcher() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::fixed(FRESH);
    let first = fetcher(&server, directory.path(), 1 << 20).0;
    get(&first, request());
    wait_for_files(directory.path(), 1);
    let (second, cache) = fetcher(&server, directory.path(), 1 << 20);
    assert_eq!(cache.usage().responses, 1);
    let (body, status) = told(&get(&second, request()));
    assert!(body == "1" && status.starts_with("hit"), "{body}, {status}");
    let other = request().header("authorization", "Bearer a").unwrap();
    assert_eq!(told(&get(&second, other)).0, "2");
    assert_eq!(told(&get(&first, request())).0, "1");
}

#[test]
fn a_file_that_is_changed_anywhere_is_a_miss_and_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::fixed(FRESH);
    let fetcher = fetcher(&server, directory.path(), 1 << 20).0;
    get(&fetcher, request());
    wait_for_files(directory.path(), 1);
    let content = fs::read(&files(directory.path())[0]).unwrap();
    let cut = (0..content.len())
        .step_by(7)
        .map(|len| content[..len].to_vec());
    let flipped = (0..content.len()).step_by(7).map(|at| {
        let mut content = content.clone();
        content[at] ^= 1;
        content
    });
    for damaged in cut.chain(flipped) {
        let before = server.count();
        let file = files(directory.path()).pop().unwrap();
        fs::write(&file, damaged).unwrap();
        assert_eq!(told(&get(&fetcher, request())).0, (before + 1).to_string());
        while files(directory.path())
            .first()
            .is_none_or(|path| *path == file)
        {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_file_of_another_url_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::fixed(FRESH);
    let fetcher = fetcher(&server, directory.path(), 1 << 20).0;
    get(&fetcher, request());
    wait_for_files(directory.path(), 1);
    let first = files(directory.path()).pop().unwrap();
    get(&fetcher, Request::get("http://a.test/y").unwrap());
    wait_for_files(directory.path(), 2);
    let second = files(directory.path())
        .into_iter()
        .find(|path| *path != first)
        .unwrap();
    fs::copy(&first, &second).unwrap();
    assert_eq!(
        told(&get(&fetcher, Request::get("http://a.test/y").unwrap())).0,
        "3"
    );
}

#[test]
fn the_directory_stays_within_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::new(|_, _| respond(200, FRESH, &"x".repeat(1_000)));
    let (fetcher, cache) = fetcher(&server, directory.path(), 20_000);
    for n in 0..100 {
        get(&fetcher, Request::get(format!("{URL}{n}")).unwrap());
    }
    while cache.usage().evicted == 0 || cache.usage().bytes > 20_000 {
        std::thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let server = Server::fixed(FRESH);
    let fetcher = fetcher(&server, directory.path(), 1 << 20).0;
    get(
        &fetcher,
        request()
            .header("authorization", "Bearer t0ps3cret")
            .unwrap(),
    );
    wait_for_files(directory.path(), 1);
    let file = files(directory.path()).pop().unwrap();
    for path in [&file, &directory.path().join("secret")] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let content = fs::read(&file).unwrap();
    assert!(!content.windows(9).any(|part| part == b"t0ps3cret"));
}
