//! Signatures of requests to AWS, version 4 (AWS, "Create a signed AWS API request").

mod canonical;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use canonical::{canonical_fields, canonical_path, canonical_query, encoded, hexadecimal};

/// Computes SHA-256.
pub type Sha256<'a> = &'a dyn Fn(&[u8]) -> [u8; 32];

/// The key that signs the requests of one day to one service in one region.
///
/// ```
/// use fetch_proto::{SigV4Key, SigV4Request};
/// # let sha256 = |bytes: &[u8]| { let mut hash = [7; 32]; hash[0] = bytes.len() as u8; hash };
///
/// let key = SigV4Key::new("AKIDEXAMPLE", "secret", "20150830", "us-east-1", "service", &sha256);
/// let request = SigV4Request::new("GET", "/", "20150830T123600Z").field("host", "example.amazonaws.com");
/// let authorization = key.authorization(&request, &sha256);
/// assert!(authorization.starts_with(
///     "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host, Signature="
/// ));
/// ```
#[derive(Clone)]
pub struct SigV4Key {
    access_key: String,
    key: [u8; 32],
    scope: String,
}

impl SigV4Key {
    /// Derives the key. `date` is the day in UTC, as in `20150830`.
    ///
    /// ```
    /// # let sha256 = |_: &[u8]| [7; 32];
    /// let key = fetch_proto::SigV4Key::new("AKID", "secret", "20150830", "us-east-1", "s3", &sha256);
    /// assert_eq!(key.scope(), "20150830/us-east-1/s3/aws4_request");
    /// ```
    #[must_use]
    pub fn new(
        access_key: &str,
        secret_key: &str,
        date: &str,
        region: &str,
        service: &str,
        sha256: Sha256<'_>,
    ) -> Self {
        let mut key = hmac(
            format!("AWS4{secret_key}").as_bytes(),
            date.as_bytes(),
            sha256,
        );
        for part in [region, service, "aws4_request"] {
            key = hmac(&key, part.as_bytes(), sha256);
        }
        Self {
            access_key: access_key.into(),
            key,
            scope: format!("{date}/{region}/{service}/aws4_request"),
        }
    }

    /// Day, region and service for which it signs.
    ///
    /// ```
    /// # let sha256 = |_: &[u8]| [7; 32];
    /// let key = fetch_proto::SigV4Key::new("AKID", "secret", "20150830", "us-east-1", "s3", &sha256);
    /// assert!(key.scope().ends_with("/s3/aws4_request"));
    /// ```
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The value of `Authorization`.
    ///
    /// ```
    /// # use fetch_proto::{SigV4Key, SigV4Request};
    /// # let sha256 = |_: &[u8]| [7; 32];
    /// # let key = SigV4Key::new("AKID", "secret", "20150830", "us-east-1", "s3", &sha256);
    /// let request = SigV4Request::new("GET", "/", "20150830T123600Z").field("host", "a.test");
    /// assert!(key.authorization(&request, &sha256).contains("SignedHeaders=host"));
    /// ```
    #[must_use]
    pub fn authorization(&self, request: &SigV4Request<'_>, sha256: Sha256<'_>) -> String {
        let (fields, signed) = canonical_fields(&request.fields);
        let query = canonical_query(request.query, &[]);
        let signature = self.signature(request, &query, (&fields, &signed), sha256);
        let (access_key, scope) = (&self.access_key, &self.scope);
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
    }

    /// The query of a request that is signed by its query and may be sent for `seconds`, at most
    /// 604,800. The token is that of temporary credentials.
    ///
    /// ```
    /// # use fetch_proto::{SigV4Key, SigV4Request};
    /// # let sha256 = |_: &[u8]| [7; 32];
    /// # let key = SigV4Key::new("AKID", "secret", "20150830", "us-east-1", "s3", &sha256);
    /// let request = SigV4Request::new("GET", "/", "20150830T123600Z").field("host", "a.test");
    /// let query = key.signed_query(&request, 60, None, &sha256);
    /// assert!(query.contains("X-Amz-Expires=60") && query.contains("&X-Amz-Signature="));
    /// ```
    #[must_use]
    pub fn signed_query(
        &self,
        request: &SigV4Request<'_>,
        seconds: u32,
        token: Option<&str>,
        sha256: Sha256<'_>,
    ) -> String {
        let (fields, signed) = canonical_fields(&request.fields);
        let credential = format!("{}/{}", self.access_key, self.scope);
        let seconds = format!("{seconds}");
        let mut added = Vec::from([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", request.date_time),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", &signed),
        ]);
        added.extend(token.map(|token| ("X-Amz-Security-Token", token)));
        let query = canonical_query(request.query, &added);
        let signature = self.signature(request, &query, (&fields, &signed), sha256);
        format!("{query}&X-Amz-Signature={signature}")
    }

    fn signature(
        &self,
        request: &SigV4Request<'_>,
        query: &str,
        (fields, signed): (&str, &str),
        sha256: Sha256<'_>,
    ) -> String {
        let canonical = request.canonical(query, (fields, signed));
        let hash = hexadecimal(&sha256(canonical.as_bytes()));
        let (date_time, scope) = (request.date_time, &self.scope);
        let text = format!("AWS4-HMAC-SHA256\n{date_time}\n{scope}\n{hash}");
        hexadecimal(&hmac(&self.key, text.as_bytes(), sha256))
    }
}

impl fmt::Debug for SigV4Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SigV4Key");
        shown.field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// A request that is signed: what goes out, byte for byte.
///
/// ```
/// let request = fetch_proto::SigV4Request::new("PUT", "/bucket/a%20b", "20150830T123600Z")
///     .single_encoding(true)
///     .query("partNumber=1")
///     .field("host", "s3.amazonaws.com")
///     .payload_hash("UNSIGNED-PAYLOAD");
/// ```
#[derive(Clone, Debug)]
pub struct SigV4Request<'a> {
    date_time: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    is_single: bool,
    method: &'a str,
    path: &'a str,
    payload_hash: &'a str,
    query: &'a str,
}

impl<'a> SigV4Request<'a> {
    /// The SHA-256 of an empty body.
    pub const EMPTY_PAYLOAD: &'static str =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// A request without query, fields and body. The path stands as in the request line, and the time
    /// in UTC as in `20150830T123600Z`.
    ///
    /// ```
    /// let request = fetch_proto::SigV4Request::new("GET", "/", "20150830T123600Z");
    /// ```
    #[must_use]
    pub const fn new(method: &'a str, path: &'a str, date_time: &'a str) -> Self {
        Self {
            date_time,
            fields: Vec::new(),
            is_single: false,
            method,
            path,
            payload_hash: Self::EMPTY_PAYLOAD,
            query: "",
        }
    }

    /// Adds a field that is signed. `host` and all fields that begin with `x-amz-` must be.
    ///
    /// ```
    /// # use fetch_proto::SigV4Request;
    /// let request = SigV4Request::new("GET", "/", "20150830T123600Z").field("Host", "a.test");
    /// ```
    #[must_use]
    pub fn field(mut self, name: &'a str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Sets the SHA-256 of the body in hexadecimal digits, or `UNSIGNED-PAYLOAD`.
    ///
    /// ```
    /// # use fetch_proto::SigV4Request;
    /// let request = SigV4Request::new("PUT", "/", "20150830T123600Z").payload_hash("UNSIGNED-PAYLOAD");
    /// ```
    #[must_use]
    pub const fn payload_hash(mut self, hash: &'a str) -> Self {
        self.payload_hash = hash;
        self
    }

    /// Sets the query, as it stands in the request line.
    ///
    /// ```
    /// # use fetch_proto::SigV4Request;
    /// let request = SigV4Request::new("GET", "/", "20150830T123600Z").query("b=2&a=1");
    /// ```
    #[must_use]
    pub const fn query(mut self, query: &'a str) -> Self {
        self.query = query;
        self
    }

    /// Sets whether the path is signed as S3 does: percent-encoded once, and with its dot segments.
    /// All other services encode the path of the request line once more.
    ///
    /// ```
    /// # use fetch_proto::SigV4Request;
    /// let request = SigV4Request::new("GET", "/a%20b", "20150830T123600Z").single_encoding(true);
    /// ```
    #[must_use]
    pub const fn single_encoding(mut self, is_single: bool) -> Self {
        self.is_single = is_single;
        self
    }

    fn canonical(&self, query: &str, (fields, signed): (&str, &str)) -> String {
        let path = match self.is_single {
            true => encoded(&canonical::decoded(self.path), true),
            false => canonical_path(self.path),
        };
        let (method, hash) = (self.method, self.payload_hash);
        format!("{method}\n{path}\n{query}\n{fields}\n{signed}\n{hash}")
    }
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8], sha256: Sha256<'_>) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&sha256(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8, rest: &[u8]| -> Vec<u8> {
        let start = block.iter().map(|byte| byte ^ pad);
        start.chain(rest.iter().copied()).collect()
    };
    let inner = sha256(&padded(0x36, message));
    sha256(&padded(0x5c, &inner))
}
