//! That no setting is forgotten.

/// If this fails, a setting was added: let `fetch-isahc` and `fetch-surf` obey it or refuse it when
/// they are built, and then add it here.
#[test]
fn every_setting_is_obeyed_or_refused_by_isahc_and_surf() {
    let shown = format!("{:#?}", fetch_driver::Settings::default());
    let fields = shown
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with(' '));
    let by_the_driver = [
        // Not a setting, but what several threads share, and these adapters have one.
        "common",
        "concurrency",
        "config",
        "cookie_jar",
        "cookies",
        "events",
        "fallback_value",
        "headers",
        "host_rate",
        "per_host",
        "rate",
        "rules",
        "seed",
        "share",
        "stale",
        "threads",
        "undelivered",
        "window",
    ];
    let by_the_adapters = [
        "ca_certificates",
        "client_certificate",
        "connect_to",
        "decode",
        "dns_ttl",
        "http2",
        "idle_timeout",
        "insecure",
        "max_connections",
        "proxy",
        "resolve",
        "unix_socket",
    ];
    let mut known = [&by_the_driver[..], &by_the_adapters].concat();
    known.sort_unstable();
    assert_eq!(fields.collect::<Vec<_>>(), known);
}
