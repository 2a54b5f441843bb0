//! Signatures of AWS, version 4.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fetch_driver::{
    AccessToken, CredentialError, CredentialSource, RequestSigner, RequestToSign, TokenFuture,
    url_host,
};
use fetch_proto::{SecretSource, SigV4Key, SigV4Request};
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::secret::{
    Secret, SecretKind, identity, known_secret, read_secret, secret_lifetime, wipe,
};
use crate::stored::credential_error;

/// Where the keys of AWS's tools are read from.
const VARIABLES: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The region of services that have one for the whole world.
const GLOBAL_REGION: &str = "us-east-1";

/// Keys of AWS, by which each request is signed (Signature Version 4).
///
/// `Host`, `Content-Type`, `Content-MD5` and all fields that begin with `X-Amz-` are signed, and the hash
/// of the body; that of a body which is a stream is not, which S3 alone accepts. Region and service are
/// those of the host's name, such as `sqs.eu-west-1.amazonaws.com`, unless they are set.
///
/// ```
/// use fetch_auth::AwsCredential;
/// use fetch_driver::{AuthProfile, Settings};
///
/// let profile = AuthProfile::new("aws").scope("https://sqs.eu-west-1.amazonaws.com/".parse()?);
/// Settings::default().add_credentials(profile, AwsCredential::from_env());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AwsCredential {
    keys: KeySource,
    region: Option<String>,
    service: Option<String>,
}

#[derive(Clone, Debug)]
enum KeySource {
    Known(AwsKeys),
    /// A command or a file with the JSON of `credential_process`.
    Process(SecretSource),
    Stored {
        access_key: SecretSource,
        secret_key: SecretSource,
        session_token: Option<SecretSource>,
    },
}

#[derive(Clone, Debug)]
struct AwsKeys {
    access_key: Secret,
    secret_key: Secret,
    session_token: Option<Secret>,
}

impl AwsCredential {
    /// The keys of the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is set,
    /// `AWS_SESSION_TOKEN`.
    ///
    /// ```
    /// let keys = fetch_auth::AwsCredential::from_env();
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        let [access_key, secret_key, token] = VARIABLES.map(|name| SecretSource::Env(name.into()));
        let has_token = std::env::var_os(VARIABLES[2]).is_some_and(|token| !token.is_empty());
        Self::stored(access_key, secret_key, has_token.then_some(token))
    }

    /// Keys that are read from these places, and the token of temporary ones.
    ///
    /// ```
    /// let (key, secret) = ("env:KEY".parse()?, "file:/run/secrets/aws".parse()?);
    /// let keys = fetch_auth::AwsCredential::stored(key, secret, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn stored(
        access_key: SecretSource,
        secret_key: SecretSource,
        session_token: Option<SecretSource>,
    ) -> Self {
        Self::new(KeySource::Stored {
            access_key,
            secret_key,
            session_token,
        })
    }

    /// Keys in the JSON that a command prints, as `credential_process` of AWS's tools does, with the
    /// members `AccessKeyId`, `SecretAccessKey` and optionally `SessionToken` and `Expiration`.
    ///
    /// ```
    /// let source = "exec:aws configure export-credentials".parse()?;
    /// let keys = fetch_auth::AwsCredential::process(source);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn process(source: SecretSource) -> Self {
        Self::new(KeySource::Process(source))
    }

    /// These keys.
    ///
    /// ```
    /// use fetch_auth::{AwsCredential, Secret};
    /// let [key, secret] = ["AKIDEXAMPLE", "s3cret"].map(|text| Secret::new(text.to_owned()));
    /// let keys = AwsCredential::with_keys(key, secret);
    /// assert!(!format!("{keys:?}").contains("s3cret"));
    /// ```
    #[must_use]
    pub const fn with_keys(access_key: Secret, secret_key: Secret) -> Self {
        Self::new(KeySource::Known(AwsKeys {
            access_key,
            secret_key,
            session_token: None,
        }))
    }

    const fn new(keys: KeySource) -> Self {
        Self {
            keys,
            region: None,
            service: None,
        }
    }

    /// Sets the region. Default: that of the host's name, or `us-east-1` if it has none.
    ///
    /// ```
    /// let keys = fetch_auth::AwsCredential::from_env().region("eu-west-1");
    /// ```
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Sets the service, such as `s3`. Default: that of the host's name.
    ///
    /// ```
    /// let keys = fetch_auth::AwsCredential::from_env().service("execute-api");
    /// ```
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// Reads the keys. Blocks.
    fn read(&self) -> Result<AccessToken, CredentialError> {
        let line = |source| read_secret(source, SecretKind::Line).map_err(credential_error);
        let (keys, lifetime) = match &self.keys {
            KeySource::Known(keys) => (keys.clone(), None),
            KeySource::Process(source) => {
                let printed = read_secret(source, SecretKind::Text).map_err(credential_error)?;
                let keys = keys_of_process(printed.secret.expose());
                keys.map_err(|why| CredentialError::unavailable(format!("{source}: {why}")))?
            }
            KeySource::Stored {
                access_key,
                secret_key,
                session_token,
            } => {
                let (access_key, secret_key) = (line(access_key)?, line(secret_key)?);
                let session_token = session_token.as_ref().map(line).transpose()?;
                let lives = [access_key.lifetime, secret_key.lifetime];
                let of_token = session_token.as_ref().and_then(|token| token.lifetime);
                let lifetime = lives.into_iter().chain([of_token]).flatten().min();
                let keys = AwsKeys {
                    access_key: access_key.secret,
                    secret_key: secret_key.secret,
                    session_token: session_token.map(|token| token.secret),
                };
                (keys, lifetime)
            }
        };
        let token = AccessToken::signer(AwsSigner {
            clock: SystemTime::now,
            derived: Mutex::new(None),
            keys,
            region: self.region.clone(),
            service: self.service.clone(),
        });
        Ok(match lifetime {
            Some(lifetime) => token.lifetime(lifetime),
            None => token,
        })
    }
}

impl CredentialSource for AwsCredential {
    fn acquire(&self) -> TokenFuture {
        let keys = self.clone();
        Box::pin(blocking::unblock(move || keys.read()))
    }

    fn identity(&self) -> Vec<u8> {
        let key = match &self.keys {
            KeySource::Known(keys) => Zeroizing::new(keys.access_key.expose().into()),
            KeySource::Process(source) => known_secret(source),
            KeySource::Stored { access_key, .. } => known_secret(access_key),
        };
        identity([&key])
    }
}

fn keys_of_process(text: &str) -> Result<(AwsKeys, Option<Duration>), String> {
    // The error of serde_json could quote the text.
    let json: Result<Value, _> = serde_json::from_str(text);
    let mut json = json.map_err(|_| "printed no valid JSON".to_owned())?;
    let member = |name: &str| {
        json.get(name)?
            .as_str()
            .map(|text| Secret::new(text.into()))
    };
    let keys = member("AccessKeyId").zip(member("SecretAccessKey"));
    let session_token = member("SessionToken");
    let lifetime = secret_lifetime(&json, SystemTime::now());
    wipe(&mut json);
    let (access_key, secret_key) =
        keys.ok_or("printed JSON without AccessKeyId and SecretAccessKey")?;
    let keys = AwsKeys {
        access_key,
        secret_key,
        session_token,
    };
    Ok((keys, lifetime?))
}

/// Signs requests with keys.
struct AwsSigner {
    clock: fn() -> SystemTime,
    /// The key of the latest day, region and service.
    derived: Mutex<Option<SigV4Key>>,
    keys: AwsKeys,
    region: Option<String>,
    service: Option<String>,
}

impl AwsSigner {
    fn key(&self, date: &str, region: &str, service: &str) -> SigV4Key {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = format!("{date}/{region}/{service}/aws4_request");
        if let Some(key) = derived.as_ref().filter(|key| key.scope() == scope) {
            return key.clone();
        }
        let (access_key, secret_key) =
            (self.keys.access_key.expose(), self.keys.secret_key.expose());
        let key = SigV4Key::new(access_key, secret_key, date, region, service, &sha256);
        *derived = Some(key.clone());
        key
    }
}

impl RequestSigner for AwsSigner {
    fn sign(&self, request: &RequestToSign<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let of_host = request.url.host_str().and_then(service_and_region);
        let (service, region) = of_host.unwrap_or((None, None));
        let service = self.service.as_deref().or(service).unwrap_or_default();
        let region = self.region.as_deref().or(region).unwrap_or(GLOBAL_REGION);
        let is_s3 = service == "s3";
        let Ok(now) = Timestamp::try_from((self.clock)()) else {
            return Vec::new();
        };
        let date_time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let payload = request.headers.get("x-amz-content-sha256");
        let payload = match (payload.and_then(|hash| hash.to_str().ok()), request.body) {
            (Some(hash), _) => hash.to_owned(),
            (None, Some(body)) => crate::hex::hexadecimal(&sha256(body)),
            (None, None) => "UNSIGNED-PAYLOAD".to_owned(),
        };
        let mut added = vec![("x-amz-date", date_time.as_str())];
        if is_s3 || request.body.is_none() {
            added.push(("x-amz-content-sha256", payload.as_str()));
        }
        let token = self.keys.session_token.as_ref().map(Secret::expose);
        added.extend(token.map(|token| ("x-amz-security-token", token)));
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((request.target, ""));
        let mut signed = SigV4Request::new(request.method.as_str(), path, &date_time)
            .query(query)
            .single_encoding(is_s3)
            .payload_hash(&payload);
        if !request.headers.contains_key(header::HOST) {
            signed = signed.field("host", url_host(request.url));
        }
        for (name, value) in request.headers {
            let is_added = added.iter().any(|(added, _)| name == added);
            if let Ok(value) = value.to_str()
                && is_signed(name)
                && !is_added
            {
                signed = signed.field(name.as_str(), value);
            }
        }
        for (name, value) in &added {
            signed = signed.field(name, value);
        }
        let date = date_time.get(..8).unwrap_or_default();
        let authorization = self
            .key(date, region, service)
            .authorization(&signed, &sha256);
        let authorization = HeaderValue::try_from(Zeroizing::new(authorization).as_str());
        let added = added.into_iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(name == "x-amz-security-token");
            Some((HeaderName::from_static(name), value))
        });
        let authorization = authorization
            .into_iter()
            .map(|value| (header::AUTHORIZATION, value));
        added.chain(authorization).collect()
    }
}

impl fmt::Debug for AwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsSigner(..)")
    }
}

fn is_signed(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "host" | "content-type" | "content-md5") || name.starts_with("x-amz-")
}

/// Service and region by the name of the host: the last labels before those of AWS.
fn service_and_region(host: &str) -> Option<(Option<&str>, Option<&str>)> {
    let ends = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let rest = ends.iter().find_map(|end| host.strip_suffix(end))?;
    let mut labels = rest.rsplit('.');
    let last = labels.next()?;
    // Regions have digits at their end, as in eu-west-1.
    if !last.ends_with(|c: char| c.is_ascii_digit()) || !last.contains('-') {
        return Some((Some(last), None));
    }
    Some((labels.next(), Some(last)))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest(&SHA256, bytes);
    let mut array = [0; 32];
    array.copy_from_slice(hash.as_ref());
    array
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const TIME: u64 = 1_440_938_160; // 20150830T123600Z

    fn signer(service: &str, session_token: Option<&str>) -> AwsSigner {
        let secret = |text: &str| Secret::new(text.to_owned());
        AwsSigner {
            clock: || SystemTime::UNIX_EPOCH + Duration::from_secs(TIME),
            derived: Mutex::new(None),
            keys: AwsKeys {
                access_key: secret("AKIDEXAMPLE"),
                secret_key: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                session_token: session_token.map(secret),
            },
            region: Some("us-east-1".into()),
            service: Some(service.into()),
        }
    }

    fn signed(
        signer: &AwsSigner,
        url: &str,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> HeaderMap {
        let url = url.parse().unwrap();
        let mut request = RequestToSign::get(&url, headers);
        request.body = body;
        signer.sign(&request).into_iter().collect()
    }

    /// The case get-vanilla-query-order-key-case that AWS publishes.
    #[test]
    fn a_request_is_signed_as_aws_publishes_it() {
        let url = "https://example.amazonaws.com/?Param2=value2&Param1=value1";
        let fields = signed(&signer("service", None), url, &HeaderMap::new(), Some(b""));
        assert_eq!(fields["x-amz-date"], "20150830T123600Z");
        assert_eq!(
            fields["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        assert!(!fields.contains_key("x-amz-content-sha256"));
    }

    #[test]
    fn s3_gets_the_hash_of_the_body_and_that_of_a_stream_is_not_signed() {
        let url = "https://bucket.s3.amazonaws.com/a%20b";
        let fields = signed(&signer("s3", None), url, &HeaderMap::new(), Some(b""));
        assert_eq!(fields["x-amz-content-sha256"], SigV4Request::EMPTY_PAYLOAD);
        let fields = signed(&signer("s3", None), url, &HeaderMap::new(), None);
        assert_eq!(fields["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    }

    #[test]
    fn a_session_token_is_sent_and_signed_and_own_fields_are_signed() {
        let own = ["content-type", "x-amz-target", "accept"];
        let own = own.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v")));
        let url = "https://sqs.eu-west-1.amazonaws.com/";
        let fields = signed(
            &signer("sqs", Some("t")),
            url,
            &own.into_iter().collect(),
            None,
        );
        assert_eq!(fields["x-amz-security-token"], "t");
        let authorization = fields["authorization"].to_str().unwrap();
        let names =
            "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target";
        assert!(
            authorization.contains(&format!("SignedHeaders={names},")),
            "{authorization}"
        );
    }

    #[test]
    fn service_and_region_are_those_of_the_host() {
        for (host, expected) in [
            (
                "sqs.eu-west-1.amazonaws.com",
                Some((Some("sqs"), Some("eu-west-1"))),
            ),
            (
                "b.s3.us-east-2.amazonaws.com",
                Some((Some("s3"), Some("us-east-2"))),
            ),
            ("s3.amazonaws.com", Some((Some("s3"), None))),
            ("iam.amazonaws.com", Some((Some("iam"), None))),
            (
                "x1y2.execute-api.us-west-2.amazonaws.com",
                Some((Some("execute-api"), Some("us-west-2"))),
            ),
            (
                "ec2.cn-north-1.amazonaws.com.cn",
                Some((Some("ec2"), Some("cn-north-1"))),
            ),
            ("localhost", None),
        ] {
            assert_eq!(service_and_region(host), expected, "{host}");
        }
    }

    #[test]
    fn the_output_of_a_credential_process_is_understood() {
        let text = r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2999-01-01T00:00:00Z"}"#;
        let (keys, lifetime) = keys_of_process(text).unwrap();
        let token = keys.session_token.as_ref().map(Secret::expose);
        assert_eq!(
            (keys.access_key.expose(), keys.secret_key.expose()),
            ("a", "s")
        );
        assert!(token == Some("t") && lifetime.is_some());
        assert!(!keys_of_process("s3cret").unwrap_err().contains("s3cret"));
    }
}
