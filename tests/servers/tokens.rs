//! Tokens from oidc-provider.

use std::path::Path;

use fetch_all::auth::{AssertionSigner, ClientAuthentication, OAuthCredential, SecretSource};
use fetch_all::smol::{Fetcher, Smol};
use fetch_all::{AuthProfile, Outcome, Settings};
use fetch_testbed::Site;
use fetch_testbed::servers::{Program, RealServer, ServerTest};
use futures::StreamExt as _;

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "oidc_provider_issues_tokens_to_each_kind_of_client",
        &[Program::OidcProvider],
        oidc_provider_issues_tokens_to_each_kind_of_client,
    ),
    ServerTest::new(
        "fetchers_share_a_refresh_token_whose_reuse_is_detected",
        &[Program::OidcProvider],
        fetchers_share_a_refresh_token_whose_reuse_is_detected,
    ),
];

/// It is encoded differently in a form and in the scheme Basic.
const SECRET: &str = "p:w & %+x";

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/auth/tests/keys");

fn token_server(lifetime: u32) -> RealServer {
    let variables = |_: &_| format!("KEYS={KEYS}\nLIFETIME={lifetime}\nSECRET={SECRET}\n");
    RealServer::start(Program::OidcProvider, 1, variables).unwrap()
}

fn file(path: impl AsRef<Path>) -> SecretSource {
    SecretSource::File(path.as_ref().to_str().unwrap().to_owned())
}

fn fetcher(url: &str, oauth: OAuthCredential) -> Fetcher {
    let profile = AuthProfile::new("api").scope(url.parse().unwrap());
    let source = oauth.source::<Smol>(&Settings::default());
    Fetcher::builder().auth(profile, source).build().unwrap()
}

fn oidc_provider_issues_tokens_to_each_kind_of_client() {
    let site = Site::builder().record(true).start().unwrap();
    let server = token_server(600);
    let secret = server.place().directory.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let signer = |name: &str| {
        let signer = AssertionSigner::new(file(format!("{KEYS}/{name}.pem")));
        ClientAuthentication::PrivateKeyJwt(signer.key_id(name))
    };
    for (client, authentication) in [
        (
            "client_secret_basic",
            ClientAuthentication::Basic(file(&secret)),
        ),
        (
            "client_secret_post",
            ClientAuthentication::Post(file(&secret)),
        ),
        ("rsa", signer("rsa")),
        ("p256", signer("p256")),
        ("ed25519", signer("ed25519")),
    ] {
        let oauth = OAuthCredential::client_credentials(server.url("/token").parse().unwrap());
        let oauth = oauth.client(client, authentication).scope("read");
        let path = format!("/anything/{client}");
        let outcome = smol::block_on(fetcher(&site.url("/"), oauth).fetch(site.url(&path)));
        assert!(
            outcome.is_success(),
            "{client}: {outcome}: {}",
            server.output()
        );
        let sent = site.last_request(&path).unwrap();
        let token = sent.header("authorization").unwrap_or_default();
        assert!(token.starts_with("Bearer ") && token.len() > 20, "{client}");
    }
}

fn fetchers_share_a_refresh_token_whose_reuse_is_detected() {
    let server = token_server(2);
    let place = &server.place().directory;
    let resource = server.url("/me");
    let run = || {
        let first = file(place.join("refresh-token"));
        let url = server.url("/token").parse().unwrap();
        let oauth = OAuthCredential::refresh_token(url, first);
        let oauth = oauth.client("refresh", ClientAuthentication::None);
        let fetcher = fetcher(&resource, oauth.token_cache(place.join("tokens.json")));
        let urls = (0..60).map(|n| format!("{resource}?{n}"));
        // So slow that tokens end meanwhile.
        smol::block_on(async {
            let outcomes = futures::stream::iter(urls).then(async |url| {
                smol::Timer::after(std::time::Duration::from_millis(100)).await;
                fetcher.fetch(url).await
            });
            outcomes.collect::<Vec<Outcome>>().await
        })
    };
    let outcomes = std::thread::scope(|scope| {
        let runs = [(); 4].map(|()| scope.spawn(run));
        runs.map(|run| run.join().unwrap()).concat()
    });
    for outcome in &outcomes {
        assert!(outcome.is_success(), "{outcome}: {}", server.output());
    }
}
