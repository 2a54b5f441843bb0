//! Costs of choosing a policy by URL. `cargo bench -p fetch-proto --bench rules`.

use std::hint::black_box;

use divan::Bencher;
use fetch_proto::{Method, Policy, PolicyRules};
use url::Url;

fn main() {
    divan::main();
}

/// Ten rules of all kinds, with URLs that match the first, the last and none.
#[divan::bench(sample_size = 1_000, args = [
    "https://site.test/delay/3?n=1",
    "https://last.test/some/longer/path/to/a/page.html?with=query",
    "https://site.test/some/longer/path/to/a/page.html?with=query",
])]
fn ten_rules(bencher: Bencher<'_, '_>, url: &str) {
    let patterns = [
        "/delay/",
        "/status/",
        "/slow/",
        "/export/",
        "glob:/api/*/reports/**",
        "glob:/upload/**",
        "regex:[.](zip|tar|gz)$",
        "regex:/v[0-9]+/search",
        "host:slow.test",
        "host:last.test",
    ];
    let rules = patterns
        .into_iter()
        .fold(PolicyRules::builder(), |rules, pattern| {
            rules.rule(pattern, Policy::default())
        })
        .build()
        .expect("valid rules");
    let url = Url::parse(url).expect("a valid URL");
    bencher.bench(|| rules.matching_rule(black_box(&Method::Get), black_box(&url)));
}

/// The two default rules, with a URL that matches neither.
#[divan::bench(sample_size = 1_000)]
fn default_rules(bencher: Bencher<'_, '_>) {
    let rules = PolicyRules::default();
    let url = Url::parse("http://127.0.0.1:8080/bytes/1024").expect("a valid URL");
    bencher.bench(|| rules.matching_rule(black_box(&Method::Get), black_box(&url)));
}
