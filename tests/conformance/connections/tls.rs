//! https: certificates of the server and of the client.

use std::sync::Arc;

use fetch_all::Settings;
use fetch_all::driver::{ClientIdentity, CustomTlsConfig, TlsVersion, TrustedRoots};
use fetch_testbed::{Certificate, Site};
use ring::digest::{SHA256, digest};
use rustls::crypto::ring as ring_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, attempt_labels, check, check_eq, check_ok, get_request,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "TLS",
    behaviours: behaviours![
        "a certificate of an added CA is accepted" => trusted_certificate_is_accepted,
        "an expired certificate is refused" => expired_certificate_is_refused,
        "a certificate for another name is refused" => wrong_host_is_refused,
        "a certificate of an unknown CA is refused" => unknown_ca_is_refused,
        "the error names the certificate problem" => error_names_certificate_problem,
        "certificate checks can be switched off" => checks_can_be_switched_off,
        "a response has the server's certificate" => response_has_certificate,
        "TLS connections are reused" => tls_connections_are_reused,
        "a client certificate is sent if the server requests it" => client_certificate_is_sent,
        "a missing client certificate is a TLS error" => missing_client_certificate_is_reported,
        "only added CAs can be trusted" => only_added_cas_are_trusted,
        "a minimum version of TLS can be set" => minimum_version_is_kept,
        "a version of TLS can be chosen" => version_is_kept,
        "a server with another key than those pinned is refused" => other_keys_are_refused,
        "a rustls configuration of the caller is used" => own_configuration_is_used,
    ],
};

async fn trusted_certificate_is_accepted(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    check_ok(
        &trusting_fetcher(context, &site)?
            .fetch(get_request(site.url("/get"))?)
            .await,
    )
}

async fn response_has_certificate(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let key = site.public_key_pem().expect("the site has TLS");
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
    let fetcher = trusting_fetcher(context, &site)?;
    // The second request reuses the connection.
    for _ in 0..2 {
        let response = fetcher.fetch(get_request(site.url("/get"))?).await.result?;
        let certificate = response.peer_certificate();
        let certificate = certificate.ok_or_else(|| Mismatch("there is no certificate".into()))?;
        let has_key = certificate.windows(key.len()).any(|part| part == &key[..]);
        check("it has the server's key", has_key, certificate.len())?;
    }
    Ok(())
}

async fn expired_certificate_is_refused(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Expired).start()?;
    check_refused(context, &site, true).await.map(drop)
}

async fn wrong_host_is_refused(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::WrongHost).start()?;
    check_refused(context, &site, true).await.map(drop)
}

async fn unknown_ca_is_refused(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    check_refused(context, &site, false).await.map(drop)
}

async fn checks_can_be_switched_off(context: &TestContext) -> CheckResult {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::WrongHost,
    ] {
        let site = Site::builder().tls(certificate).start()?;
        let fetcher = context.fetcher(|settings| settings.tls.insecure = true)?;
        check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    }
    Ok(())
}

async fn tls_connections_are_reused(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let fetcher = trusting_fetcher(context, &site)?;
    for _ in 0..10 {
        check_ok(&fetcher.fetch(get_request(site.url("/bytes/2000"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn client_certificate_is_sent(context: &TestContext) -> CheckResult {
    let site = start_site_with_client_auth()?;
    let (ca, (cert, key)) = site.ca_pem().zip(site.client_pem()).unwrap_or_default();
    let fetcher = context.fetcher(|settings| {
        settings.tls.ca_certificates.push(ca.into());
        settings.tls.client_certificate = Some(ClientIdentity {
            cert_pem: cert.into(),
            key_pem: key.into(),
        });
    })?;
    for _ in 0..2 {
        check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    }
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn missing_client_certificate_is_reported(context: &TestContext) -> CheckResult {
    check_refused(context, &start_site_with_client_auth()?, true)
        .await
        .map(drop)
}

async fn only_added_cas_are_trusted(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let only_added = |settings: &mut Settings| settings.tls.trusted_roots = TrustedRoots::None;
    check_answer(context, &site, only_added, "200").await?;
    let without = context.fetcher(only_added).err().map(|error| error.0);
    let refused = without
        .as_deref()
        .is_some_and(|error| error.contains("no CA"));
    check(
        "without any it is an error",
        refused,
        format!("{without:?}"),
    )
}

async fn minimum_version_is_kept(context: &TestContext) -> CheckResult {
    let old = Site::builder().tls(Certificate::Good).tls12_only(true);
    let (old, new) = (
        old.start()?,
        Site::builder().tls(Certificate::Good).start()?,
    );
    let tls13 = |settings: &mut Settings| settings.tls.min_version = TlsVersion::Tls13;
    check_answer(context, &old, |_| {}, "200").await?;
    check_answer(context, &old, tls13, "tls").await?;
    check_answer(context, &new, tls13, "200").await
}

async fn version_is_kept(context: &TestContext) -> CheckResult {
    let old = Site::builder()
        .tls(Certificate::Good)
        .tls12_only(true)
        .start()?;
    for (version, answer) in [(TlsVersion::Tls12, "200"), (TlsVersion::Tls13, "tls")] {
        let chosen = |settings: &mut Settings| settings.tls.version = Some(version);
        check_answer(context, &old, chosen, answer).await?;
    }
    Ok(())
}

async fn other_keys_are_refused(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let key = site.public_key_pem().expect("the site has TLS");
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
    let key: [u8; 32] = digest(&SHA256, &key).as_ref().try_into()?;
    for (pin, answer) in [(key, "200"), ([7; 32], "tls")] {
        let pinned = |settings: &mut Settings| settings.tls.pinned_keys.push(pin);
        check_answer(context, &site, pinned, answer).await?;
    }
    Ok(())
}

async fn own_configuration_is_used(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let ca = site.ca_pem().unwrap_or_default();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("it is PEM"))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring_provider::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = CustomTlsConfig::new(config);
    let fetcher = context.fetcher(|settings| settings.tls.client_config = Some(config))?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)
}

/// Checks the attempts of a fetcher that trusts the site's CA and has these settings.
async fn check_answer(
    context: &TestContext,
    site: &Site,
    change: impl FnOnce(&mut Settings),
    expected: &str,
) -> CheckResult {
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    let fetcher = context.fetcher(|settings| {
        settings.tls.ca_certificates.push(ca);
        change(settings);
    })?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq(
        &outcome.to_string(),
        attempt_labels(&outcome).as_str(),
        expected,
    )
}

/// Starts a site that accepts only clients with a certificate of its CA.
fn start_site_with_client_auth() -> std::io::Result<Site> {
    let builder = Site::builder().tls(Certificate::Good);
    builder.client_certificates(true).start()
}

/// A fetcher that trusts the site's CA.
fn trusting_fetcher(
    context: &TestContext,
    site: &Site,
) -> Result<Box<dyn crate::harness::adapter::DynFetcher>, Mismatch> {
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    context.fetcher(|settings| settings.tls.ca_certificates.push(ca))
}

/// Checks that TLS fails at the first attempt and no request is sent. Returns the native error's
/// text, in lower case.
async fn check_refused(
    context: &TestContext,
    site: &Site,
    trusted: bool,
) -> Result<String, Mismatch> {
    let fetcher = match trusted {
        true => trusting_fetcher(context, site)?,
        false => context.fetcher(|_| {})?,
    };
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq(&outcome.to_string(), attempt_labels(&outcome), "tls")?;
    check_eq("requests", site.observed().requests, 0_u64)?;
    let detail = outcome.error().and_then(|error| error.detail());
    Ok(detail.unwrap_or_default().to_lowercase())
}

async fn error_names_certificate_problem(context: &TestContext) -> CheckResult {
    let table = [
        (Certificate::Expired, true, ["expired", "expired"]),
        (Certificate::WrongHost, true, ["another name", "mismatch"]),
        (Certificate::Good, false, ["authority", "issuer"]),
    ];
    for (certificate, trusted, words) in table {
        let site = Site::builder().tls(certificate).start()?;
        let text = check_refused(context, &site, trusted).await?;
        let named = words.iter().any(|word| text.contains(word));
        check(
            &format!("the error for {certificate:?} contains one of {words:?}"),
            named,
            &text,
        )?;
    }
    Ok(())
}
