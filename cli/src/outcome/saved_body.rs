//! What became of the body of an outcome.

/// What became of one body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// The digest that was asked for, as `md5:…`.
    pub(crate) checksum: Option<String>,
    /// Why it was not kept.
    pub(crate) error: Option<Trouble>,
    /// Its file, below the directory, or in which shard.
    pub(crate) file: Option<String>,
    pub(crate) sha256: Option<String>,
}

/// Why a body was not kept.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It is not what the list says.
    Checksum(String),
    /// Its file cannot be written.
    Save(String),
}
