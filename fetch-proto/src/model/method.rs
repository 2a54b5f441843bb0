//! HTTP request methods and their properties by RFC 9110.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use crate::model::text::Quoted;

/// An HTTP request method (RFC 9110, section 9).
///
/// ```
/// use fetch_proto::Method;
///
/// let method: Method = "GET".parse()?;
/// assert!(method.is_safe() && method.is_idempotent());
/// assert!("BAD METHOD".parse::<Method>().is_err());
/// # Ok::<(), fetch_proto::InvalidMethod>(())
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "alloc::string::String", into = "alloc::string::String")
)]
pub enum Method {
    /// Deletes the target.
    Delete,
    /// Retrieves the target.
    #[default]
    Get,
    /// Retrieves the target's header fields only.
    Head,
    /// Describes the communication options of the target.
    Options,
    /// Any other token, such as `PROPFIND`.
    Other(Box<str>),
    /// Modifies a part of the target.
    Patch,
    /// Sends data for the target to process.
    Post,
    /// Replaces the target.
    Put,
    /// Echoes the request.
    Trace,
}

impl Method {
    /// The method's token.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Method::Get.as_str(), "GET");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Other(token) => token,
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
        }
    }

    /// Whether the method is read-only (RFC 9110, section 9.2.1).
    ///
    /// ```
    /// assert!(!fetch_proto::Method::Put.is_safe());
    /// ```
    #[must_use]
    pub fn is_safe(&self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// Whether a repeated request has the effect of a single one (RFC 9110, section 9.2.2), so that
    /// it may be retried without [`FetchRequest::idempotent`](crate::FetchRequest::idempotent).
    ///
    /// ```
    /// assert!(fetch_proto::Method::Put.is_idempotent());
    /// assert!(!fetch_proto::Method::Post.is_idempotent());
    /// ```
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.is_safe() || matches!(self, Self::Delete | Self::Put)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = InvalidMethod;

    fn from_str(token: &str) -> Result<Self, InvalidMethod> {
        // Methods are case-sensitive (RFC 9110, section 9.1): "get" is not GET.
        Ok(match token {
            "DELETE" => Self::Delete,
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "TRACE" => Self::Trace,
            _ if !token.is_empty() && token.bytes().all(is_token_byte) => Self::Other(token.into()),
            _ => return Err(InvalidMethod(token.into())),
        })
    }
}

impl TryFrom<alloc::string::String> for Method {
    type Error = InvalidMethod;

    fn try_from(token: alloc::string::String) -> Result<Self, InvalidMethod> {
        token.parse()
    }
}

impl From<Method> for alloc::string::String {
    fn from(method: Method) -> Self {
        method.as_str().into()
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// The text is not a method token: one or more letters, digits or ``!#$%&'*+-.^_`|~``.
///
/// ```
/// let error = "GET /".parse::<fetch_proto::Method>().unwrap_err();
/// assert_eq!(error.to_string(), "\"GET /\" is not an HTTP method: write a token such as GET or POST");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidMethod(Box<str>);

impl fmt::Display for InvalidMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not an HTTP method: write a token such as GET or POST",
            Quoted(&self.0)
        )
    }
}

impl core::error::Error for InvalidMethod {}
