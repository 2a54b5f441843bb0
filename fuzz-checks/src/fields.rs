//! Header fields, and the files that stand for them.

use std::time::{Duration, SystemTime};

use fetch_driver::url::{Position, Url};
use fetch_driver::{CookieJar, Netrc, parse_retry_after};
use fetch_proto::{
    Engine, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input, Policy, PolicyRules,
    RedirectPolicy, Timestamp, location_text,
};
use http::{HeaderMap, HeaderValue, header};

/// URLs of requests, of which the first byte of an input chooses one.
const URLS: [&str; 6] = [
    "http://a.test/",
    "https://a.test/x/y?q=1",
    "https://www.a.test/x/",
    "http://user:secret@a.test:8080/a%20b",
    "http://192.0.2.1/",
    "http://[2001:db8::1]/",
];

fn url(choice: u8) -> Url {
    let text = URLS[usize::from(choice) % URLS.len()];
    text.parse().expect("the checks have valid URLs")
}

/// The first byte chooses the URL of a response, the other lines are its fields `Set-Cookie`.
///
/// - Cookies go to the origin's domain and no other, and secure ones only over https.
/// - The field that is sent is one field, without control characters besides tabs.
/// - A jar that is saved and loaded is the same, but for cookies that the format cannot hold.
pub fn check_set_cookie(input: &[u8]) {
    let Some((choice, fields)) = input.split_first() else {
        return;
    };
    let url = url(*choice);
    let mut headers = HeaderMap::new();
    for field in fields.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    let jar = CookieJar::new();
    jar.store(&url, &headers);
    for other in [
        "http://b.test/",
        "https://test/",
        "http://xa.test/",
        "http://192.0.2.2/",
    ] {
        assert_eq!(sent(&jar, other), None, "cookies of {url} for {other}");
    }
    let own = sent(&jar, url.as_str());
    let plain = sent(&jar, &url.as_str().replace("https:", "http:"));
    if let (Some(own), Some(plain)) = (&own, &plain) {
        assert!(plain.len() <= own.len());
    }
    let (file, left_out) = jar.to_netscape();
    let again = CookieJar::new();
    assert_eq!(
        again.load(&file),
        Vec::<String>::new(),
        "{}",
        file.escape_ascii()
    );
    assert_eq!(again.to_netscape(), (file, 0));
    if left_out == 0 {
        let first = own.as_deref().map(sorted);
        let loaded = sent(&again, url.as_str());
        assert_eq!(loaded.as_deref().map(sorted), first);
    }
}

/// The cookies of a field. Their order depends on when they were created, which a file does not have.
fn sorted(field: &[u8]) -> Vec<&[u8]> {
    let mut cookies: Vec<_> = field
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .collect();
    cookies.sort_unstable();
    cookies
}

/// The field `Cookie` of a request.
fn sent(jar: &CookieJar, url: &str) -> Option<Vec<u8>> {
    let mut headers = HeaderMap::new();
    jar.add_to(
        &mut headers,
        &url.parse().expect("the checks have valid URLs"),
    );
    let mut fields = headers.get_all(header::COOKIE).iter();
    let field = fields.next()?;
    assert!(fields.next().is_none(), "one field");
    let is_valid = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    assert!(field.as_bytes().iter().all(is_valid));
    Some(field.as_bytes().to_vec())
}

/// Every cookie file is loaded, and what is written from it is loaded and written again.
pub fn check_cookie_file(file: &[u8]) {
    let jar = CookieJar::new();
    let skipped = jar.load(file);
    assert!(skipped.iter().all(|line| line.starts_with("line ")));
    let (written, left_out) = jar.to_netscape();
    assert_eq!(left_out, 0, "cookies of a file can be written to one");
    let again = CookieJar::new();
    let skipped = again.load(&written);
    assert!(
        skipped.is_empty(),
        "{skipped:?} of {}",
        written.escape_ascii()
    );
    assert_eq!(again.to_netscape().0, written);
}

/// Every netrc file is parsed or refused, and messages show none of its words.
pub fn check_netrc(file: &[u8]) {
    let Ok((netrc, skipped)) = Netrc::parse(file) else {
        return;
    };
    let lines = file.split(|byte| *byte == b'\n').count();
    for message in &skipped {
        let number = message
            .strip_prefix("line ")
            .and_then(|rest| rest.split_once(": "));
        let number = number.and_then(|(number, _)| number.parse().ok());
        assert!(number.is_some_and(|number: usize| (1..=lines).contains(&number)));
    }
    for host in ["a", "A", "", "[::1]"] {
        let first = netrc.authorization(host, None);
        let named = netrc.authorization(host, Some("a"));
        assert!(first.is_some() || named.is_none());
    }
}

/// A field `Retry-After` is a number of seconds, a date, or ignored.
pub fn check_retry_after(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let wait = parse_retry_after(text, now);
    let trimmed = text.trim_matches([' ', '\t']);
    match trimmed.parse::<u64>() {
        Ok(seconds) if !trimmed.starts_with('+') => {
            assert_eq!(wait, Some(Duration::from_secs(seconds)));
        }
        _ => {
            let is_number = trimmed.bytes().all(|byte| byte.is_ascii_digit());
            let date = httpdate::parse_http_date(trimmed);
            assert_eq!(
                wait.is_some(),
                date.is_ok() || is_number && !trimmed.is_empty()
            );
            if let (Some(wait), Ok(date)) = (wait, date) {
                assert_eq!(wait, date.duration_since(now).unwrap_or_default());
            }
        }
    }
    if let Some(wait) = wait.filter(|wait| wait.as_secs() < 1 << 32) {
        let date = httpdate::fmt_http_date(now + wait);
        assert_eq!(parse_retry_after(&date, now), Some(wait));
    }
}

/// The first byte chooses the URL and the status of a redirect, the others are its `Location`.
///
/// - It leads to an http or https URL, or the fetch fails.
/// - A login in the URL goes to no other origin.
/// - The target of the next request is one word of ASCII.
pub fn check_location(input: &[u8]) {
    let Some((choice, location)) = input.split_first() else {
        return;
    };
    if HeaderValue::from_bytes(location).is_err() {
        return;
    }
    let from = url(*choice);
    let status = [301, 302, 303, 307, 308][usize::from(choice / 6) % 5];
    let policy = Policy::default()
        .attempts(1)
        .redirects(RedirectPolicy::limit(1));
    let config = EngineConfig::default().rules(PolicyRules::from_policy(policy));
    let now = Timestamp::START;
    let mut engine = Engine::new(config, 1, now);
    engine
        .submit(FetchRequest::get(from.clone()), now)
        .expect("there is room");
    let first = loop {
        match engine.poll(now) {
            EngineOutput::Start(attempt) => break attempt,
            EngineOutput::Event(..) => {}
            output => panic!("{output:?}"),
        }
    };
    let head = HeadSummary::status(status).location(Some(location_text(location)));
    engine.handle(first.id, Input::Head(head), now);
    engine.handle(first.id, Input::End(Ok(())), now);
    loop {
        match engine.poll(now) {
            EngineOutput::Start(next) => {
                assert!(matches!(next.url.scheme(), "http" | "https"));
                assert!(next.url.host_str().is_some_and(|host| !host.is_empty()));
                let target = &next.url[Position::BeforePath..Position::AfterQuery];
                assert!(
                    target.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{target}"
                );
                assert!(target.starts_with('/'));
                let is_same = next.url.origin() == from.origin();
                assert!(is_same || !next.send_credentials, "{from} to {}", next.url);
                let has_login = next
                    .credentials
                    .as_ref()
                    .is_some_and(|pair| pair.password() == "secret");
                let is_given = location.windows(6).any(|window| window == b"secret");
                assert!(is_same || !has_login || is_given);
                return;
            }
            EngineOutput::Done(_, outcome) => {
                assert!(outcome.result.is_err() || location.trim_ascii().is_empty());
                return;
            }
            EngineOutput::Idle(idle) => panic!("{idle:?}"),
            _ => {}
        }
    }
}
