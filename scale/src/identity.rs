//! Names for workers.

/// The name of this machine.
///
/// ```
/// assert!(!fetch_scale::machine_name().is_empty());
/// ```
#[must_use]
pub fn machine_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    match name.is_empty() {
        true => "worker".to_owned(),
        false => name,
    }
}

/// A random number, which distinguishes this process from others.
///
/// ```
/// assert_ne!((fetch_scale::random(), fetch_scale::random()), (0, 0));
/// ```
#[must_use]
pub fn random() -> u32 {
    fastrand::u32(..)
}
