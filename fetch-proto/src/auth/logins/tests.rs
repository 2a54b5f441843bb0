use alloc::format;

use super::*;

const ORIGIN: &str = "http://a.test";
const FETCH: FetchId = FetchId::STANDALONE;

/// Logins by any scheme at one origin.
#[derive(Default)]
struct Site(Logins);

impl Site {
    /// Sends a request, and returns the realm, the nonce and the count that it is sent with.
    fn send(&mut self, path: &str) -> (Option<LoginUse>, alloc::string::String) {
        match self.0.next_answer(ORIGIN, path, FETCH) {
            None => (None, "-".into()),
            Some((sent, ChallengeAnswer::Basic)) => (Some(sent), "basic".into()),
            Some((sent, ChallengeAnswer::Digest(answer))) => {
                let challenge = answer.challenge();
                let (realm, nonce, count) = (challenge.realm(), challenge.nonce(), answer.count());
                (Some(sent), format!("{realm} {nonce} {count}"))
            }
        }
    }

    /// A 401 with this field; returns whether the request is sent again.
    fn refuse(&mut self, path: &str, sent: Option<LoginUse>, field: &str) -> bool {
        let url = format!("{ORIGIN}{path}").parse().unwrap();
        let challenges = AuthChallenge::parse_all([field]);
        let schemes = LoginSchemes::ANY;
        self.0
            .take_challenges((ORIGIN, &url), sent, &challenges, schemes)
    }

    fn accept(&mut self, sent: Option<LoginUse>, info: Option<&str>) {
        self.0.accept(ORIGIN, sent.unwrap(), info);
    }
}

#[test]
fn later_requests_use_the_nonce_again_and_are_counted() {
    let mut site = Site::default();
    let (sent, shown) = site.send("/1");
    assert_eq!(shown, "-");
    assert!(site.refuse("/1", sent, r#"Digest realm="r", nonce="n", qop="auth""#));
    let shown: Vec<_> = ["/1", "/2", "/other/3"]
        .map(|path| site.send(path).1)
        .into();
    assert_eq!(shown, ["r n 1", "r n 2", "r n 3"]);
}

#[test]
fn a_stale_nonce_is_replaced_and_a_refused_password_is_not_sent_again() {
    let mut site = Site::default();
    assert!(site.refuse_first(r#"Digest realm="r", nonce="1""#));
    let (sent, _) = site.send("/");
    assert!(site.refuse("/", sent, r#"Digest realm="r", nonce="2", stale=true"#));
    let (sent, shown) = site.send("/");
    assert_eq!(shown, "r 2 1");
    assert!(!site.refuse("/", sent, r#"Digest realm="r", nonce="3""#));
}

#[test]
fn a_nonce_that_worked_may_be_replaced_without_being_called_stale_once() {
    let mut site = Site::default();
    assert!(site.refuse_first(r#"Digest realm="r", nonce="1""#));
    let (sent, _) = site.send("/");
    site.accept(sent, None);
    let (sent, _) = site.send("/");
    assert!(site.refuse("/", sent, r#"Digest realm="r", nonce="2""#));
    let (sent, _) = site.send("/");
    assert!(!site.refuse("/", sent, r#"Digest realm="r", nonce="3""#));
}

#[test]
fn requests_in_flight_with_an_old_nonce_do_not_replace_the_newer_one() {
    let mut site = Site::default();
    assert!(site.refuse_first(r#"Digest realm="r", nonce="1""#));
    let (first, second) = (site.send("/").0, site.send("/").0);
    assert!(site.refuse("/", first, r#"Digest realm="r", nonce="2", stale=true"#));
    assert!(site.refuse("/", second, r#"Digest realm="r", nonce="3", stale=true"#));
    assert_eq!(site.send("/").1, "r 2 1");
}

#[test]
fn the_next_nonce_of_a_response_counts_from_one() {
    let mut site = Site::default();
    assert!(site.refuse_first(r#"Digest realm="r", nonce="1""#));
    let (sent, _) = site.send("/");
    site.accept(sent, Some(r#"nextnonce="2""#));
    assert_eq!(site.send("/").1, "r 2 1");
}

#[test]
fn each_realm_has_its_own_nonce_and_a_path_uses_that_of_its_folder() {
    let mut site = Site::default();
    let _ = site.send("/a/1");
    assert!(site.refuse("/a/1", None, r#"Digest realm="A", nonce="a""#));
    let (sent, shown) = site.send("/b/1");
    assert_eq!(shown, "A a 1");
    assert!(site.refuse("/b/1", sent, r#"Digest realm="B", nonce="b""#));
    let shown: Vec<_> = ["/a/2", "/b/2", "/a/c/3"]
        .map(|path| site.send(path).1)
        .into();
    assert_eq!(shown, ["A a 2", "B b 1", "A a 3"]);
}

#[test]
fn a_domain_limits_the_protection_space() {
    let mut site = Site::default();
    let field = r#"Digest realm="r", nonce="n", domain="/in http://a.test/too http://b.test/x""#;
    let _ = site.send("/in/1");
    assert!(site.refuse("/in/1", None, field));
    for (path, expected) in [
        ("/in/2", "r n 1"),
        ("/too", "r n 2"),
        ("/x", "-"),
        ("/inside", "-"),
    ] {
        assert_eq!(site.send(path).1, expected, "{path}");
    }
}

#[test]
fn the_strongest_challenge_is_answered() {
    let md5 = r#"Digest realm="r", nonce="md5""#;
    let sha = r#"Digest realm="r", nonce="sha", algorithm=SHA-256"#;
    for (field, expected) in [
        (format!("Basic realm=x, {md5}, {sha}"), "r sha 1"),
        (format!("{sha}, {md5}"), "r sha 1"),
        (format!("Basic realm=x, Bearer, {md5}"), "r md5 1"),
        ("Negotiate, Basic realm=x".into(), "basic"),
    ] {
        let mut site = Site::default();
        assert!(site.refuse_first(&field));
        assert_eq!(site.send("/").1, expected, "{field}");
    }
    let url = "http://a.test/".parse().unwrap();
    let basic = AuthChallenge::parse_all(["Basic realm=x"]);
    let mut logins = Logins::default();
    let _ = logins.next_answer(ORIGIN, "/", FETCH);
    assert!(!logins.take_challenges((ORIGIN, &url), None, &basic, LoginSchemes::DIGEST));
}

#[test]
fn a_basic_login_that_is_refused_is_not_sent_again() {
    let mut site = Site::default();
    assert!(site.refuse_first("Basic realm=x"));
    let (sent, _) = site.send("/");
    assert!(!site.refuse("/", sent, "Basic realm=x"));
}

impl Site {
    fn refuse_first(&mut self, field: &str) -> bool {
        let (sent, _) = self.send("/");
        self.refuse("/", sent, field)
    }
}
