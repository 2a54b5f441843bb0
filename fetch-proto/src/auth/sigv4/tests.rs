use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::canonical::{canonical_path, canonical_query};
use super::*;

const DATE_TIME: &str = "20150830T123600Z";

/// The cases that AWS publishes in the repository awslabs/aws-c-auth: requests, and the signatures
/// in field and query.
const AWS_CASES: &str = include_str!("data/aws.jsonl");

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    hash.as_ref().try_into().expect("it has 32 bytes")
}

fn key() -> SigV4Key {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    SigV4Key::new(
        "AKIDEXAMPLE",
        secret,
        "20150830",
        "us-east-1",
        "service",
        &sha256,
    )
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// The request of a case, with the hash of its body.
fn request<'a>(case: &'a Value, payload: &'a str) -> SigV4Request<'a> {
    let mut request = SigV4Request::new(text(case, "method"), text(case, "path"), DATE_TIME)
        .query(text(case, "query"))
        .single_encoding(case["normalize"] == false)
        .payload_hash(payload);
    for field in case["fields"].as_array().expect("a list") {
        let part = |at: usize| field[at].as_str().expect("a text");
        request = request.field(part(0), part(1));
    }
    request
}

fn signature_in(text: &str) -> &str {
    text.rsplit_once("Signature=").expect("it is signed").1
}

#[test]
fn all_cases_that_aws_publishes_are_signed_as_published() {
    let (key, mut wrong, mut count) = (key(), Vec::new(), 0);
    for line in AWS_CASES.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let signs_body = case["sign_body"] == true;
        let payload = hexadecimal(&sha256(text(&case, "body").as_bytes()));
        let payload = if signs_body {
            &*payload
        } else {
            SigV4Request::EMPTY_PAYLOAD
        };
        let token = case["token"].as_str();
        let in_query = key.signed_query(&request(&case, payload), 3600, token, &sha256);
        let mut by_field = request(&case, payload).field("X-Amz-Date", DATE_TIME);
        if signs_body {
            by_field = by_field.field("X-Amz-Content-Sha256", payload);
        }
        if let Some(token) = token {
            by_field = by_field.field("X-Amz-Security-Token", token);
        }
        let by_field = key.authorization(&by_field, &sha256);
        let found = (signature_in(&by_field), signature_in(&in_query));
        if found
            != (
                text(&case, "header_signature"),
                text(&case, "query_signature"),
            )
        {
            wrong.push(text(&case, "name").to_string());
        }
        count += 1;
    }
    assert_eq!((count, wrong), (38, Vec::<String>::new()));
}

#[test]
fn paths_are_normalised_and_encoded_once_more() {
    let cases = [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/a//b/./c/../d", "/a/b/d"),
        ("/../a/.", "/a/"),
        ("/a%20b", "/a%2520b"),
        ("/*=:,@", "/%2A%3D%3A%2C%40"),
    ];
    for (path, expected) in cases {
        assert_eq!(canonical_path(path), expected, "{path}");
    }
}

#[test]
fn the_path_for_s3_is_encoded_once_whatever_the_url_left_plain() {
    let canonical = |path| {
        let request = SigV4Request::new("GET", path, DATE_TIME).single_encoding(true);
        let text = request.canonical("", ("", ""));
        text.lines().nth(1).expect("the path").to_string()
    };
    assert_eq!(canonical("/b/a%20b%3A*=(1)"), "/b/a%20b%3A%2A%3D%281%29");
    assert_eq!(canonical("/b/./x//y/.."), "/b/./x//y/..");
    assert_eq!(canonical("/b/%e1%88%b4%zz"), "/b/%E1%88%B4%25zz");
}

#[test]
fn queries_are_sorted_after_decoding() {
    let cases = [
        ("", ""),
        ("b", "b="),
        ("a=b&a=a&&A=c", "A=c&a=a&a=b"),
        ("x=%2b&x=a+b", "x=%2B&x=a%20b"),
        ("k=%e1%88%b4=", "k=%E1%88%B4%3D"),
        ("a=*:/~", "a=%2A%3A%2F~"),
    ];
    for (query, expected) in cases {
        assert_eq!(canonical_query(query, &[]), expected, "{query}");
    }
}

#[test]
fn debug_shows_no_key() {
    let shown = alloc::format!("{:?}", key());
    assert_eq!(
        shown,
        r#"SigV4Key { scope: "20150830/us-east-1/service/aws4_request", .. }"#
    );
}
