//! Cookie files that curl and the command exchange.

use std::process::Command;

use fetch_testbed::Site;
use fetch_testbed::servers::{Program, ServerTest};

use crate::support::command;

pub(crate) const TESTS: &[ServerTest] = &[ServerTest::new(
    "curl_and_the_command_read_each_others_cookie_files",
    &[Program::Curl],
    curl_and_the_command_read_each_others_cookie_files,
)];

fn curl_and_the_command_read_each_others_cookie_files() {
    let site = Site::builder().record(true).start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let curl = |arguments: &[&str]| {
        let mut curl = Command::new(Program::Curl.find().unwrap());
        assert!(curl.arg("-qs").args(arguments).status().unwrap().success());
    };
    let own = |arguments: &[&str]| {
        assert!(command(arguments).output().unwrap().status.success());
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
