//! Profiles of authentication in a policy file.

use std::fs;

use fetch_testbed::Site;

use crate::support::*;

/// A policy file with a bearer token for the site below `/bearer/`, which a secret's place gives.
fn policy(list: &List, site: &Site, token: &str) -> String {
    let origin = site.url("/bearer/");
    let text =
        format!("[auth.api]\nkind = \"bearer\"\norigins = [\"{origin}\"]\ntoken = \"{token}\"\n");
    fs::write(list.file("p.toml"), text).unwrap();
    list.path("p.toml")
}

#[test]
fn a_token_is_read_from_the_environment_a_file_and_a_command() {
    let (site, list) = (site(), List::new(""));
    fs::write(list.file("token"), "t0k3n\n").unwrap();
    let file = format!("file:{}", list.path("token"));
    let mut places = vec!["env:PROFILE_TEST_TOKEN", &file];
    if cfg!(unix) {
        places.push("exec:printf '{\\\"token\\\":\\\"t0k3n\\\",\\\"expires_in\\\":60}'");
    }
    for place in places {
        let policy = policy(&list, &site, place);
        let mut command = command(&["--policy", &policy, &site.url("/bearer/t0k3n")]);
        let output = command.env("PROFILE_TEST_TOKEN", "t0k3n").output();
        let ran = ran(output.unwrap());
        assert_eq!(
            ran.record()["response_code"],
            200,
            "{place}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_profile_can_be_switched_off_and_stays_at_its_origins() {
    let (site, list) = (site(), List::new(""));
    fs::write(list.file("token"), "t0k3n").unwrap();
    let policy = policy(&list, &site, &format!("file:{}", list.path("token")));
    let sent = |path: &str, options: &[&str]| {
        let url = site.url(path);
        let ran = fetch_all(&[&["--policy", &policy], options, &[&url]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let seen = site.last_request(path).unwrap();
        seen.header("authorization").map(str::to_owned)
    };
    assert_eq!(sent("/bearer/t0k3n", &[]), Some("Bearer t0k3n".to_owned()));
    assert_eq!(
        sent("/bearer/t0k3n", &["--auth", "api"]),
        Some("Bearer t0k3n".to_owned())
    );
    assert_eq!(sent("/bearer/t0k3n", &["--auth", "none"]), None);
    assert_eq!(sent("/get", &["--auth", "api"]), None);
}

#[test]
fn a_profile_that_cannot_be_used_is_reported_before_any_request() {
    let (site, list) = (site(), List::new(""));
    let policy = policy(&list, &site, "env:PROFILE_TEST_UNSET");
    let url = site.url("/bearer/t0k3n");
    let ran = fetch_all(&["--policy", &policy, &url]);
    assert_eq!(ran.code, 2);
    let expected = "[auth.api] token: env:PROFILE_TEST_UNSET: the variable is not set: export it";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    let ran = fetch_all(&["policy", "check", &policy]);
    assert_eq!(ran.code, 1);
    let expected = "error: env:PROFILE_TEST_UNSET: the variable is not set";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
    assert!(ran.stdout.contains("p.toml:4:9"), "{}", ran.stdout);
    for (options, expected) in [
        (
            &["--auth", "api"][..],
            "add --policy FILE with a table [auth.api]",
        ),
        (&["--auth", "me:hunter2"], "write -u USER:PASSWORD"),
        (
            &["--auth", "apo", "--policy", &policy],
            "the policy file has api",
        ),
    ] {
        let ran = fetch_all(&[options, &[&url]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
    assert_eq!(site.hits("/bearer/t0k3n"), 0);
}
