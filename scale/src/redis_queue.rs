//! The queue on Redis Streams.

use std::fmt;
use std::time::Duration;

use redis::{Client, Connection, FromRedisValue, Script};

use crate::error::ScaleError;
use crate::queue::{Lease, LeaseAnswer, Queue, QueueStatus, WorkerReport};

/// The longest time of a call.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A worker whose last report is older, in seconds, is not shown.
const REPORT_SECONDS: u64 = 600;

/// Adds partitions that are not in the hash of queued partitions. The group exists from then on.
const ADD: &str = "
local added = 0
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
for _, partition in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[2], partition) == 0 then
    redis.call('HSET', KEYS[2], partition, redis.call('XADD', KEYS[1], '*', 'p', partition))
    added = added + 1
  end
end
return added";

/// Takes deliveries whose lease has ended, then new ones. Returns ids and partitions, and the length of the queue.
const LEASE: &str = "
local leases, wanted = {}, tonumber(ARGV[3])
local function take(entries)
  for _, entry in ipairs(entries) do
    if entry[2] then
      table.insert(leases, entry[1])
      table.insert(leases, entry[2][2])
    end
  end
end
local cursor = '0-0'
repeat
  local left = wanted - #leases / 2
  if left < 1 then break end
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], 'workers', ARGV[1], ARGV[2], cursor, 'COUNT', left)
  cursor = claimed[1]
  take(claimed[2])
until cursor == '0-0'
local left = wanted - #leases / 2
if left >= 1 then
  local read = redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', left, 'STREAMS', KEYS[1], '>')
  if read then take(read[1][2]) end
end
return {leases, redis.call('XLEN', KEYS[1])}";

/// Extends the deliveries that are still this worker's, and returns their ids.
const EXTEND: &str = "
local kept = {}
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], 'workers', ARGV[i], ARGV[i], 1, ARGV[1])
  if #pending == 1 then
    redis.call('XCLAIM', KEYS[1], 'workers', ARGV[1], 0, ARGV[i], 'JUSTID')
    table.insert(kept, ARGV[i])
  end
end
redis.call('HSET', KEYS[2], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])
return kept";

/// Removes a delivery that is still this worker's, and queues its partition again if the last argument is 1.
const FINISH: &str = "
if #redis.call('XPENDING', KEYS[1], 'workers', ARGV[2], ARGV[2], 1, ARGV[1]) == 0 then return 0 end
redis.call('XACK', KEYS[1], 'workers', ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[2], ARGV[3], redis.call('XADD', KEYS[1], '*', 'p', ARGV[3]))
else
  redis.call('HDEL', KEYS[2], ARGV[3])
end
return 1";

/// A queue on Redis 7.0 or later. It has one stream entry per partition that is not complete, so its size does
/// not depend on the number of URLs. A delivery that is not extended during a lease belongs to the next worker
/// that asks. Redis decides by its own clock, which must not jump by more than an eighth of a lease.
///
/// ```no_run
/// use std::time::Duration;
/// use fetch_scale::{Queue, RedisQueue};
///
/// let mut queue = RedisQueue::open("redis://127.0.0.1:6379", "run-1", "worker-1", Duration::from_secs(40))?;
/// queue.add(&[0, 1, 2])?;
/// let answer = queue.lease(1)?;
/// assert_eq!((answer.leases.len(), answer.incomplete), (1, 3));
/// # Ok::<(), fetch_scale::ScaleError>(())
/// ```
pub struct RedisQueue {
    client: Client,
    /// `None` before the first call, and after a failure.
    connection: Option<Connection>,
    run: String,
    ttl: Duration,
    worker: String,
}

impl RedisQueue {
    /// The queue of a run, by the address of its server: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`.
    /// `worker` is a name that no other process has, nor has had. Connects with the first call. See
    /// [`RedisQueue`].
    ///
    /// # Errors
    ///
    /// If the address cannot be used.
    pub fn open(address: &str, run: &str, worker: &str, ttl: Duration) -> Result<Self, ScaleError> {
        if !address.starts_with("redis://") {
            return Err(ScaleError::Address(
                "the queue is not supported: write redis://HOST[:PORT][/DATABASE]".to_owned(),
            ));
        }
        let client = Client::open(address).map_err(|error| {
            ScaleError::Address(format!("the address of the queue cannot be used: {error}"))
        })?;
        Ok(Self {
            client,
            connection: None,
            run: run.to_owned(),
            ttl,
            worker: worker.to_owned(),
        })
    }

    /// Checks that the server can be reached.
    ///
    /// # Errors
    ///
    /// If it cannot.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let mut queue = fetch_scale::RedisQueue::open("redis://127.0.0.1", "run-1", "a", Duration::from_secs(40))?;
    /// queue.ping()?;
    /// # Ok::<(), fetch_scale::ScaleError>(())
    /// ```
    pub fn ping(&mut self) -> Result<(), ScaleError> {
        self.call(|connection| redis::cmd("PING").query::<String>(connection))
            .map(drop)
    }

    fn key(&self, kind: &str) -> String {
        format!("fetch-all:{{{}}}:{kind}", self.run)
    }

    /// Runs a script. `keys` are the kinds of its keys.
    fn run_script<T: FromRedisValue>(
        &mut self,
        script: &str,
        keys: &[&str],
        arguments: &[String],
    ) -> Result<T, ScaleError> {
        let script = Script::new(script);
        let mut call = script.prepare_invoke();
        keys.iter().for_each(|kind| {
            call.key(self.key(kind));
        });
        arguments.iter().for_each(|argument| {
            call.arg(argument);
        });
        self.call(|connection| call.invoke(connection))
    }

    /// Makes a call, on a new connection if the last one failed.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Connection) -> redis::RedisResult<T>,
    ) -> Result<T, ScaleError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = self.client.get_connection_with_timeout(TIMEOUT)?;
                connection.set_read_timeout(Some(TIMEOUT))?;
                connection.set_write_timeout(Some(TIMEOUT))?;
                connection
            }
        };
        let result = call(&mut connection).map_err(ScaleError::from);
        if !matches!(result, Err(ScaleError::Queue(_))) {
            self.connection = Some(connection);
        }
        result
    }

    fn finish(&mut self, lease: &Lease, again: &str) -> Result<(), ScaleError> {
        let partition = lease.partition.to_string();
        let arguments = [
            self.worker.clone(),
            lease.id.clone(),
            partition,
            again.to_owned(),
        ];
        self.run_script::<u64>(FINISH, &["queue", "queued"], &arguments)
            .map(drop)
    }
}

impl Queue for RedisQueue {
    fn add(&mut self, partitions: &[u32]) -> Result<u64, ScaleError> {
        // The first call makes the run known, also if nothing is to be added.
        let mut added = self.run_script::<u64>(ADD, &["queue", "queued"], &[])?;
        for some in partitions.chunks(1000) {
            let arguments: Vec<_> = some.iter().map(u32::to_string).collect();
            added += self.run_script::<u64>(ADD, &["queue", "queued"], &arguments)?;
        }
        Ok(added)
    }

    fn lease(&mut self, max: usize) -> Result<LeaseAnswer, ScaleError> {
        let arguments = [
            self.worker.clone(),
            self.ttl.as_millis().to_string(),
            max.to_string(),
        ];
        let (found, incomplete): (Vec<String>, u64) =
            self.run_script(LEASE, &["queue"], &arguments)?;
        let leases = found.chunks_exact(2).filter_map(|pair| {
            let partition = pair[1].parse().ok()?;
            let id = pair[0].clone();
            Some(Lease { partition, id })
        });
        Ok(LeaseAnswer {
            leases: leases.collect(),
            incomplete,
        })
    }

    fn extend(&mut self, leases: &[Lease], report: &WorkerReport) -> Result<Vec<u32>, ScaleError> {
        let report =
            serde_json::to_string(report).map_err(|error| ScaleError::Queue(error.to_string()))?;
        let mut arguments = vec![self.worker.clone(), report];
        arguments.extend(leases.iter().map(|lease| lease.id.clone()));
        let kept: Vec<String> = self.run_script(EXTEND, &["queue", "reports"], &arguments)?;
        let kept = leases.iter().filter(|lease| kept.contains(&lease.id));
        Ok(kept.map(|lease| lease.partition).collect())
    }

    fn done(&mut self, lease: &Lease) -> Result<(), ScaleError> {
        self.finish(lease, "0")
    }

    fn give_back(&mut self, lease: &Lease) -> Result<(), ScaleError> {
        self.finish(lease, "1")
    }

    fn status(&mut self) -> Result<QueueStatus, ScaleError> {
        let script = "return {redis.call('XLEN', KEYS[1]), redis.call('XPENDING', KEYS[1], 'workers')[1], \
                      redis.call('TIME')[1], redis.call('HGETALL', KEYS[2])}";
        let (incomplete, leased, now, reports): (u64, u64, u64, Vec<String>) =
            self.run_script(script, &["queue", "reports"], &[])?;
        let mut status = QueueStatus {
            incomplete,
            leased,
            workers: Vec::new(),
        };
        for pair in reports.chunks_exact(2) {
            let Some((at, report)) = pair[1].split_once(' ') else {
                continue;
            };
            let Ok(report) = serde_json::from_str::<WorkerReport>(report) else {
                continue;
            };
            let age = now.saturating_sub(at.parse().unwrap_or_default());
            if age <= REPORT_SECONDS {
                let report = WorkerReport { age, ..report };
                status.workers.push((pair[0].clone(), report));
            }
        }
        status.workers.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(status)
    }
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisQueue({}, {})", self.run, self.worker)
    }
}
