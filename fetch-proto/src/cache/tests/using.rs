use super::*;

#[test]
fn a_stored_response_is_used_as_its_directives_and_the_request_allow() {
    // Fields of the response, seconds later, fields of the request, in a private cache, in a shared one.
    let table: [(&str, u64, &str, &str, &str); 41] = [
        ("cache-control: max-age=60", 59, "", "fresh", "fresh"),
        ("cache-control: max-age=60", 60, "", "forward", "forward"),
        (
            "cache-control: max-age=60 | etag: \"a\"",
            60,
            "",
            "validate",
            "validate",
        ),
        (
            "cache-control: max-age=60 | last-modified: @-9",
            60,
            "",
            "validate",
            "validate",
        ),
        (
            "cache-control: max-age=60 | last-modified: yesterday",
            60,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, no-cache | etag: \"a\"",
            1,
            "",
            "validate",
            "validate",
        ),
        (
            "cache-control: max-age=60, no-cache",
            1,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, no-cache=\"x\"",
            1,
            "",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60, no-cache=",
            1,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: no-cache",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            1,
            "pragma: no-cache",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            1,
            "pragma: no-cache | cache-control: max-age=9",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60",
            0,
            "cache-control: max-age=0",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            9,
            "cache-control: max-age=9",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60",
            10,
            "cache-control: max-age=9",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: max-age=x",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, immutable",
            1,
            "cache-control: max-age=0",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60, immutable",
            1,
            "cache-control: no-cache",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, immutable | etag: \"a\"",
            61,
            "cache-control: max-age=0",
            "validate",
            "validate",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: min-fresh=59",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: min-fresh=60",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: min-fresh=x",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            70,
            "cache-control: max-stale",
            "stale",
            "stale",
        ),
        (
            "cache-control: max-age=60",
            70,
            "cache-control: max-stale=10",
            "stale",
            "stale",
        ),
        (
            "cache-control: max-age=60",
            71,
            "cache-control: max-stale=10",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            70,
            "cache-control: max-stale=x",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, must-revalidate",
            70,
            "cache-control: max-stale",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, no-cache",
            70,
            "cache-control: max-stale",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, proxy-revalidate",
            70,
            "cache-control: max-stale",
            "stale",
            "forward",
        ),
        (
            "cache-control: max-age=60, s-maxage=60",
            70,
            "cache-control: max-stale",
            "stale",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            70,
            "cache-control: max-age=65, max-stale",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, stale-while-revalidate=9",
            68,
            "",
            "background",
            "background",
        ),
        (
            "cache-control: max-age=60, stale-while-revalidate=9",
            69,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, stale-while-revalidate=x",
            61,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, stale-while-revalidate=9, must-revalidate",
            61,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60, stale-while-revalidate=9, proxy-revalidate",
            61,
            "",
            "background",
            "forward",
        ),
        (
            "cache-control: max-age=60, stale-if-error=9",
            61,
            "",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60",
            70,
            "cache-control: only-if-cached",
            "504",
            "504",
        ),
        (
            "cache-control: max-age=60",
            1,
            "cache-control: only-if-cached",
            "fresh",
            "fresh",
        ),
        (
            "cache-control: max-age=60 | etag: \"a\"",
            70,
            "if-none-match: \"b\"",
            "forward",
            "forward",
        ),
        (
            "cache-control: max-age=60 | etag: \"a\"",
            1,
            "if-none-match: \"b\"",
            "fresh",
            "fresh",
        ),
    ];
    for (fields, after, asked, private, in_shared) in table {
        let mode = CacheMode::Default;
        let use_in = |rules| used(fields, after, asked, mode, &rules);
        assert_eq!(
            use_in(CacheRules::default()),
            private,
            "private: {fields}, {after} s, {asked}"
        );
        assert_eq!(
            use_in(shared()),
            in_shared,
            "shared: {fields}, {after} s, {asked}"
        );
    }
}

#[test]
fn the_modes_of_fetch_decide_before_freshness() {
    use CacheMode as M;
    // Mode, while it is fresh, when it is stale.
    let table = [
        (M::Default, "fresh", "validate"),
        (M::NoCache, "validate", "validate"),
        (M::ForceCache, "fresh", "stale"),
        (M::OnlyIfCached, "fresh", "stale"),
    ];
    for (mode, fresh, stale) in table {
        let rules = CacheRules::default();
        let fields = "cache-control: max-age=60, must-revalidate | etag: \"a\"";
        assert_eq!(used(fields, 1, "", mode, &rules), fresh, "{mode:?}");
        assert_eq!(used(fields, 61, "", mode, &rules), stale, "{mode:?}");
        let nothing = lines("");
        let none = judge_use(request(&nothing, mode), &[], NOW, &rules);
        let expected = match mode {
            M::OnlyIfCached => CacheUse::Unavailable(ForwardReason::UriMiss),
            _ => CacheUse::Forward(ForwardReason::UriMiss),
        };
        assert_eq!(none, expected);
    }
    let nothing = lines("");
    for mode in M::ALL {
        let is_off = matches!(mode, M::NoStore | M::Reload);
        let looked = needs_lookup(request(&nothing, mode));
        assert_eq!(
            looked.err(),
            is_off.then_some(ForwardReason::Bypass),
            "{mode:?}"
        );
    }
}

#[test]
fn some_requests_are_never_answered_from_the_cache() {
    for (fields, expected) in [
        ("range: bytes=0-1", ForwardReason::Bypass),
        ("if-range: \"a\"", ForwardReason::Bypass),
        ("if-match: \"a\"", ForwardReason::Bypass),
        ("if-unmodified-since: @0", ForwardReason::Bypass),
        ("cache-control: no-store", ForwardReason::Request),
    ] {
        let fields = lines(fields);
        assert_eq!(
            needs_lookup(request(&fields, CacheMode::Default)),
            Err(expected)
        );
    }
    let nothing = lines("");
    let post = CacheRequest {
        method: &Method::Post,
        ..request(&nothing, CacheMode::Default)
    };
    assert_eq!(needs_lookup(post), Err(ForwardReason::Method));
}

#[test]
fn of_several_variants_a_fresh_one_is_used_and_then_the_newest() {
    let rules = CacheRules::default();
    let stored = |asked: &str, fields: &str, received| {
        let (asked, fields) = (lines(asked), lines(fields));
        let response = CacheResponse {
            fields: &fields,
            requested: received,
            received,
            status: 200,
        };
        judge_store(request(&asked, CacheMode::Default), response, &rules).unwrap()
    };
    let a = stored("a: 1", "vary: a | cache-control: max-age=60", at(0));
    let b = stored("a: 1 | b: 1", "vary: b | cache-control: max-age=5", at(10));
    let other = stored("a: 2", "vary: a | cache-control: max-age=60", at(20));
    let heads = [&a, &b, &other];
    let index = |asked: &str, now| {
        let asked = lines(asked);
        match judge_use(request(&asked, CacheMode::Default), &heads, now, &rules) {
            CacheUse::Serve { index, .. } => Some(index),
            _ => None,
        }
    };
    assert_eq!(index("a: 1 | b: 1", at(12)), Some(1));
    assert_eq!(index("a: 1 | b: 1", at(20)), Some(0));
    assert_eq!(index("a: 2", at(20)), Some(2));
    assert_eq!(index("a: 3", at(20)), None);
    let asked = lines("a: 3");
    let missed = judge_use(request(&asked, CacheMode::Default), &heads, at(20), &rules);
    assert_eq!(missed, CacheUse::Forward(ForwardReason::VaryMiss));
}

#[test]
fn an_error_is_replaced_only_where_both_sides_allow_it() {
    // Fields of the response, seconds later, fields of the request, status, expected.
    let table: [(&str, u64, &str, Option<u16>, bool); 17] = [
        ("max-age=60, stale-if-error=9", 68, "", None, true),
        ("max-age=60, stale-if-error=9", 69, "", None, false),
        ("max-age=60, stale-if-error=9", 61, "", Some(503), true),
        ("max-age=60, stale-if-error=9", 61, "", Some(500), true),
        ("max-age=60, stale-if-error=9", 61, "", Some(501), false),
        ("max-age=60, stale-if-error=9", 61, "", Some(404), false),
        ("max-age=60, stale-if-error=9", 61, "", Some(200), false),
        (
            "max-age=60, stale-if-error=9, must-revalidate",
            61,
            "",
            None,
            false,
        ),
        (
            "max-age=60, stale-if-error=9, no-cache",
            61,
            "",
            None,
            false,
        ),
        (
            "max-age=60, stale-if-error=9",
            61,
            "cache-control: no-cache",
            None,
            false,
        ),
        (
            "max-age=60, stale-if-error=9",
            61,
            "cache-control: max-age=5",
            None,
            false,
        ),
        (
            "max-age=60, stale-if-error=9",
            61,
            "cache-control: stale-if-error=0",
            None,
            false,
        ),
        (
            "max-age=60",
            61,
            "cache-control: stale-if-error=5",
            None,
            true,
        ),
        (
            "max-age=60, must-revalidate",
            61,
            "cache-control: stale-if-error=5",
            None,
            false,
        ),
        ("max-age=60", 61, "", None, false),
        ("max-age=60, stale-if-error=x", 61, "", None, false),
        ("max-age=60", 59, "", None, false),
    ];
    for (value, after, asked, status, expected) in table {
        let rules = CacheRules::default();
        let head = store("", 200, &alloc::format!("cache-control: {value}"), &rules).unwrap();
        let asked_fields = lines(asked);
        let asked_request = request(&asked_fields, CacheMode::Default);
        let judged = may_replace_error(asked_request, &head, status, at(after), &rules);
        assert_eq!(judged, expected, "{value}, {after} s, {asked}, {status:?}");
    }
    let rules = CacheRules::default().stale_if_error(Duration::from_secs(9));
    let head = store("", 200, "cache-control: max-age=60", &rules).unwrap();
    let nothing = lines("");
    let judge = |mode| may_replace_error(request(&nothing, mode), &head, None, at(61), &rules);
    assert!(judge(CacheMode::Default) && !judge(CacheMode::NoCache));
}
