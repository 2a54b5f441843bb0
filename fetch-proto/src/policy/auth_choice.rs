//! Which profile authenticates a request.

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

/// Which [`AuthProfile`](crate::AuthProfile) authenticates the requests of a policy. Displays as it is
/// written in a policy file.
///
/// ```
/// use fetch_proto::{AuthChoice, Policy};
/// let policy = Policy::default().auth(AuthChoice::profile("admin"));
/// assert_eq!(policy.auth.to_string(), "admin");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum AuthChoice {
    /// The profile whose scope fits the URL best.
    #[default]
    ByScope,
    /// None.
    Off,
    /// The profile of this name, within its scope.
    Profile(Box<str>),
}

impl AuthChoice {
    /// The profile of this name.
    ///
    /// ```
    /// assert_eq!(fetch_proto::AuthChoice::profile("api").to_string(), "api");
    /// ```
    #[must_use]
    pub fn profile(name: &str) -> Self {
        Self::Profile(name.into())
    }
}

/// The name of a profile, `none`, or `auto` for the one whose scope fits.
impl FromStr for AuthChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::ByScope,
            "none" => Self::Off,
            name => Self::profile(name),
        })
    }
}

impl fmt::Display for AuthChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByScope => "auto",
            Self::Off => "none",
            Self::Profile(name) => name,
        })
    }
}
