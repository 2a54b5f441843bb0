//! Checks that every setting is applied or rejected.

/// Groups of settings: fields of `Settings` whose fields are settings.
const PARTS: [&str; 4] = ["fallback", "pool", "route", "tls"];

/// If this fails, a setting was added: apply it in `fetch-isahc` and `fetch-surf`, or reject it when the
/// fetcher is built, and then add it here.
#[test]
fn every_setting_is_applied_or_rejected_by_isahc_and_surf() {
    let shown = format!("{:#?}", fetch_driver::Settings::default());
    let mut fields = Vec::new();
    let mut part = "";
    for line in shown.lines() {
        let indent = line.len() - line.trim_start().len();
        let name = line
            .trim_start()
            .split([':', ' '])
            .next()
            .unwrap_or_default();
        if name.starts_with(|c: char| !c.is_ascii_lowercase()) || name.is_empty() {
            continue;
        }
        match indent {
            4 if PARTS.contains(&name) => part = name,
            4 => {
                part = "";
                fields.push(name.to_owned());
            }
            8 if !part.is_empty() => fields.push(format!("{part}.{name}")),
            _ => {}
        }
    }
    let by_the_driver = [
        "cache",
        "config",
        "cookie_jar",
        "credentials",
        "fallback.stale",
        "fallback.value",
        "headers",
        "hooks",
        "hsts",
        "netrc",
        "seed",
        "share",
        // Not a setting, but state that several threads share. These adapters have one thread.
        "shared_state",
        "threads",
        "undelivered",
    ];
    let by_the_adapters = [
        "decode",
        "expect_timeout",
        "http2",
        "pool.idle_timeout",
        "pool.max_connections",
        "request_codings",
        "route.address_family",
        "route.connect_to",
        "route.connector",
        "route.dns_ttl",
        "route.local_address",
        "route.private_addresses",
        "route.proxy",
        "route.proxy_headers",
        "route.proxy_tunnel",
        "route.resolve",
        "route.resolver",
        "route.tcp_keepalive",
        "route.tcp_nodelay",
        "route.unix_socket",
        "tls.ca_certificates",
        "tls.client_certificate",
        "tls.client_config",
        "tls.insecure",
        "tls.key_log",
        "tls.min_version",
        "tls.pinned_keys",
        "tls.trusted_roots",
        "tls.version",
    ];
    let mut known = [&by_the_driver[..], &by_the_adapters].concat();
    known.sort_unstable();
    assert_eq!(fields, known);
}
