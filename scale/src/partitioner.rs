//! Dividing a list by host.

use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::ScaleError;
use crate::results::Results;
use crate::run::PartitionSize;

/// The lines of a chunk, at most.
const CHUNK_LINES: u64 = 10_000;

/// The bytes of all chunks that are not written yet, at most. When they are more, the largest is written.
const BUFFERED_BYTES: usize = 64 << 20;

/// The partition of a host, of `count`. Ports and schemes of one host are in the same partition.
///
/// ```
/// use fetch_scale::partition_of;
/// assert_eq!(partition_of("a.test", 64), partition_of("A.test", 64));
/// assert!(partition_of("b.test", 64) < 64);
/// ```
#[must_use]
pub fn partition_of(host: &str, count: u32) -> u32 {
    let hash = xxh3_64(host.to_ascii_lowercase().as_bytes()) % u64::from(count.max(1));
    u32::try_from(hash).unwrap_or_default()
}

#[derive(Debug, Default)]
struct PartitionBuffer {
    lines: u64,
    text: Vec<u8>,
    size: PartitionSize,
}

/// Divides a list into partitions while it is read, in bounded memory, and writes the chunks of each.
///
/// ```
/// use fetch_scale::{ListPartitioner, Results};
///
/// let directory = tempfile::tempdir()?;
/// let results = Results::open(directory.path().to_str().unwrap())?;
/// let mut list = ListPartitioner::new(results.clone(), 4);
/// list.push("http://a.test/1", b"http://a.test/1")?;
/// list.push("http://a.test/2", b"http://a.test/2")?;
/// let sizes = list.finish()?;
/// let partition = sizes.iter().position(|size| size.lines == 2).unwrap();
/// let chunk = ListPartitioner::read_chunk(&results, partition as u32, 0)?;
/// assert_eq!(chunk, b"http://a.test/1\nhttp://a.test/2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ListPartitioner {
    buffers: Vec<PartitionBuffer>,
    bytes: usize,
    results: Results,
}

impl ListPartitioner {
    /// A list of `partitions` partitions. See [`ListPartitioner`].
    #[must_use]
    pub fn new(results: Results, partitions: u32) -> Self {
        let buffers = (0..partitions.max(1)).map(|_| PartitionBuffer::default());
        Self {
            buffers: buffers.collect(),
            bytes: 0,
            results,
        }
    }

    /// Adds a line to the partition of the host of `url`. A line whose URL has no host is in the partition of the
    /// text. See [`ListPartitioner`].
    ///
    /// # Errors
    ///
    /// If a chunk cannot be written.
    pub fn push(&mut self, url: &str, line: &[u8]) -> Result<(), ScaleError> {
        let parsed = Url::parse(url).ok();
        let host = parsed.as_ref().and_then(Url::host_str).unwrap_or(url);
        let count = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
        let partition = partition_of(host, count);
        let Some(buffer) = self.buffers.get_mut(partition as usize) else {
            return Ok(());
        };
        buffer.text.extend_from_slice(line);
        buffer.text.push(b'\n');
        buffer.lines += 1;
        self.bytes += line.len() + 1;
        if buffer.lines >= CHUNK_LINES {
            self.flush(partition)?;
        } else if self.bytes > BUFFERED_BYTES {
            let sizes = self.buffers.iter().map(|buffer| buffer.text.len());
            let largest = sizes.enumerate().max_by_key(|(_, size)| *size);
            let largest = largest.map_or(0, |(index, _)| index);
            self.flush(u32::try_from(largest).unwrap_or_default())?;
        }
        Ok(())
    }

    fn flush(&mut self, partition: u32) -> Result<(), ScaleError> {
        let Some(buffer) = self.buffers.get_mut(partition as usize) else {
            return Ok(());
        };
        if buffer.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut buffer.text);
        self.bytes -= text.len();
        let name = chunk_name(partition, buffer.size.chunks);
        buffer.size.chunks += 1;
        buffer.size.lines += std::mem::take(&mut buffer.lines);
        // A plan that was interrupted may have left a chunk of this name.
        self.results.replace(&name, text)
    }

    /// Writes the last chunks. Returns the sizes of the partitions. See [`ListPartitioner`].
    ///
    /// # Errors
    ///
    /// If a chunk cannot be written.
    pub fn finish(mut self) -> Result<Vec<PartitionSize>, ScaleError> {
        for partition in 0..u32::try_from(self.buffers.len()).unwrap_or(u32::MAX) {
            self.flush(partition)?;
        }
        Ok(self.buffers.iter().map(|buffer| buffer.size).collect())
    }

    /// The lines of a chunk. See [`ListPartitioner`].
    ///
    /// # Errors
    ///
    /// If it does not exist, or the store fails.
    pub fn read_chunk(
        results: &Results,
        partition: u32,
        number: u32,
    ) -> Result<Vec<u8>, ScaleError> {
        results.read(&chunk_name(partition, number))
    }
}

fn chunk_name(partition: u32, number: u32) -> String {
    format!("partitions/{partition:06}/list/{number:06}")
}
