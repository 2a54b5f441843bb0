//! The log of one partition.

use fetch_proto::lease::DeliveryHistory;
use serde::{Deserialize, Serialize};

use crate::error::ScaleError;
use crate::ranges::SeqRanges;
use crate::results::Results;

/// The bytes of an entry that are read for its head. Longer heads are read with the whole entry.
const HEAD_BYTES: u64 = 64 << 10;

/// What an entry is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A worker has taken the partition.
    Claim,
    /// The worker is about to start one URL, with nothing else in flight.
    Alone,
    /// Records of URLs that have ended.
    Records,
    /// Records of URLs that have crashed their workers.
    SetAside,
    /// The worker has returned the partition.
    Release,
}

/// The first line of an entry, as JSON. The records follow it, one per line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntryHead {
    /// What the entry is.
    pub kind: EntryKind,
    /// Counts the workers that had the partition.
    pub epoch: u64,
    /// The worker that wrote the entry.
    pub worker: String,
    /// The lines of the list whose records are in the entry; of [`EntryKind::Alone`], the one that starts.
    #[serde(default)]
    pub lines: SeqRanges,
    /// Whether the whole list has records now.
    #[serde(default)]
    pub complete: bool,
}

/// The log of a partition, as one worker writes it.
///
/// An entry is an object that is created only if it does not exist. Each worker writes the entry after the last one
/// that it knows, and begins with a claim. So if two workers have the same partition, one of them finds the entry of
/// the other, and stops with [`ScaleError::Fenced`]: no records of it count that were not in the log before.
///
/// ```
/// use fetch_scale::{PartitionLog, Results, ScaleError, SeqRanges};
///
/// let directory = tempfile::tempdir()?;
/// let results = Results::open(directory.path().to_str().unwrap())?;
/// let mut lines = SeqRanges::default();
/// lines.insert(1);
///
/// let mut stopped = PartitionLog::claim(&results, 7, "a")?;
/// let mut successor = PartitionLog::claim(&results, 7, "b")?;
/// successor.append_records(lines.clone(), b"{\"url\":\"http://a.test/\"}\n", true)?;
/// let refused = stopped.append_records(lines, b"{\"url\":\"http://a.test/\"}\n", true);
/// assert!(matches!(refused, Err(ScaleError::Fenced)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PartitionLog {
    done: SeqRanges,
    epoch: u64,
    history: DeliveryHistory,
    is_complete: bool,
    /// The number of the next entry.
    next: u64,
    partition: u32,
    results: Results,
    set_aside: u64,
    worker: String,
}

impl PartitionLog {
    /// Reads the log, without writing.
    ///
    /// # Errors
    ///
    /// If the store fails, or an entry is damaged.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// assert!(!PartitionLog::load(&results, 7)?.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(results: &Results, partition: u32) -> Result<Self, ScaleError> {
        let mut log = Self {
            done: SeqRanges::default(),
            epoch: 0,
            history: DeliveryHistory::default(),
            is_complete: false,
            next: 0,
            partition,
            results: results.clone(),
            set_aside: 0,
            worker: String::new(),
        };
        log.read_on()?;
        Ok(log)
    }

    /// Takes the partition for `worker`: from now on no other worker can write, unless it claims it, too.
    ///
    /// # Errors
    ///
    /// If the store fails, or an entry is damaged.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// let log = PartitionLog::claim(&results, 7, "a")?;
    /// assert_eq!(log.epoch(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim(results: &Results, partition: u32, worker: &str) -> Result<Self, ScaleError> {
        let mut log = Self::load(results, partition)?;
        log.worker = worker.to_owned();
        loop {
            let epoch = log.epoch;
            log.epoch = epoch + 1;
            match log.append(EntryKind::Claim, SeqRanges::default(), &[], false) {
                Err(ScaleError::Fenced) => {
                    // The worker before this one has written something: it counts.
                    log.epoch = epoch;
                    log.read_on()?;
                }
                result => return result.map(|()| log),
            }
        }
    }

    /// Appends the records of some lines. See [`PartitionLog`].
    ///
    /// # Errors
    ///
    /// [`ScaleError::Fenced`] if another worker has claimed the partition.
    pub fn append_records(
        &mut self,
        lines: SeqRanges,
        records: &[u8],
        complete: bool,
    ) -> Result<(), ScaleError> {
        self.append(EntryKind::Records, lines, records, complete)
    }

    /// Appends the records of lines that are not fetched any more, because they crash their workers.
    ///
    /// # Errors
    ///
    /// [`ScaleError::Fenced`] if another worker has claimed the partition.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results, SeqRanges};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// let mut log = PartitionLog::claim(&results, 7, "a")?;
    /// let mut lines = SeqRanges::default();
    /// lines.insert(3);
    /// log.append_set_aside(lines, b"{}\n")?;
    /// assert_eq!((log.set_aside(), log.done().len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_set_aside(&mut self, lines: SeqRanges, records: &[u8]) -> Result<(), ScaleError> {
        self.append(EntryKind::SetAside, lines, records, false)
    }

    /// Notes that this line starts, with nothing else in flight.
    ///
    /// # Errors
    ///
    /// [`ScaleError::Fenced`] if another worker has claimed the partition.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// PartitionLog::claim(&results, 7, "a")?.append_alone(3)?;
    /// let next = PartitionLog::claim(&results, 7, "b")?;
    /// assert!(next.history().suspects().eq([3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_alone(&mut self, line: u64) -> Result<(), ScaleError> {
        let mut lines = SeqRanges::default();
        lines.insert(line);
        self.append(EntryKind::Alone, lines, &[], false)
    }

    /// Notes that the worker returns the partition.
    ///
    /// # Errors
    ///
    /// [`ScaleError::Fenced`] if another worker has claimed the partition.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// PartitionLog::claim(&results, 7, "a")?.append_release()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_release(&mut self) -> Result<(), ScaleError> {
        self.append(EntryKind::Release, SeqRanges::default(), &[], false)
    }

    fn append(
        &mut self,
        kind: EntryKind,
        lines: SeqRanges,
        records: &[u8],
        complete: bool,
    ) -> Result<(), ScaleError> {
        let head = EntryHead {
            kind,
            epoch: self.epoch,
            worker: self.worker.clone(),
            lines,
            complete,
        };
        let mut entry =
            serde_json::to_vec(&head).map_err(|error| ScaleError::Damaged(error.to_string()))?;
        entry.push(b'\n');
        entry.extend_from_slice(records);
        let name = entry_name(self.partition, self.next);
        match self.results.create(&name, entry) {
            Ok(()) => {}
            // If the answer to an earlier request was lost, then the entry is this one.
            Err(ScaleError::Exists(_)) if self.read_head(&name)? == head => {}
            Err(ScaleError::Exists(_)) => return Err(ScaleError::Fenced),
            Err(error) => return Err(error),
        }
        self.apply(&head);
        Ok(())
    }

    /// Reads the entries after those that are known.
    fn read_on(&mut self) -> Result<(), ScaleError> {
        let names = self.results.list(&log_prefix(self.partition))?;
        let known = usize::try_from(self.next).unwrap_or(usize::MAX);
        for name in names.iter().skip(known) {
            let name = format!("{}/{name}", log_prefix(self.partition));
            if name != entry_name(self.partition, self.next) {
                return Err(ScaleError::Damaged(format!(
                    "{name} is in the place of entry {}",
                    self.next
                )));
            }
            let head = self.read_head(&name)?;
            self.apply(&head);
        }
        Ok(())
    }

    fn read_head(&self, name: &str) -> Result<EntryHead, ScaleError> {
        let mut start = self.results.read_start(name, HEAD_BYTES)?;
        if !start.contains(&b'\n') {
            start = self.results.read(name)?;
        }
        split_entry(name, &start).map(|(head, _)| head)
    }

    fn apply(&mut self, head: &EntryHead) {
        self.next += 1;
        self.epoch = head.epoch;
        self.is_complete |= head.complete;
        match head.kind {
            EntryKind::Claim => self.history.claimed(),
            EntryKind::Alone => {
                let lines = Vec::from(head.lines.clone());
                lines
                    .iter()
                    .for_each(|(line, _)| self.history.started_alone(*line));
            }
            EntryKind::Records | EntryKind::SetAside => {
                if head.kind == EntryKind::SetAside {
                    self.set_aside += head.lines.len();
                }
                self.done.extend(&head.lines);
                self.history.committed(|line| head.lines.contains(line));
            }
            EntryKind::Release => self.history.released(),
        }
    }

    /// The lines that have records.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// assert!(PartitionLog::load(&results, 7)?.done().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn done(&self) -> &SeqRanges {
        &self.done
    }

    /// How many workers have had the partition, with this one.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// assert_eq!(PartitionLog::load(&results, 7)?.epoch(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What the deliveries so far show about URLs that crash their worker.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// assert!(!PartitionLog::load(&results, 7)?.history().is_one_by_one());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn history(&self) -> &DeliveryHistory {
        &self.history
    }

    /// How many lines were set aside, because they crash their workers. See
    /// [`append_set_aside`](Self::append_set_aside).
    #[must_use]
    pub const fn set_aside(&self) -> u64 {
        self.set_aside
    }

    /// Whether every line has a record.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// assert!(!PartitionLog::load(&results, 7)?.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Calls `write` with the records of each entry, in order.
    ///
    /// # Errors
    ///
    /// If the store fails, an entry is damaged, or `write` fails.
    ///
    /// ```
    /// # use fetch_scale::{PartitionLog, Results, SeqRanges};
    /// # let directory = tempfile::tempdir()?;
    /// let results = Results::open(directory.path().to_str().unwrap())?;
    /// let mut log = PartitionLog::claim(&results, 7, "a")?;
    /// log.append_records(SeqRanges::default(), b"{}\n", false)?;
    /// let mut all = Vec::new();
    /// log.for_each_records(|records| {
    ///     all.extend_from_slice(records);
    ///     Ok::<(), fetch_scale::ScaleError>(())
    /// })?;
    /// assert_eq!(all, b"{}\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each_records<E: From<ScaleError>>(
        &self,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for number in 0..self.next {
            let name = entry_name(self.partition, number);
            let entry = self.results.read(&name)?;
            let (_, records) = split_entry(&name, &entry)?;
            if !records.is_empty() {
                write(records)?;
            }
        }
        Ok(())
    }
}

fn split_entry<'a>(name: &str, entry: &'a [u8]) -> Result<(EntryHead, &'a [u8]), ScaleError> {
    let damaged = || ScaleError::Damaged(format!("{name} is not an entry of a log"));
    let end = entry.iter().position(|byte| *byte == b'\n');
    let (head, records) = entry.split_at(end.ok_or_else(damaged)?);
    let head = serde_json::from_slice(head).map_err(|_| damaged())?;
    Ok((head, &records[1..]))
}

fn log_prefix(partition: u32) -> String {
    format!("partitions/{partition:06}/log")
}

fn entry_name(partition: u32, number: u64) -> String {
    format!("{}/{number:08}", log_prefix(partition))
}
