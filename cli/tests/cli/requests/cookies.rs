//! Cookie files that curl and the command exchange.

use std::io::ErrorKind;
use std::process::Command;

use crate::support::*;

#[test]
fn curl_and_the_command_read_each_others_cookie_files() {
    match Command::new("curl").arg("-V").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let is_required = std::env::var_os("TEST_REQUIRE_SERVERS").is_some();
            assert!(!is_required, "curl is not installed");
            return;
        }
        version => assert!(version.unwrap().status.success()),
    }
    let site = site();
    let directory = tempfile::tempdir().unwrap();
    let curl = |arguments: &[&str]| {
        let mut curl = Command::new("curl");
        assert!(curl.arg("-qs").args(arguments).status().unwrap().success());
    };
    let own = |arguments: &[&str]| {
        assert_eq!(fetch_all(arguments).code, 0);
    };
    for set in [
        "a=1; Path=/",
        "a=1; Path=/; HttpOnly; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "a=\"x, y\"; Path=/anything",
        "a=#1; Path=/; Max-Age=1000000",
    ] {
        let encoded: String = set.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let url = site.url(&format!("/set-cookie?c={encoded}"));
        let pair = set.split(';').next();
        let (theirs, ours) = (directory.path().join("curl"), directory.path().join("own"));
        let (theirs, ours) = (theirs.to_str().unwrap(), ours.to_str().unwrap());
        curl(&["-c", theirs, &url]);
        own(&["-b", theirs, "-c", ours, &site.url("/anything/curl")]);
        curl(&["-b", ours, &site.url("/anything/own")]);
        for path in ["/anything/curl", "/anything/own"] {
            let seen = site.last_request(path).unwrap();
            assert_eq!(seen.header("cookie"), pair, "{path}: {set}");
        }
    }
}
