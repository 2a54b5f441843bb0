//! Where secrets are found, and where not.

use alloc::format;
use alloc::string::String;

use super::*;

#[test]
fn user_and_password_of_a_url_are_hidden() {
    for (text, shown) in [
        ("http://u@a.test/p", "http://REDACTED@a.test/p"),
        ("http://u:S@a.test/p", "http://REDACTED:REDACTED@a.test/p"),
        ("http:\\\\u:S@a.test", "http:\\\\REDACTED:REDACTED@a.test"),
        ("http:u:S@a.test", "http:REDACTED:REDACTED@a.test"),
        ("HTTP:/u:S@a.test", "HTTP:/u:S@a.test"),
        ("///u:S@a.test", "///REDACTED:REDACTED@a.test"),
        ("http://u:S@h st/", "http://REDACTED:REDACTED@h st/"),
        ("http://u:S S@a.test/", "http://REDACTED:REDACTED@a.test/"),
        ("http://u:S@S@a.test/", "http://REDACTED:REDACTED@a.test/"),
        ("http://u:S/S@a.test/", "http://REDACTED:REDACTED@a.test/"),
        ("http://u:S?#S@a.test/", "http://REDACTED:REDACTED@a.test/"),
        ("u:S@a.test:1/x", "REDACTED:REDACTED@a.test:1/x"),
        ("'u:S@a.test'", "'REDACTED:REDACTED@a.test'"),
        (
            "http://a.test/http://u:S@b.test/",
            "http://a.test/http://REDACTED:REDACTED@b.test/",
        ),
        (
            "{\"url\":\"http:\\/\\/u:S@a.test\"}",
            "{\"url\":\"http:\\/\\/REDACTED:REDACTED@a.test\"}",
        ),
        (
            "from http://u:S@a.test to http://v:S@b.test",
            "from http://REDACTED:REDACTED@a.test to http://REDACTED:REDACTED@b.test",
        ),
    ] {
        assert_eq!(redact_secrets(text), shown, "{text}");
    }
}

#[test]
fn values_with_secret_names_are_hidden() {
    for (text, shown) in [
        (
            "http://a.test/?Token=S&a=b",
            "http://a.test/?Token=REDACTED&a=b",
        ),
        (
            "http://a.test/?to%6ben=S",
            "http://a.test/?to%6ben=REDACTED",
        ),
        (
            "http://a.test/?u%5Bpassword%5D=S",
            "http://a.test/?u%5Bpassword%5D=REDACTED",
        ),
        (
            "http://a.test/?u[password]=S",
            "http://a.test/?u[password]=REDACTED",
        ),
        (
            "http://a.test/?a=1;token=S",
            "http://a.test/?a=1;token=REDACTED",
        ),
        (
            "http://a.test/?sig=S;/?S#x",
            "http://a.test/?sig=REDACTED#x",
        ),
        (
            "see 'http://a.test/?sig=S', not",
            "see 'http://a.test/?sig=REDACTED', not",
        ),
        (
            "/?next=http://b.test/?key=S",
            "/?next=http://b.test/?key=REDACTED",
        ),
        ("/p;jsessionid=S?x=1", "/p;jsessionid=REDACTED?x=1"),
        ("/p;JSESSIONID=S;v=1/q", "/p;JSESSIONID=REDACTED;v=1/q"),
        ("/p/token=S/q", "/p/token=REDACTED/q"),
        (
            "http://a.test/#access_token=S&a=1",
            "http://a.test/#access_token=REDACTED&a=1",
        ),
        ("password=S/S&a=1", "password=REDACTED&a=1"),
        ("sid=S; Path=/", "sid=REDACTED; Path=/"),
        ("api_key = \"S S\" # x", "api_key = \"REDACTED\" # x"),
        (
            "{\"X-Api-Key\": \"S\\\"S\", \"a\": \"b\"}",
            "{\"X-Api-Key\": \"REDACTED\", \"a\": \"b\"}",
        ),
        ("{'token':'S','a':1}", "{'token':'REDACTED','a':1}"),
        (
            "{\"token\":5,\"a\":[\"b\"]}",
            "{\"token\":REDACTED,\"a\":[\"b\"]}",
        ),
        (
            "{\"cookies\":[\"S\",\"S\"],\"a\":1}",
            "{\"cookies\":REDACTED,\"a\":1}",
        ),
        (
            "{\\\"token\\\":\\\"S\\\"}",
            "{\\\"token\\\":\\\"REDACTED\\\"}",
        ),
        ("Cookie: a=S; b=S", "Cookie: REDACTED"),
        ("x-api-key: S S\r\nA: b", "x-api-key: REDACTED\r\nA: b"),
        (
            "-H 'X-Api-Key: S' http://a.test/",
            "-H 'X-Api-Key: REDACTED' http://a.test/",
        ),
    ] {
        assert_eq!(redact_secrets(text), shown, "{text}");
    }
}

#[test]
fn what_is_encoded_is_searched_at_every_level() {
    let mut text = String::from("http://u:S@b.test/?token=S");
    for _ in 0..8 {
        text = text
            .replace('%', "%25")
            .replace(':', "%3A")
            .replace('/', "%2F");
        text = text
            .replace('=', "%3D")
            .replace('@', "%40")
            .replace('?', "%3F");
        for (url, shown) in [
            (
                format!("https://a.test/?next={text}"),
                "https://a.test/?next=REDACTED",
            ),
            (
                format!("https://a.test/go/{text}/x"),
                "https://a.test/go/REDACTED/x",
            ),
        ] {
            assert_eq!(redact_secrets(&url), shown);
        }
    }
}

#[test]
fn tokens_are_found_by_their_form() {
    for (text, shown) in [
        ("no url ghp_0123456789abcdefghij x", "no url REDACTED x"),
        ("/AKIA0123456789ABCDEF/", "/REDACTED/"),
        ("a Bearer abcdefgh.1jk", "a Bearer REDACTED"),
        ("basic dXNlcjpwYXNz", "basic REDACTED"),
        ("x=eyJhbGciOi.eyJzdWIi.c2ln", "x=REDACTED"),
        ("x=eyJhbGciOiJkaXIi..aXY.Y3Q.dGFn", "x=REDACTED"),
        (
            "/bot123456:AAH0123456789abcdefghijklmnopqrstuv/getMe",
            "/REDACTED/getMe",
        ),
        (
            "https://hooks.slack.com/services/T0/B0/S",
            "https://hooks.slack.com/services/REDACTED",
        ),
    ] {
        assert_eq!(redact_secrets(text), shown, "{text}");
    }
}

#[test]
fn what_is_not_secret_is_shown() {
    for text in [
        "",
        "http://a.test/?a=b&monkey=1&page=2&max_tokens=3",
        "http://a.test/?next=https%3A%2F%2Fb.test%2F%3Fid%3D1",
        "https://a.test:8080/p;v=1/a@b:c",
        "http://a.test/?to=me@b.test",
        "http://[::1]:80/x@y",
        "mail me@a.test, or mailto:me@a.test",
        "page: 1, the key: unknown, code: 5, bot: x",
        "Basic authentication, bearer authentication.",
        "--cookie-jar: 1 cookie has a tab",
        "12:30:05 http://a.test/",
        "%",
        "100%25",
        "ü=ü%",
    ] {
        assert_eq!(redact_secrets(text), text);
        assert!(!has_secret(text));
    }
}

#[test]
fn once_is_enough() {
    for text in [
        "http://u:S@a.test/;sid=S?token=S&next=https%3A%2F%2Fu%3AS%40b.test#key=S",
        "Authorization: Basic bWU6cHc=",
        "{\"token\": \"S\"}",
    ] {
        let shown = redact_secrets(text).into_owned();
        assert_eq!(redact_secrets(&shown), shown);
    }
}

#[test]
fn long_texts_of_separators_take_linear_time() {
    // Quadratic time would take hours.
    for part in [
        "//a:b",
        "a:b ",
        "a=",
        "%41=",
        "\"key",
        "=\"",
        "token=\"\\",
        "@",
        "//",
        "'key':[",
        "Bearer ",
        "sk-",
        "eyJ.",
    ] {
        let text = format!("x@{}", part.repeat(100_000 / part.len()));
        let _ = redact_secrets(&text);
    }
}
