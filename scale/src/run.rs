//! The description of a run, which all workers read.

use std::time::Duration;

use fetch_proto::lease::LeaseTerms;
use serde::{Deserialize, Serialize};

use crate::error::ScaleError;
use crate::results::Results;

const NAME: &str = "run.json";

/// The size of a partition.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PartitionSize {
    /// The objects of its list.
    pub chunks: u32,
    /// The lines of its list.
    pub lines: u64,
}

/// What a run is: written by `plan`, and the same for all workers.
///
/// ```
/// # use std::time::Duration;
/// use fetch_scale::{Results, RunDescription};
///
/// let directory = tempfile::tempdir()?;
/// let results = Results::open(directory.path().to_str().unwrap())?;
/// let run = RunDescription::new("0.1.0", Duration::from_secs(40), Vec::new());
/// run.create(&results)?;
/// assert_eq!(RunDescription::load(&results)?, run);
/// assert!(run.create(&results).is_err(), "a run is planned once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunDescription {
    /// Distinguishes the run from all others in the same queue.
    pub id: String,
    /// How long a lease of its partitions lasts, in milliseconds.
    pub lease_ms: u64,
    /// The version of the program that planned it.
    pub version: String,
    /// Whether the lines of the list are JSON.
    #[serde(default)]
    pub is_jsonl: bool,
    /// The key of the URL in JSON, if it is not `url`.
    #[serde(default)]
    pub url_column: Option<String>,
    /// The partitions, by number.
    pub partitions: Vec<PartitionSize>,
}

impl RunDescription {
    /// A new run, with a random id.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use fetch_scale::RunDescription;
    /// let ids = [(), ()].map(|()| RunDescription::new("0.1.0", Duration::from_secs(40), Vec::new()).id);
    /// assert_ne!(ids[0], ids[1]);
    /// ```
    #[must_use]
    pub fn new(version: &str, lease: Duration, partitions: Vec<PartitionSize>) -> Self {
        Self {
            id: format!("{:016x}", fastrand::u64(..)),
            lease_ms: lease.as_millis().try_into().unwrap_or(u64::MAX),
            version: version.to_owned(),
            is_jsonl: false,
            url_column: None,
            partitions,
        }
    }

    /// The times of its leases.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use fetch_scale::RunDescription;
    /// let run = RunDescription::new("0.1.0", Duration::from_secs(40), Vec::new());
    /// assert_eq!(run.lease_terms().ttl, Duration::from_secs(40));
    /// ```
    #[must_use]
    pub const fn lease_terms(&self) -> LeaseTerms {
        LeaseTerms::new(Duration::from_millis(self.lease_ms))
    }

    /// Writes the description, which makes the run complete. See [`RunDescription`].
    ///
    /// # Errors
    ///
    /// [`ScaleError::Exists`] if there is a run already.
    pub fn create(&self, results: &Results) -> Result<(), ScaleError> {
        let text = serde_json::to_vec(self);
        let text = text.map_err(|error| ScaleError::Damaged(error.to_string()))?;
        results.create(NAME, text)
    }

    /// Reads the description. See [`RunDescription`].
    ///
    /// # Errors
    ///
    /// [`ScaleError::Missing`] if nothing is planned yet.
    pub fn load(results: &Results) -> Result<Self, ScaleError> {
        let text = results.read(NAME)?;
        serde_json::from_slice(&text).map_err(|error| {
            ScaleError::Damaged(format!("{NAME} is not the description of a run: {error}"))
        })
    }

    /// The lines of all partitions.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use fetch_scale::{PartitionSize, RunDescription};
    /// let size = PartitionSize { chunks: 1, lines: 7 };
    /// assert_eq!(RunDescription::new("0.1.0", Duration::from_secs(40), vec![size; 2]).lines(), 14);
    /// ```
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.partitions.iter().map(|size| size.lines).sum()
    }
}
