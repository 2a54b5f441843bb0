use super::*;

#[test]
fn lists_of_schemes_follow_curl() {
    for (text, expected) in [
        ("=https", Ok(false)),
        ("-http", Ok(false)),
        ("-all,https", Ok(false)),
        ("-all,+HTTPS,ftp", Ok(false)),
        ("http,https", Ok(true)),
        ("=http,https", Ok(true)),
        ("-ftp", Ok(true)),
        ("=http", Err("https is always allowed")),
        ("-all", Err("https is always allowed")),
        ("=htps", Err("'htps' is no scheme")),
        ("", Err("is no scheme")),
    ] {
        match (allows_http(text), expected) {
            (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
            (result, expected) => assert_eq!(result.ok(), expected.ok(), "{text}"),
        }
    }
}

#[test]
fn tls_has_two_versions() {
    assert_eq!(tls_max("1.2"), Ok(TlsVersion::Tls12));
    assert_eq!(tls_max("default"), Ok(TlsVersion::Tls13));
    for wrong in ["1.1", "2", ""] {
        assert!(tls_max(wrong).unwrap_err().contains("write 1.2"), "{wrong}");
    }
}

#[test]
fn seconds_are_non_negative_numbers() {
    assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
    assert_eq!(seconds("0"), Ok(Duration::ZERO));
    for wrong in ["", "x", "-1", "nan", "inf", "1e300", "5s"] {
        assert!(seconds(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sizes_may_have_a_unit() {
    assert_eq!(bytes("500"), Ok(500));
    assert_eq!(bytes("2k"), Ok(2048));
    assert_eq!(bytes("1G"), Ok(1 << 30));
    for wrong in ["", "k", "-1", "1T", "99999999999999G", "1é"] {
        assert!(bytes(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_timeout_pattern_may_contain_an_equals_sign() {
    for right in [
        "a.test:80=5",
        "localhost:8080/x=5",
        "http://a=5",
        "substring:foo:bar=5",
    ] {
        assert!(pattern_timeout(right).is_ok(), "{right}");
    }
    let (pattern, limit) = pattern_timeout("?q=a=0.25").unwrap();
    assert_eq!(
        (pattern.to_string().as_str(), limit.as_millis()),
        ("?q=a", 250)
    );
    for wrong in ["/x/", "/x/=", "/x/=y", "regex:(=1", "foo:bar=5", "GLOB:x=5"] {
        assert!(pattern_timeout(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn resolve_entries_need_host_port_and_addresses() {
    let entry = resolve("A.test:80:127.0.0.1,[::1]").unwrap();
    assert_eq!(
        (entry.host.as_str(), entry.port, entry.addresses.len()),
        ("a.test", 80, 2)
    );
    for wrong in [
        "a.test",
        "a.test:80",
        "a:x:127.0.0.1",
        "*:80:127.0.0.1",
        "-a:80",
        "a:1:b",
    ] {
        assert!(resolve(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn statuses_may_be_given_by_class() {
    let given = retry_conditions("429, 5xx").unwrap();
    assert!(!given.unanswered);
    let set = given.statuses.unwrap();
    assert!(set.contains(429) && set.contains(500) && set.contains(599) && !set.contains(428));
    for wrong in ["", "x", "200", "600", "6xx", "429;503", "-5", "65535"] {
        assert!(retry_conditions(wrong).is_err(), "{wrong}");
    }
    let unanswered = RetryConditions {
        statuses: None,
        unanswered: true,
    };
    assert_eq!(retry_conditions("unanswered"), Ok(unanswered));
    let both = retry_conditions("503,unanswered").unwrap();
    assert!(both.unanswered && both.statuses.is_some_and(|set| set.contains(503)));
}

#[test]
fn byte_ranges_are_validated() {
    for right in ["0-99", "500-", "-500", "0-0,5-6"] {
        assert_eq!(range(right).as_deref(), Ok(right));
    }
    for wrong in ["", "5", "-", "a-b", "1-2;3", "bytes=0-1"] {
        assert!(range(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_lower_case_method_is_refused_with_a_suggestion() {
    assert!(method("get").unwrap_err().contains("write GET"));
    assert_eq!(method("PROPFIND").unwrap().as_str(), "PROPFIND");
    assert!(method("A B").is_err());
}
