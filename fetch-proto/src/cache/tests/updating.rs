use super::*;

#[test]
fn a_304_confirms_the_response_with_the_same_validator() {
    let table = [
        ("etag: \"a\"", "", true),
        ("etag: \"a\"", "etag: \"a\"", true),
        ("etag: W/\"a\"", "etag: \"a\"", true),
        ("etag: \"a\"", "etag: \"b\"", false),
        ("last-modified: @-9", "etag: \"b\"", false),
        ("last-modified: @-9", "etag: W/\"b\"", true),
    ];
    for (stored, answer, expected) in table {
        let head = store("", 200, stored, &CacheRules::default()).unwrap();
        assert_eq!(
            confirms(&head, &lines(answer)),
            expected,
            "{stored}, {answer}"
        );
    }
}

#[test]
fn a_304_replaces_all_fields_but_those_of_the_body_and_the_connection() {
    let answer = lines("connection: x, close");
    for (name, expected) in [
        ("cache-control", true),
        ("content-type", true),
        ("set-cookie", true),
        ("content-length", false),
        ("content-encoding", false),
        ("content-range", false),
        ("transfer-encoding", false),
        ("x", false),
    ] {
        assert_eq!(is_updated_field(name, &answer), expected, "{name}");
    }
}

#[test]
fn conditions_of_the_caller_are_evaluated_on_the_stored_response() {
    let stored = "etag: \"a\" | last-modified: @-100";
    let table = [
        ("if-none-match: \"a\"", true),
        ("if-none-match: W/\"a\"", true),
        ("if-none-match: \"x\", \"a\"", true),
        ("if-none-match: \"x\" | if-none-match: \"a\"", true),
        ("if-none-match: *", true),
        ("if-none-match: a", false),
        ("if-none-match: \"b\"", false),
        ("if-none-match: \"a\" | if-modified-since: @-200", true),
        ("if-none-match: \"b\" | if-modified-since: @-100", false),
        ("if-modified-since: @-100", true),
        ("if-modified-since: @-50", true),
        ("if-modified-since: @-101", false),
        ("if-modified-since: x", false),
        ("", false),
    ];
    let head = store("", 200, stored, &CacheRules::default()).unwrap();
    for (asked, expected) in table {
        assert_eq!(answers_condition(&lines(asked), &head), expected, "{asked}");
    }
    let other = store("", 404, stored, &CacheRules::default()).unwrap();
    assert!(!answers_condition(&lines("if-none-match: \"a\""), &other));
}

#[test]
fn unsafe_methods_invalidate_urls_of_their_origin() {
    let url = "http://a.test/x#f".parse().unwrap();
    let table: [(&str, u16, &str, &[&str]); 8] = [
        ("POST", 200, "", &["http://a.test/x"]),
        ("M-SEARCH", 204, "", &["http://a.test/x"]),
        (
            "DELETE",
            303,
            "location: y",
            &["http://a.test/x", "http://a.test/y"],
        ),
        (
            "PUT",
            200,
            "content-location: /z",
            &["http://a.test/x", "http://a.test/z"],
        ),
        (
            "PUT",
            200,
            "content-location: https://a.test/z",
            &["http://a.test/x"],
        ),
        ("POST", 404, "location: y", &[]),
        ("POST", 500, "", &[]),
        ("OPTIONS", 200, "location: y", &[]),
    ];
    for (method, status, fields, expected) in table {
        let method: Method = method.parse().unwrap();
        let urls = invalidated_urls(&method, status, &url, &lines(fields));
        let urls: Vec<_> = urls.iter().map(url::Url::as_str).collect();
        assert_eq!(urls, expected, "{method:?}, {status}, {fields}");
    }
}
