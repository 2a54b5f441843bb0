use super::*;

#[test]
fn what_is_stored_depends_on_scope_status_and_directives() {
    use NotStored as N;
    type Case = (&'static str, u16, &'static str, Option<N>, Option<N>);
    // Fields of the request, status, fields of the response, in a private cache, in a shared one.
    let table: [Case; 41] = [
        ("", 200, "cache-control: max-age=60", None, None),
        ("", 200, "expires: @60 | date: @0", None, None),
        ("", 200, "etag: \"a\"", None, None),
        ("", 200, "last-modified: @-7200", None, None),
        ("", 200, "", Some(N::Useless), Some(N::Useless)),
        (
            "",
            200,
            "cache-control: max-age=0",
            Some(N::Useless),
            Some(N::Useless),
        ),
        (
            "",
            200,
            "cache-control: max-age=0, stale-if-error=9",
            Some(N::Useless),
            Some(N::Useless),
        ),
        (
            "",
            200,
            "cache-control: no-store",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            200,
            "cache-control: No-Store, max-age=60",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            200,
            "cache-control: max-age=60 | cache-control: no-store",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            200,
            "cache-control: max-age=60, ext=\"",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            200,
            "cache-control: max-age=60, no-store, must-understand",
            None,
            None,
        ),
        (
            "",
            599,
            "cache-control: max-age=60, no-store, must-understand",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            599,
            "cache-control: max-age=60, must-understand",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        ("", 599, "cache-control: max-age=60", None, None),
        ("", 302, "cache-control: max-age=60", None, None),
        (
            "",
            302,
            "last-modified: @-7200",
            Some(N::Status),
            Some(N::Status),
        ),
        (
            "",
            302,
            "last-modified: @-7200 | cache-control: public",
            None,
            None,
        ),
        ("", 404, "last-modified: @-7200", None, None),
        ("", 500, "etag: \"a\"", Some(N::Status), Some(N::Status)),
        (
            "",
            206,
            "cache-control: max-age=60",
            Some(N::Status),
            Some(N::Status),
        ),
        (
            "",
            304,
            "cache-control: max-age=60",
            Some(N::Status),
            Some(N::Status),
        ),
        (
            "",
            101,
            "cache-control: max-age=60",
            Some(N::Status),
            Some(N::Status),
        ),
        (
            "",
            200,
            "cache-control: private, max-age=60",
            None,
            Some(N::Private),
        ),
        (
            "",
            200,
            "cache-control: private=, max-age=60",
            None,
            Some(N::Private),
        ),
        (
            "",
            200,
            "cache-control: private=\"\", max-age=60",
            None,
            Some(N::Private),
        ),
        (
            "",
            200,
            "cache-control: private, private=\"x\", max-age=60",
            None,
            Some(N::Private),
        ),
        (
            "",
            200,
            "cache-control: private=\"x\", max-age=60",
            None,
            None,
        ),
        (
            "",
            200,
            "cache-control: max-age=60 | set-cookie: a=b",
            None,
            Some(N::SetCookie),
        ),
        (
            "",
            200,
            "cache-control: max-age=60, public | set-cookie: a=b",
            None,
            None,
        ),
        (
            "",
            200,
            "cache-control: max-age=60, private=\"set-cookie\" | set-cookie: a=b",
            None,
            None,
        ),
        ("", 302, "cache-control: s-maxage=60", Some(N::Status), None),
        (
            "authorization: x",
            200,
            "cache-control: max-age=60",
            None,
            Some(N::Authorization),
        ),
        (
            "authorization: x",
            200,
            "cache-control: max-age=60, public",
            None,
            None,
        ),
        (
            "authorization: x",
            200,
            "cache-control: max-age=60, must-revalidate",
            None,
            None,
        ),
        (
            "authorization: x",
            200,
            "cache-control: s-maxage=60",
            Some(N::Useless),
            None,
        ),
        (
            "cache-control: no-store",
            200,
            "cache-control: max-age=60",
            Some(N::NoStore),
            Some(N::NoStore),
        ),
        (
            "",
            200,
            "cache-control: max-age=60 | vary: *",
            Some(N::Vary),
            Some(N::Vary),
        ),
        (
            "",
            200,
            "cache-control: max-age=60 | age: 60",
            Some(N::Useless),
            Some(N::Useless),
        ),
        (
            "",
            200,
            "cache-control: max-age=60 | age: 60 | etag: \"a\"",
            None,
            None,
        ),
        (
            "",
            200,
            "cache-control: max-age=60, stale-if-error=9 | age: 60",
            None,
            None,
        ),
    ];
    for (asked, status, fields, private, in_shared) in table {
        let rules = CacheRules::default();
        let judged = store(asked, status, fields, &rules).err();
        assert_eq!(judged, private, "private: {asked}, {status}, {fields}");
        let judged = store(asked, status, fields, &shared()).err();
        assert_eq!(judged, in_shared, "shared: {asked}, {status}, {fields}");
    }
}

#[test]
fn only_get_is_stored() {
    let fields = lines("cache-control: max-age=60");
    for method in [Method::Head, Method::Post, "QUERY".parse().unwrap()] {
        let response = CacheResponse {
            fields: &fields,
            requested: NOW,
            received: NOW,
            status: 200,
        };
        let request = CacheRequest {
            method: &method,
            ..request(&fields, CacheMode::Default)
        };
        let judged = judge_store(request, response, &CacheRules::default());
        assert_eq!(judged, Err(NotStored::Method));
    }
}

#[test]
fn the_lifetime_is_that_of_the_most_specific_information() {
    // Fields, in a private cache, in a shared one.
    let table: [(&str, u64, u64); 16] = [
        ("cache-control: max-age=60", 60, 60),
        ("cache-control: max-age=60, s-maxage=5", 60, 5),
        ("cache-control: s-maxage=60, max-age=5", 5, 60),
        ("cache-control: max-age=60 | expires: @5", 60, 60),
        ("cache-control: max-age=60 | expires: 0", 60, 60),
        ("expires: @60", 60, 60),
        ("expires: @60 | date: @-60", 120, 120),
        ("expires: @60 | date: x", 60, 60),
        ("expires: 0 | last-modified: @-7200", 0, 0),
        ("expires: @60 | expires: @61 | etag: \"a\"", 0, 0),
        ("expires: @-5 | etag: \"a\"", 0, 0),
        ("last-modified: @-1000", 100, 100),
        ("last-modified: @-1000 | date: @-500", 50, 50),
        ("last-modified: @-864000 | cache-control: max-age=x", 0, 0),
        ("cache-control: max-age=99999999999", 1 << 31, 1 << 31),
        ("last-modified: @-864000 | date: @-864000", 0, 0),
    ];
    for (fields, private, in_shared) in table {
        let lifetime = |rules| store("", 200, fields, &rules).unwrap().lifetime().as_secs();
        assert_eq!(
            lifetime(CacheRules::default()),
            private,
            "private: {fields}"
        );
        assert_eq!(lifetime(shared()), in_shared, "shared: {fields}");
    }
    let bounded = CacheRules::default().ttl(Duration::from_secs(10), Some(Duration::from_secs(20)));
    for (age, expected) in [(1, 10), (15, 15), (60, 20)] {
        let fields = alloc::format!("cache-control: max-age={age}");
        let head = store("", 200, &fields, &bounded).unwrap();
        assert_eq!(head.lifetime().as_secs(), expected);
    }
    let never = CacheRules::default().heuristic(0, Duration::MAX);
    assert!(
        store("", 200, "last-modified: @-7200", &never)
            .unwrap()
            .lifetime()
            .is_zero()
    );
}

#[test]
fn the_age_counts_what_other_caches_and_the_network_took() {
    let table: [(&str, u64); 12] = [
        ("", 0),
        ("age: 30", 30),
        ("age: 30, 0", 30),
        ("age: 0, 30", 0),
        ("age: 30 | age: 0", 30),
        ("age: 0 | age: 30", 0),
        ("age: x | age: 30", 0),
        ("age: -30", 0),
        ("age: 30.0", 0),
        ("age: 99999999999", 1 << 31),
        ("date: @-40 | age: 30", 40),
        ("date: @3600 | age: 30", 30),
    ];
    for (fields, expected) in table {
        let fields = alloc::format!("etag: \"a\" | {fields}");
        let head = store(
            "",
            200,
            fields.trim_end_matches(" | "),
            &CacheRules::default(),
        )
        .unwrap();
        assert_eq!(head.age(NOW).as_secs(), expected, "{fields}");
    }
    let fields = lines("age: 30 | cache-control: max-age=60");
    let response = CacheResponse {
        fields: &fields,
        requested: NOW,
        received: at(5),
        status: 200,
    };
    let asked = lines("");
    let rules = CacheRules::default();
    let head = judge_store(request(&asked, CacheMode::Default), response, &rules).unwrap();
    assert_eq!(head.age(at(5)).as_secs(), 35);
    assert_eq!(head.age(at(10)).as_secs(), 40);
    // The clock was set back: nothing is known.
    assert_eq!(head.age(at(4)).as_secs(), 1 << 31);
}

#[test]
fn a_targeted_field_replaces_cache_control_and_expires() {
    let rules = shared().targeted(["X-Own", "CDN-Cache-Control"]);
    let table: [(&str, Result<u64, NotStored>); 8] = [
        (
            "cdn-cache-control: max-age=60 | cache-control: no-store",
            Ok(60),
        ),
        (
            "cdn-cache-control: max-age=60 | cache-control: max-age=1 | expires: @5",
            Ok(60),
        ),
        ("cdn-cache-control: max-age=1 | x-own: max-age=60", Ok(60)),
        (
            "cdn-cache-control: max-age=0 | expires: @60 | etag: \"a\"",
            Ok(0),
        ),
        (
            "cdn-cache-control: no-store | cache-control: max-age=60",
            Err(NotStored::NoStore),
        ),
        (
            "cdn-cache-control: private | cache-control: max-age=60",
            Err(NotStored::Private),
        ),
        (
            "cdn-cache-control: max-age=60, &&& | cache-control: no-store",
            Err(NotStored::NoStore),
        ),
        (
            "cdn-cache-control: max-age=\"60\" | cache-control: max-age=5",
            Ok(5),
        ),
    ];
    for (fields, expected) in table {
        let judged = store("", 200, fields, &rules).map(|head| head.lifetime().as_secs());
        assert_eq!(judged, expected, "{fields}");
    }
}

#[test]
fn fields_named_by_directives_or_connection_are_not_stored() {
    let fields = "cache-control: max-age=60, no-cache=\"a\", private=\"B\" | connection: c, \"d\"";
    for (rules, is_shared) in [(CacheRules::default(), false), (shared(), true)] {
        let head = store("", 200, fields, &rules).unwrap();
        assert!(head.omits("a", &rules) && !head.omits("x", &rules));
        assert_eq!(head.omits("b", &rules), is_shared);
    }
    let fields = lines(fields);
    for (name, expected) in [
        ("c", false),
        ("d", true),
        ("connection", false),
        ("x", true),
        ("upgrade", false),
    ] {
        assert_eq!(is_stored_field(name, &fields), expected, "{name}");
    }
}

#[test]
fn a_store_keeps_what_can_be_validated_longer() {
    let rules = CacheRules::default();
    let day = Duration::from_secs(86_400);
    let keep = |fields| {
        store("", 200, fields, &rules)
            .unwrap()
            .keep_for(&rules, day, NOW)
            .as_secs()
    };
    assert_eq!(keep("cache-control: max-age=60"), 60);
    assert_eq!(keep("cache-control: max-age=60, stale-if-error=9"), 69);
    assert_eq!(
        keep("cache-control: max-age=60, stale-if-error=9, must-revalidate"),
        60
    );
    assert_eq!(keep("cache-control: max-age=60 | etag: \"a\""), 60 + 86_400);
    assert_eq!(keep("cache-control: max-age=60 | age: 20"), 40);
}
