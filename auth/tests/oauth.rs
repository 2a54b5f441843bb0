//! Tokens from a token server, over sockets.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fetch_auth::{AssertionSigner, ClientAuthentication, OAuthCredential};
use fetch_driver::{AuthProfile, Settings};
use fetch_proto::{Backoff, SecretSource, TokenPolicy};
use fetch_smol::{Fetcher, Smol, StreamExt as _};
use fetch_testbed::{Site, TokenReply, TokenServer};
use ring::signature::{self, KeyPair as _};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tempfile::TempDir;

/// A file with a secret.
fn secret(dir: &TempDir, name: &str, text: &str) -> SecretSource {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    SecretSource::File(path.to_str().unwrap().to_owned())
}

fn client_credentials(
    server: &TokenServer,
    authentication: ClientAuthentication,
) -> OAuthCredential {
    let url = server.url().parse().unwrap();
    let oauth = OAuthCredential::client_credentials(url);
    oauth.client("me", authentication)
}

/// A fetcher whose requests to the site have tokens of this credential.
fn fetcher(site: &Site, oauth: OAuthCredential) -> Fetcher {
    let quick = Backoff::default().base(std::time::Duration::from_millis(1));
    let tokens = TokenPolicy::default().backoff(quick).max_failures(3);
    let profile = AuthProfile::new("api").scope(site.url("/").parse().unwrap());
    let source = oauth.source::<Smol>(&Settings::default());
    let builder = Fetcher::builder().auth(profile.tokens(tokens), source);
    builder.build().unwrap()
}

/// The status of a request, or the name of its failure.
fn fetch(fetcher: &Fetcher, url: String) -> String {
    match smol::block_on(fetcher.get(url)) {
        Ok(response) => response.status.as_u16().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_client_is_authenticated_in_both_styles() {
    let (site, dir) = (Site::start().unwrap(), TempDir::new().unwrap());
    let password = "p:w & é";
    for style in [ClientAuthentication::Basic, ClientAuthentication::Post] {
        let server = TokenServer::builder()
            .client("me", password)
            .start()
            .unwrap();
        let oauth = client_credentials(&server, style(secret(&dir, "secret", password)));
        let fetcher = fetcher(&site, oauth.scope("read write"));
        assert_eq!(fetch(&fetcher, site.url("/bearer/token-1")), "200");
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].form["grant_type"], "client_credentials");
        assert_eq!(requests[0].form["scope"], "read write");
    }
}

#[test]
fn a_refused_client_fails_all_requests_after_one_token_request() {
    let (site, dir) = (Site::start().unwrap(), TempDir::new().unwrap());
    let server = TokenServer::builder()
        .client("me", "right")
        .start()
        .unwrap();
    let wrong = ClientAuthentication::Basic(secret(&dir, "secret", "wrong"));
    let fetcher = fetcher(&site, client_credentials(&server, wrong));
    for _ in 0..3 {
        let error = fetch(&fetcher, site.url("/bearer/token-1"));
        assert!(error.contains("no token"), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_thousand_requests_cost_one_token_request_at_first_and_one_after_a_refusal() {
    let (site, server) = (
        Site::start().unwrap(),
        TokenServer::builder().start().unwrap(),
    );
    let oauth = client_credentials(&server, ClientAuthentication::None);
    let fetcher = fetcher(&site, oauth);
    // The site accepts the first token, then the second one.
    for token in ["token-1", "token-2"] {
        let url = |n: u32| format!("{}?{n}", site.url(&format!("/bearer/{token}")));
        let outcomes: Vec<_> = smol::block_on(fetcher.fetch_all((0..1000).map(url)).collect());
        assert_eq!(outcomes.len(), 1000);
        assert!(outcomes.iter().all(fetch_driver::Outcome::is_success));
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn failures_that_may_pass_are_waited_out() {
    let site = Site::start().unwrap();
    let other = TokenServer::builder().start().unwrap();
    let large = "x".repeat(70_000);
    let replies = [
        TokenReply::new(502, "text/html", "<h1>Bad gateway</h1>"),
        TokenReply::new(307, "text/plain", "").field("Location", &other.url()),
        TokenReply::new(200, "application/json", ""),
        TokenReply::new(200, "application/json", &large),
    ];
    for reply in replies {
        let server = TokenServer::builder().reply(reply).start().unwrap();
        let fetcher = fetcher(
            &site,
            client_credentials(&server, ClientAuthentication::None),
        );
        assert_eq!(fetch(&fetcher, site.url("/bearer/token-1")), "200");
        assert_eq!(server.requests().len(), 2);
    }
    assert!(other.requests().is_empty(), "the redirect was followed");
}

#[test]
fn a_token_request_has_none_of_the_header_fields_of_other_requests() {
    let (site, server) = (
        Site::start().unwrap(),
        TokenServer::builder().start().unwrap(),
    );
    let oauth = client_credentials(&server, ClientAuthentication::None);
    let mut settings = Settings::default();
    settings
        .headers
        .insert("x-api-key", "hunter2".parse().unwrap());
    let profile = AuthProfile::new("api").scope(site.url("/").parse().unwrap());
    let builder = Fetcher::builder().auth(profile, oauth.source::<Smol>(&settings));
    let fetcher = builder.build().unwrap();
    assert_eq!(fetch(&fetcher, site.url("/bearer/token-1")), "200");
    assert!(!server.requests()[0].head.contains("hunter2"));
}

#[test]
fn a_refresh_token_is_replaced_by_each_answer_and_kept_in_the_cache() {
    let (site, dir) = (Site::start().unwrap(), TempDir::new().unwrap());
    let server = TokenServer::builder().rotating("first").start().unwrap();
    let first = secret(&dir, "refresh", "first");
    let oauth = || {
        let oauth = OAuthCredential::refresh_token(server.url().parse().unwrap(), first.clone());
        oauth.token_cache(dir.path().join("cache"))
    };
    let one = fetcher(&site, oauth());
    assert_eq!(fetch(&one, site.url("/bearer/token-1")), "200");
    assert_eq!(
        fetch(&one, site.url("/bearer/token-2")),
        "200",
        "after a 401"
    );
    drop(one);
    let later = fetcher(&site, oauth());
    assert_eq!(
        fetch(&later, site.url("/bearer/token-2")),
        "200",
        "from the cache"
    );
    assert_eq!(fetch(&later, site.url("/bearer/token-3")), "200");
    let requests = server.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|one| &*one.form["refresh_token"])
        .collect();
    assert_eq!(sent, ["first", "refresh-1", "refresh-2"]);
}

#[test]
fn a_refresh_token_that_was_replaced_at_its_place_is_used() {
    let (site, dir) = (Site::start().unwrap(), TempDir::new().unwrap());
    let server = TokenServer::builder().rotating("new").start().unwrap();
    let place = secret(&dir, "refresh", "old");
    let oauth = || {
        let oauth = OAuthCredential::refresh_token(server.url().parse().unwrap(), place.clone());
        oauth.token_cache(dir.path().join("cache"))
    };
    let error = fetch(&fetcher(&site, oauth()), site.url("/bearer/token-1"));
    assert!(error.contains("no token"), "{error}");
    secret(&dir, "refresh", "new");
    assert_eq!(
        fetch(&fetcher(&site, oauth()), site.url("/bearer/token-1")),
        "200"
    );
}

/// The header and the claims of a JWT whose signature `verifies`.
fn verified(
    jwt: &str,
    algorithm: &'static dyn signature::VerificationAlgorithm,
    key: &[u8],
) -> (Value, Value) {
    let parts: Vec<_> = jwt.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let signed = &jwt[..jwt.rfind('.').unwrap()];
    let key = signature::UnparsedPublicKey::new(algorithm, key);
    key.verify(signed.as_bytes(), &decode(parts[2]))
        .expect("the signature is valid");
    let json = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
    (json(parts[0]), json(parts[1]))
}

fn pkcs8(pem: &str) -> Vec<u8> {
    let Ok(PrivateKeyDer::Pkcs8(key)) = PrivateKeyDer::from_pem_slice(pem.as_bytes()) else {
        panic!("not PKCS#8")
    };
    key.secret_pkcs8_der().to_vec()
}

#[test]
fn assertions_are_signed_by_each_kind_of_key() {
    let (site, dir) = (Site::start().unwrap(), TempDir::new().unwrap());
    let rsa = include_str!("keys/rsa.pem");
    let p256 = include_str!("keys/p256.pem");
    let ed25519 = include_str!("keys/ed25519.pem");
    let rsa_public = signature::RsaKeyPair::from_pkcs8(&pkcs8(rsa)).unwrap();
    let random = ring::rand::SystemRandom::new();
    let signing = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let p256_public = signature::EcdsaKeyPair::from_pkcs8(signing, &pkcs8(p256), &random).unwrap();
    let ed25519_public =
        signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8(ed25519)).unwrap();
    type Verifier = &'static dyn signature::VerificationAlgorithm;
    let cases: [(&str, &str, Verifier, &[u8]); 3] = [
        (
            "RS256",
            rsa,
            &signature::RSA_PKCS1_2048_8192_SHA256,
            rsa_public.public_key().as_ref(),
        ),
        (
            "ES256",
            p256,
            &signature::ECDSA_P256_SHA256_FIXED,
            p256_public.public_key().as_ref(),
        ),
        (
            "EdDSA",
            ed25519,
            &signature::ED25519,
            ed25519_public.public_key().as_ref(),
        ),
    ];
    for (name, pem, algorithm, public) in cases {
        let server = TokenServer::builder()
            .client("me", "unused")
            .start()
            .unwrap();
        let signer = AssertionSigner::new(secret(&dir, "key.pem", pem)).key_id("k1");
        let url = server.url().parse().unwrap();
        let grant = signer
            .clone()
            .issuer("robot")
            .subject("user")
            .audience("https://id.test");
        let oauth = OAuthCredential::jwt_bearer(url, grant);
        let oauth = oauth.client("me", ClientAuthentication::PrivateKeyJwt(signer));
        assert_eq!(
            fetch(
                &fetcher(&site, oauth.scope("read")),
                site.url("/bearer/token-1")
            ),
            "200"
        );
        let form = &server.requests()[0].form;
        assert_eq!(
            form["grant_type"],
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        );
        let (header, claims) = verified(&form["assertion"], algorithm, public);
        assert_eq!(
            (&header["alg"], &header["kid"]),
            (&name.into(), &"k1".into())
        );
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&"robot".into(), &"user".into())
        );
        assert_eq!(
            (&claims["aud"], &claims["scope"]),
            (&"https://id.test".into(), &"read".into())
        );
        let (_, client) = verified(&form["client_assertion"], algorithm, public);
        assert_eq!(
            (&client["iss"], &client["sub"]),
            (&"me".into(), &"me".into())
        );
        assert_eq!(client["aud"], server.url());
        assert_ne!(client["jti"], claims["jti"]);
        assert!(client["exp"].as_u64() > client["iat"].as_u64());
    }
}
