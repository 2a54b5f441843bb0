//! Every key of a policy file changes the configuration.

use std::collections::BTreeSet;

use fetch_policy::{AuthSettings, CacheSettings, PolicyFile};
use fetch_proto::EngineConfig;

/// A table, and for each of its keys two values that must make a difference. The table's text has the keys that
/// the others need.
struct TableCase {
    text: &'static str,
    keys: &'static [(&'static str, &'static str, &'static str)],
}

const TABLES: &[TableCase] = &[
    TableCase {
        text: "[limits]",
        keys: &[
            ("adaptive", "{ law = 'aimd' }", "{ law = 'vegas' }"),
            ("concurrency", "5", "6"),
            ("host_max_wait", "'1m'", "'2m'"),
            ("host_rate", "'1/s'", "'2/s'"),
            ("per_host", "3", "4"),
            ("rate", "'1/s'", "'2/s'"),
            ("slow_start", "true", "false"),
            ("spacing", "['1s', '2s']", "['1s', '3s']"),
            ("window", "100", "200"),
        ],
    },
    TableCase {
        text: "[limits.adaptive]\nlaw = 'aimd'",
        keys: &[
            ("initial", "2", "3"),
            ("max", "50", "60"),
            ("min", "1", "2"),
        ],
    },
    TableCase {
        text: "[limits.adaptive]",
        keys: &[("law", "'gradient2'", "'vegas'")],
    },
    TableCase {
        text: "[cache]",
        keys: &[
            ("heuristic_max", "'1h'", "'2h'"),
            ("heuristic_percent", "5", "6"),
            ("max_body", "5", "6"),
            ("max_ttl", "'1h'", "'2h'"),
            ("min_ttl", "'1h'", "'2h'"),
            ("mode", "'reload'", "'no-cache'"),
            ("shared", "true", "false"),
            ("size", "5", "6"),
            ("stale_if_error", "'1h'", "'2h'"),
            ("stale_while_revalidate", "'1h'", "'2h'"),
            ("store", "'a'", "'b'"),
            ("targeted", "['A']", "['B']"),
        ],
    },
    TableCase {
        text: "[auth.a]\nkind = 'bearer'\ntoken = 'env:T'",
        keys: &[("origins", "['http://a.test']", "['http://b.test']")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'bearer'\norigins = ['http://a.test']",
        keys: &[("token", "'env:A'", "'file:A'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'basic'\norigins = ['http://a.test']\nusername = 'a'",
        keys: &[("password", "'env:A'", "'exec:A'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'basic'\norigins = ['http://a.test']\npassword = 'env:A'",
        keys: &[("username", "'a'", "'b'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'client_credentials'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nclient_secret = 'env:A'",
        keys: &[
            ("client_id", "'a'", "'b'"),
            ("client_id", "'a'\nscope = 'a'", "'a'\nscope = 'b'"),
            ("client_id", "'a'\nstyle = 'basic'", "'a'\nstyle = 'post'"),
            (
                "client_id",
                "'a'\ntoken_cache = 'a'",
                "'a'\ntoken_cache = 'b'",
            ),
        ],
    },
    TableCase {
        text: "[auth.a]\nkind = 'client_credentials'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nclient_id = 'a'",
        keys: &[("client_secret", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'refresh_token'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nrefresh_token = 'env:A'",
        keys: &[("scope", "'a'", "'b'"), ("token_cache", "'a'", "'b'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'refresh_token'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'",
        keys: &[("refresh_token", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'refresh_token'\norigins = ['http://a.test']\nrefresh_token = 'env:A'",
        keys: &[("token_url", "'https://a.test'", "'https://b.test'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'refresh_token'\norigins = ['http://a.test']\nrefresh_token = 'env:A'\ntoken_url = 'https://a.test'\nclient_id = 'a'\nclient_secret = 'env:A'",
        keys: &[("style", "'basic'", "'post'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'jwt_bearer'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nissuer = 'a'\nkey = 'env:A'",
        keys: &[
            ("audience", "'a'", "'b'"),
            ("key_id", "'a'", "'b'"),
            ("subject", "'a'", "'b'"),
        ],
    },
    TableCase {
        text: "[auth.a]\nkind = 'jwt_bearer'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nkey = 'env:A'",
        keys: &[("issuer", "'a'", "'b'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'jwt_bearer'\norigins = ['http://a.test']\ntoken_url = 'https://a.test'\nissuer = 'a'",
        keys: &[("key", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'sigv4'\norigins = ['http://a.test']",
        keys: &[
            ("credentials", "'env:A'", "'exec:A'"),
            ("region", "'a'", "'b'"),
            ("service", "'a'", "'b'"),
        ],
    },
    TableCase {
        text: "[auth.a]\nkind = 'sigv4'\norigins = ['http://a.test']\nsecret_key = 'env:A'",
        keys: &[("access_key", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'sigv4'\norigins = ['http://a.test']\naccess_key = 'env:A'",
        keys: &[("secret_key", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[auth.a]\nkind = 'sigv4'\norigins = ['http://a.test']\naccess_key = 'env:A'\nsecret_key = 'env:A'",
        keys: &[("session_token", "'env:A'", "'env:B'")],
    },
    TableCase {
        text: "[breaker]",
        keys: &[
            ("consecutive", "3", "4"),
            ("failure_percent", "10", "20"),
            ("minimum_calls", "5", "6"),
            ("mode", "'normal'", "'metrics_only'"),
            ("on_open", "'defer'", "'fail_fast'"),
            ("open", "'1s'", "'2s'"),
            ("open_cap", "'1m'", "'2m'"),
            ("open_factor", "1", "3"),
            ("open_jitter_percent", "10", "20"),
            ("probe_lease", "'1m'", "'2m'"),
            ("probes", "1", "3"),
            ("probes_at_once", "1", "3"),
            ("probes_of", "4", "5"),
            ("window", "'30s'", "'40s'"),
        ],
    },
    TableCase {
        text: "[breaker]\nslow_after = '1s'",
        keys: &[("slow_percent", "50", "60")],
    },
    TableCase {
        text: "[breaker]\nslow_percent = 50",
        keys: &[("slow_after", "'1s'", "'2s'")],
    },
    TableCase {
        text: "[budget]",
        keys: &[("kind", "'ratio'", "'tokens'")],
    },
    TableCase {
        text: "[budget]\nkind = 'capacity'",
        keys: &[
            ("capacity", "5", "6"),
            ("retry_cost", "6", "7"),
            ("throttle_cost", "6", "7"),
            ("timeout_cost", "6", "7"),
        ],
    },
    TableCase {
        text: "[budget]\nkind = 'ratio'",
        keys: &[
            ("min_per_second", "5", "6"),
            ("percent", "5", "6"),
            ("ttl", "'1s'", "'2s'"),
        ],
    },
    TableCase {
        text: "[budget]\nkind = 'tokens'",
        keys: &[("max", "5", "6"), ("success_percent", "5", "6")],
    },
    TableCase {
        text: "[host_budget]",
        keys: &[("kind", "'ratio'", "'tokens'")],
    },
    TableCase {
        text: "[shed]",
        keys: &[("interval", "'1s'", "'2s'"), ("target", "'1s'", "'2s'")],
    },
    TableCase {
        text: "[throttle]",
        keys: &[
            ("cap_percent", "50", "60"),
            ("k_percent", "150", "160"),
            ("minimum", "50", "60"),
            ("window", "'1m'", "'3m'"),
        ],
    },
    TableCase {
        text: "[[target]]\nurl = 'http://a.test'\nendpoints = [{ url = 'http://b.test' }, { url = 'http://c.test' }]",
        keys: &[
            ("outlier", "true", "false"),
            ("strategy", "'round_robin'", "'weighted'"),
            ("strategy", "'peak_ewma'", "'least_loaded'"),
        ],
    },
    TableCase {
        text: "[[target]]\nendpoints = [{ url = 'http://b.test' }]",
        keys: &[("url", "'http://a.test'", "'http://d.test'")],
    },
    TableCase {
        text: "[[target]]\nurl = 'http://a.test'",
        keys: &[
            (
                "endpoints",
                "[{ url = 'http://b.test' }]",
                "[{ url = 'http://c.test' }]",
            ),
            (
                "endpoints",
                "[{ url = 'http://b.test', weight = 2 }]",
                "[{ url = 'http://b.test', weight = 3 }]",
            ),
        ],
    },
    TableCase {
        text: "[default]",
        keys: &[
            ("attempts", "2", "4"),
            ("auth", "'none'", "'auto'"),
            ("backoff", "{ base = '2s' }", "{ base = '3s' }"),
            (
                "chaos",
                "[{ percent = 5, fault = 'reset' }]",
                "[{ percent = 6, fault = 'reset' }]",
            ),
            ("classes", "{ 404 = 'transient' }", "{ 404 = 'throttled' }"),
            ("classes", "{ tls = 'transient' }", "{ dns = 'transient' }"),
            ("drain", "5", "6"),
            ("fallback", "{ value = true }", "{ value = false }"),
            ("hedge", "{ after = '1s' }", "{ after = '2s' }"),
            ("max_body", "5", "6"),
            ("rate", "'1/s'", "'2/s'"),
            ("redirects", "{ max = 1 }", "{ max = 2 }"),
            ("retry_after", "{ cap = '2s' }", "{ cap = '3s' }"),
            ("retry_non_idempotent", "true", "false"),
            ("retry_statuses", "[500]", "[501]"),
            ("stall", "{ grace = '1s' }", "{ grace = '2s' }"),
            ("timeouts", "{ attempt = '1s' }", "{ attempt = '2s' }"),
            ("useful", "'1s'", "'2s'"),
        ],
    },
    TableCase {
        text: "[[rule]]",
        keys: &[("match", "'/a'", "'/b'")],
    },
    TableCase {
        text: "[[rule]]\nmatch = '/x'",
        keys: &[
            ("attempts", "2", "4"),
            ("methods", "['GET']", "['PUT']"),
            ("rate", "'1/s'", "'2/s'"),
        ],
    },
    TableCase {
        text: "[default.backoff]",
        keys: &[
            ("base", "'2s'", "'3s'"),
            ("cap", "'10s'", "'20s'"),
            ("factor", "3", "4"),
            ("jitter", "'none'", "'full'"),
            ("jitter", "'equal'", "'decorrelated'"),
            ("jitter", "'smooth'", "'full'"),
            ("step", "'1s'", "'2s'"),
        ],
    },
    TableCase {
        text: "[default.timeouts]",
        keys: &[
            ("attempt", "'1s'", "'none'"),
            ("connect", "'1s'", "'none'"),
            ("first_byte", "'1s'", "'none'"),
            ("hook", "'1s'", "'none'"),
            ("idle_read", "'1s'", "'none'"),
            ("queue", "'1s'", "'none'"),
            ("total", "'1s'", "'none'"),
        ],
    },
    TableCase {
        text: "[default.retry_after]",
        keys: &[("cap", "'1s'", "'2s'"), ("over", "'fail'", "'defer'")],
    },
    TableCase {
        text: "[default.redirects]",
        keys: &[
            ("downgrade", "true", "false"),
            ("follow", "true", "false"),
            ("https_only", "true", "false"),
            ("keep_post", "[301]", "[302, 303]"),
            ("max", "1", "2"),
            ("trusted", "true", "false"),
        ],
    },
    TableCase {
        text: "[default.stall]",
        keys: &[
            ("grace", "'1s'", "'2s'"),
            ("min_bytes_per_second", "5", "6"),
            ("window", "'1s'", "'2s'"),
        ],
    },
    TableCase {
        text: "[default.fallback]",
        keys: &[
            ("url", "'http://a.test'", "'http://b.test'"),
            ("value", "true", "false"),
        ],
    },
    TableCase {
        text: "[default.hedge]",
        keys: &[
            ("after", "'1s'", "'2s'"),
            ("fallback", "'1s'", "'2s'"),
            ("max", "2", "3"),
            ("min", "'1s'", "'2s'"),
            ("on_failure", "true", "false"),
            ("percentile", "90", "99"),
        ],
    },
    TableCase {
        text: "[[default.chaos]]\nfault = 'reset'",
        keys: &[("percent", "1", "2")],
    },
    TableCase {
        text: "[[default.chaos]]\npercent = 1",
        keys: &[("fault", "'reset'", "'stall'")],
    },
    TableCase {
        text: "[[default.chaos]]\npercent = 1\nfault = 'clock_jump'",
        keys: &[("by", "'1s'", "'2s'")],
    },
    TableCase {
        text: "[[default.chaos]]\npercent = 1\nfault = 'error'",
        keys: &[("failure", "'dns'", "'tls'")],
    },
    TableCase {
        text: "[[default.chaos]]\npercent = 1\nfault = 'latency'",
        keys: &[("max", "'2s'", "'3s'"), ("min", "'200ms'", "'300ms'")],
    },
    TableCase {
        text: "[[default.chaos]]\npercent = 1\nfault = 'truncate'",
        keys: &[("bytes", "1", "2")],
    },
];

fn config(text: &str) -> (EngineConfig, Vec<AuthSettings>, Option<CacheSettings>) {
    let file = PolicyFile::parse("p.toml", text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let (profiles, cache) = (file.auth_profiles().unwrap(), file.cache().unwrap());
    (file.config().unwrap(), profiles, cache)
}

#[test]
fn every_key_changes_the_configuration() {
    for TableCase { text, keys } in TABLES {
        for (key, one, other) in *keys {
            let set = |value: &str| config(&format!("{text}\n{key} = {value}"));
            assert_ne!(set(one), set(other), "{text}: {key}");
        }
    }
}

/// The known keys, as the message about an unknown one lists them.
fn known_keys(header: &str) -> BTreeSet<String> {
    let text = format!("{header}\nzzzzzzzzzzzzzzzz = 1");
    let error = PolicyFile::parse("p.toml", &text).map(drop).unwrap_err();
    let message = error.to_string();
    let (_, known) = message.split_once("expected").expect("it lists them");
    let known = known.split('`').skip(1).step_by(2);
    known.map(str::to_owned).collect()
}

#[test]
fn the_test_of_keys_has_every_key() {
    let header = |case: &TableCase| case.text.lines().next().unwrap().to_owned();
    let headers: BTreeSet<_> = TABLES.iter().map(header).collect();
    for header in &headers {
        let of_table = TABLES.iter().filter(|case| case.text.starts_with(header));
        let tested: BTreeSet<_> = of_table
            .flat_map(|case| case.keys)
            .map(|(key, ..)| (*key).to_owned())
            .collect();
        let mut known = known_keys(header);
        match &**header {
            // The other keys are those of [default].
            "[[rule]]" => known.retain(|key| tested.contains(key)),
            "[default]" => known.retain(|key| key != "match" && key != "methods"),
            // Each profile has one kind: `origins` is tested with any.
            "[auth.a]" => known.retain(|key| key != "kind"),
            // The other keys are those of [budget].
            "[host_budget]" => known.retain(|key| key == "kind"),
            _ => {}
        }
        assert_eq!(tested, known, "{header}");
    }
    let tables = known_keys("");
    for table in &tables {
        let is_tested = |header: &String| {
            let header = header.trim_matches(['[', ']']);
            header.split('.').next() == Some(table)
        };
        assert!(headers.iter().any(is_tested), "{table}");
    }
}

#[test]
fn an_empty_table_changes_nothing() {
    for table in ["backoff", "redirects", "retry_after", "timeouts"] {
        assert_eq!(config(&format!("[default.{table}]")), config(""), "{table}");
    }
}
