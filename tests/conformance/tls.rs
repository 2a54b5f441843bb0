//! https.

use fetch_all::driver::ClientIdentity;
use fetch_testbed::{Certificate, Site};

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, Difference, ends, fine, get, holds, same};

pub(crate) const GROUP: Group = Group {
    name: "TLS",
    behaviours: behaviours![
        "a good certificate of an added authority" => good,
        "an expired certificate" => expired,
        "a certificate for another name" => wrong_host,
        "an unknown authority" => unknown,
        "the error says what is wrong with a certificate" => words,
        "checks can be switched off" => insecure,
        "TLS connections are used again" => reuse,
        "a client certificate, where the server asks for it" => client_certificate,
        "without one, such a server is told" => no_client_certificate,
    ],
};

async fn good(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::Good).start()?;
    fine(&trusting(bench, &site)?.fetch(get(site.url("/get"))?).await)
}

async fn expired(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::Expired).start()?;
    refused(bench, &site, true).await.map(drop)
}

async fn wrong_host(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::WrongHost).start()?;
    refused(bench, &site, true).await.map(drop)
}

async fn unknown(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::Good).start()?;
    refused(bench, &site, false).await.map(drop)
}

async fn insecure(bench: &Bench) -> Check {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::WrongHost,
    ] {
        let site = Site::builder().tls(certificate).start()?;
        let client = bench.client(|settings| settings.tls.insecure = true)?;
        fine(&client.fetch(get(site.url("/get"))?).await)?;
    }
    Ok(())
}

async fn reuse(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let client = trusting(bench, &site)?;
    for _ in 0..10 {
        fine(&client.fetch(get(site.url("/bytes/2000"))?).await)?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn client_certificate(bench: &Bench) -> Check {
    let site = asking()?;
    let (ca, (cert, key)) = site.ca_pem().zip(site.client_pem()).unwrap_or_default();
    let client = bench.client(|settings| {
        settings.tls.ca_certificates.push(ca.into());
        settings.tls.client_certificate = Some(ClientIdentity {
            cert_pem: cert.into(),
            key_pem: key.into(),
        });
    })?;
    for _ in 0..2 {
        fine(&client.fetch(get(site.url("/get"))?).await)?;
    }
    same("connections", site.observed().connections, 1_u64)
}

async fn no_client_certificate(bench: &Bench) -> Check {
    refused(bench, &asking()?, true).await.map(drop)
}

/// A site that lets in only those whom its authority knows.
fn asking() -> std::io::Result<Site> {
    let builder = Site::builder().tls(Certificate::Good);
    builder.client_certificates(true).start()
}

/// A fetcher that trusts the site's authority.
fn trusting(bench: &Bench, site: &Site) -> Result<Box<dyn crate::backend::Client>, Difference> {
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    bench.client(|settings| settings.tls.ca_certificates.push(ca))
}

/// The site's certificate is refused at once and nothing is sent: the native error's text.
async fn refused(bench: &Bench, site: &Site, trusted: bool) -> Result<String, Difference> {
    let client = match trusted {
        true => trusting(bench, site)?,
        false => bench.client(|_| {})?,
    };
    let outcome = client.fetch(get(site.url("/get"))?).await;
    same(&outcome.to_string(), ends(&outcome), "tls")?;
    same("requests", site.observed().requests, 0_u64)?;
    let detail = outcome.error().and_then(|error| error.detail());
    Ok(detail.unwrap_or_default().to_lowercase())
}

async fn words(bench: &Bench) -> Check {
    let table = [
        (Certificate::Expired, true, ["expired", "expired"]),
        (Certificate::WrongHost, true, ["another name", "mismatch"]),
        (Certificate::Good, false, ["authority", "issuer"]),
    ];
    for (certificate, trusted, words) in table {
        let site = Site::builder().tls(certificate).start()?;
        let text = refused(bench, &site, trusted).await?;
        let said = words.iter().any(|word| text.contains(word));
        holds(
            &format!("{certificate:?} is told by {words:?}"),
            said,
            &text,
        )?;
    }
    Ok(())
}
