//! Authentication: what challenges ask for, when a token is acquired, and what is signed. No secrets
//! are kept here, and nothing is hashed: a driver passes its hash functions in.

pub(crate) mod grant;
pub(crate) mod logins;
pub(crate) mod profile;
pub(crate) mod secret_source;
pub(crate) mod sigv4;
pub(crate) mod token_url;
