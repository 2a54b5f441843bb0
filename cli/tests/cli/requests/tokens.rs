//! Tokens from a token server.

use std::fs;

use fetch_testbed::{Site, TokenReply, TokenServer};

use crate::support::*;

/// The options of a policy file with tokens for the site below `/bearer/`, by these keys.
fn policy(list: &List, site: &Site, server: &TokenServer, keys: &str) -> [String; 2] {
    let (origin, url) = (site.url("/bearer/"), server.url());
    let text = format!("[auth.api]\norigins = [\"{origin}\"]\ntoken_url = \"{url}\"\n{keys}\n");
    fs::write(list.file("p.toml"), text).unwrap();
    ["--policy".to_owned(), list.path("p.toml")]
}

/// A file with this secret, as the policy file names it.
fn secret(list: &List, name: &str, text: &str) -> String {
    fs::write(list.file(name), text).unwrap();
    format!("file:{}", list.path(name))
}

#[test]
fn one_token_is_acquired_for_all_urls() {
    let (site, list) = (site(), List::new(""));
    let server = TokenServer::builder()
        .client("me", "hush")
        .lifetime(60)
        .start()
        .unwrap();
    let place = secret(&list, "secret", "hush\n");
    let keys = format!(
        "kind = \"client_credentials\"\nclient_id = \"me\"\nclient_secret = \"{place}\"\nscope = \"read\""
    );
    let [option, path] = policy(&list, &site, &server, &keys);
    let url = site.url("/bearer/token-1?[1-50]");
    let ran = fetch_all(&[&option, &path, "--fail", &url]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.records().len(), 50);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].form["scope"], "read");
}

#[test]
fn the_options_acquire_tokens_for_the_origins_of_all_urls() {
    let (site, other, list) = (site(), site(), List::new(""));
    let server = TokenServer::builder().client("me", "hush").start().unwrap();
    let place = secret(&list, "secret", "hush");
    let token_url = server.url();
    let options = [
        "--token-url",
        &token_url,
        "--client-id",
        "me",
        "--client-secret",
        &place,
        "--scope",
        "read",
    ];
    let elsewhere = site.url(&format!("/redirect-to?url={}", other.url("/anything")));
    let ran = fetch_all(&[&options[..], &[&site.url("/bearer/token-1"), &elsewhere]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let statuses: Vec<_> = ran
        .records()
        .iter()
        .map(|one| one["response_code"].clone())
        .collect();
    assert_eq!(statuses, [200, 200]);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].form["scope"], "read");
    let seen = other.last_request("/anything").unwrap();
    assert_eq!(seen.header("authorization"), None, "it left its origin");
    let url = site.url("/bearer/token-1");
    let ran = fetch_all(&[&options[..], &["--location-trusted", &url]].concat());
    assert_eq!(ran.code, 2, "a token would leave its origin");
}

#[test]
fn a_401_is_cured_by_a_new_token_and_is_no_retry() {
    let (site, list) = (site(), List::new(""));
    let server = TokenServer::builder().rotating("first").start().unwrap();
    let place = secret(&list, "refresh", "first");
    let keys = format!("kind = \"refresh_token\"\nrefresh_token = \"{place}\"");
    let [option, path] = policy(&list, &site, &server, &keys);
    let ran = fetch_all(&[
        &option,
        &path,
        &site.url("/bearer/token-2"),
        &site.url("/get"),
    ]);
    let records = ran.records();
    let authorized = records.iter().find(|one| one["auth"] == "api").unwrap();
    assert_eq!(authorized["response_code"], 200, "{}", ran.stderr);
    assert_eq!(
        (&authorized["auth_retries"], &authorized["num_retries"]),
        (&1.into(), &0.into())
    );
    let other = records.iter().find(|one| one["seq"] == 2).unwrap();
    assert!(other.get("auth_retries").is_none(), "{other}");
    let expected = "auth      2 tokens acquired, 1 request sent again after a 401";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn urls_fail_fast_and_clearly_if_the_client_is_refused() {
    let (site, list) = (site(), List::new(""));
    let server = TokenServer::builder().client("me", "hush").start().unwrap();
    let place = secret(&list, "secret", "hunter2");
    let token_url = server.url();
    let ran = fetch_all(&[
        "--token-url",
        &token_url,
        "--client-id",
        "me",
        "--client-secret",
        &place,
        &site.url("/bearer/token-1?[1-20]"),
    ]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    for record in ran.records() {
        assert_eq!(record["outcome"], "auth");
        assert_eq!(record["error_type"], "no_token");
        assert_eq!(record["auth"], "--token-url");
    }
    assert_eq!(server.requests().len(), 1);
    assert!(
        ran.stderr.contains("invalid_client: check"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
    assert_eq!(site.observed().requests, 0);
}

#[test]
fn a_token_server_that_recovers_is_waited_for() {
    let (site, list) = (site(), List::new(""));
    let busy = TokenReply::new(502, "text/html", "<h1>Bad gateway</h1>");
    let server = TokenServer::builder()
        .rotating("first")
        .reply(busy)
        .start()
        .unwrap();
    let place = secret(&list, "refresh", "first");
    let keys = format!("kind = \"refresh_token\"\nrefresh_token = \"{place}\"");
    let [option, path] = policy(&list, &site, &server, &keys);
    let ran = fetch_all(&[&option, &path, &site.url("/bearer/token-1")]);
    assert_eq!(ran.record()["response_code"], 200, "{}", ran.stderr);
    assert_eq!(server.requests().len(), 2);
    assert!(
        ran.stderr.contains("status 502 without a token"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_key_that_signs_nothing_is_reported_before_any_request() {
    let (site, list) = (site(), List::new(""));
    let server = TokenServer::builder().start().unwrap();
    let place = secret(&list, "key.pem", "hunter2");
    let keys = format!("kind = \"jwt_bearer\"\nissuer = \"me\"\nkey = \"{place}\"");
    let [option, path] = policy(&list, &site, &server, &keys);
    let ran = fetch_all(&[&option, &path, &site.url("/bearer/token-1")]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("is not a private key in PEM"),
        "{}",
        ran.stderr
    );
    let ran = fetch_all(&["policy", "check", &path]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("is not a private key in PEM"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("hunter2"));
    assert!(server.requests().is_empty());
}

#[test]
fn processes_share_a_refresh_token_that_each_answer_replaces() {
    let list = List::new("");
    let server = TokenServer::builder()
        .rotating("first")
        .lifetime(2)
        .start()
        .unwrap();
    let (origin, place) = (server.resource_url(), secret(&list, "refresh", "first"));
    let text = format!(
        "[auth.api]\nkind = \"refresh_token\"\norigins = [\"{origin}\"]\ntoken_url = \"{}\"\n\
         refresh_token = \"{place}\"\ntoken_cache = \"{}\"\n[limits]\nhost_rate = \"20/s\"\n",
        server.url(),
        list.path("tokens.json"),
    );
    fs::write(list.file("p.toml"), text).unwrap();
    let url = format!("{origin}?[1-100]");
    let policy = list.path("p.toml");
    let runs = std::thread::scope(|scope| {
        let run = || fetch_all(&["--policy", &policy, "--fail", &url]);
        [(); 4]
            .map(|()| scope.spawn(run))
            .map(|one| one.join().unwrap())
    });
    for ran in runs {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.records().len(), 100);
    }
    let requests = server.requests();
    let errors: Vec<_> = requests.iter().filter_map(|one| one.error).collect();
    assert_eq!(errors, [""; 0]);
    assert!(requests.len() > 1, "the token was refreshed");
}

#[test]
fn no_url_fails_because_a_token_ends() {
    let list = List::new("");
    // Some seconds long; a minute with tokens of 5 s at night.
    let (life, seconds) = match std::env::var_os("TEST_NIGHTLY") {
        Some(_) => (5, 60),
        None => (1, 3),
    };
    let server = TokenServer::builder()
        .client("me", "hush")
        .lifetime(life)
        .start()
        .unwrap();
    let (resource, place) = (server.resource_url(), secret(&list, "secret", "hush"));
    let (rate, start) = (1_000, std::time::Instant::now());
    let ran = fetch_all(&[
        "--token-url",
        &server.url(),
        "--client-id",
        "me",
        "--client-secret",
        &place,
        "--fail",
        "--host-rate",
        &format!("{rate}/s"),
        "-o",
        "/dev/null",
        &format!("{resource}?[1-{}]", rate * seconds),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let requests = server.requests().len() as u64;
    println!(
        "{requests} token requests, {} 401s: {}",
        server.refused(),
        ran.stderr
    );
    let lives = start.elapsed().as_secs() / life;
    assert!(requests > 1 && requests <= 2 + 2 * lives, "{requests}");
}
