//! The commands, and the connection.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_lock::Mutex as AsyncMutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisError};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::RedisStore;
use crate::cache::format::{DecodedFile, decode, encode};
use crate::cache::key::CacheKey;
use crate::cache::memory::MAX_VARIANTS;
use crate::cache::store::CacheStoreError;
use crate::cache::stored::StoredResponse;
use crate::lock::lock;

/// Stores a value: hash, set; field, value, how long in ms, how many variants. Nothing lives shorter
/// because of it.
const PUT: &str = "\
local function keep(key)
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
keep(KEYS[1])
redis.call('SADD', KEYS[2], KEYS[1])
keep(KEYS[2])";

/// Removes all hashes that a set names, and the set.
const REMOVE: &str = "\
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('DEL', key) end
redis.call('DEL', KEYS[1])";

/// So many removals may wait for the server. With more of them, nothing in it is trusted any more.
const MAX_UNREMOVED: usize = 10_000;

/// The longest time for which something is stored: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A server, and how it is used.
pub(super) struct RedisLink {
    client: Client,
    connection: AsyncMutex<Option<Connected>>,
    prefix: String,
    timeout: Duration,
    unremoved: Mutex<HashSet<String>>,
}

/// A connection, and the key of the names.
#[derive(Clone)]
struct Connected {
    connection: MultiplexedConnection,
    secret: Arc<hmac::Key>,
}

/// The names of what belongs to a URL.
struct Names {
    /// Of the set.
    all: String,
    secret: Arc<hmac::Key>,
}

impl RedisLink {
    pub(super) fn new(url: &str) -> Result<Self, CacheStoreError> {
        let client = url.into_connection_info().and_then(Client::open);
        Ok(Self {
            client: client.map_err(CacheStoreError::new)?,
            connection: AsyncMutex::new(None),
            prefix: "fetch-all".into(),
            timeout: RedisStore::DEFAULT_TIMEOUT,
            unremoved: Mutex::default(),
        })
    }

    fn copy(&self) -> Self {
        Self {
            client: self.client.clone(),
            connection: AsyncMutex::new(None),
            prefix: self.prefix.clone(),
            timeout: self.timeout,
            unremoved: Mutex::default(),
        }
    }

    pub(super) fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.copy()
        }
    }

    pub(super) fn with_prefix(&self, prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            ..self.copy()
        }
    }

    /// Host and port, without credentials.
    pub(super) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// The connection, which is made if there is none.
    async fn connect(&self) -> Result<Connected, RedisError> {
        let mut connection = self.connection.lock().await;
        if let Some(connected) = &*connection {
            return Ok(connected.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut made = made.await?;
        let name = format!("{}:secret", self.prefix);
        let mut secret = [0; 32];
        if SystemRandom::new().fill(&mut secret).is_err() {
            return Err((redis::ErrorKind::Client, "there are no random numbers").into());
        }
        let mut set = Cmd::set(&name, &secret[..]);
        set.arg("NX").exec_async(&mut made).await?;
        let secret: Vec<u8> = Cmd::get(&name).query_async(&mut made).await?;
        if secret.len() != 32 {
            return Err((redis::ErrorKind::Client, "the key of the names is damaged").into());
        }
        let connected = Connected {
            connection: made,
            secret: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
        };
        *connection = Some(connected.clone());
        Ok(connected)
    }

    /// Runs a command. After an error of the connection, the next command makes another one.
    async fn run<T: FromRedisValue>(
        &self,
        connected: &mut Connected,
        command: &Cmd,
    ) -> Result<T, CacheStoreError> {
        let ran = command.query_async(&mut connected.connection).await;
        if let Err(error) = &ran
            && (error.is_unrecoverable_error() || error.is_io_error())
        {
            let mut current = self.connection.lock().await;
            let is_same = |current: &Connected| Arc::ptr_eq(&current.secret, &connected.secret);
            if current.as_ref().is_some_and(is_same) {
                *current = None;
            }
        }
        ran.map_err(CacheStoreError::new)
    }

    async fn connected(&self, url: &str) -> Result<(Connected, Names), CacheStoreError> {
        let connected = self.connect().await.map_err(CacheStoreError::new)?;
        let names = Names::new(&self.prefix, url, connected.secret.clone());
        Ok((connected, names))
    }

    /// The valid responses of a key. Invalid ones are removed.
    pub(super) async fn read(
        &self,
        key: &CacheKey,
    ) -> Result<Vec<Arc<StoredResponse>>, CacheStoreError> {
        self.remove_again(key.url()).await?;
        let (mut connected, names) = self.connected(key.url()).await?;
        let (identity, name) = names.of(key);
        let all: Vec<(Vec<u8>, Vec<u8>)> = self.run(&mut connected, &Cmd::hgetall(&name)).await?;
        let mut found = Vec::with_capacity(all.len());
        for (field, value) in all {
            let is_of_key =
                |file: &DecodedFile| file.url == key.url() && file.identity == identity.as_bytes();
            match decode(value).ok().filter(is_of_key) {
                Some(file) => found.push(Arc::new(file.response)),
                None => self.run(&mut connected, &Cmd::hdel(&name, field)).await?,
            }
        }
        Ok(found)
    }

    pub(super) async fn write(
        &self,
        key: &CacheKey,
        response: &StoredResponse,
        keep: Duration,
    ) -> Result<(), CacheStoreError> {
        self.remove_again(key.url()).await?;
        let (mut connected, names) = self.connected(key.url()).await?;
        let (identity, name) = names.of(key);
        let value = encode(key.url(), identity.as_bytes(), response);
        let Some(value) = value.filter(|value| value.len() <= RedisStore::MAX_RESPONSE) else {
            return Ok(());
        };
        let keep = keep.clamp(Duration::from_secs(1), LONGEST).as_millis();
        let mut put = Cmd::new();
        put.arg("EVAL").arg(PUT).arg(2).arg(name).arg(&names.all);
        put.arg(names.variant(response)).arg(value);
        put.arg(keep as u64).arg(MAX_VARIANTS);
        self.run(&mut connected, &put).await
    }

    pub(super) async fn remove(&self, url: &str) -> Result<(), CacheStoreError> {
        let (mut connected, names) = self.connected(url).await?;
        let mut remove = Cmd::new();
        remove.arg("EVAL").arg(REMOVE).arg(1).arg(&names.all);
        let removed: () = self.run(&mut connected, &remove).await?;
        lock(&self.unremoved).remove(url);
        Ok(removed)
    }

    /// Notes a removal, so that it is not lost if the server is down.
    pub(super) fn note_unremoved(&self, url: &str) {
        let mut unremoved = lock(&self.unremoved);
        if unremoved.len() <= MAX_UNREMOVED {
            unremoved.insert(url.into());
        }
    }

    /// Removes a URL, if that has failed before.
    async fn remove_again(&self, url: &str) -> Result<(), CacheStoreError> {
        let (is_unremoved, count) = {
            let unremoved = lock(&self.unremoved);
            (unremoved.contains(url), unremoved.len())
        };
        if is_unremoved {
            self.remove(url).await?;
        } else if count > MAX_UNREMOVED {
            self.remove_unremoved().await?;
            return Err(CacheStoreError::new("too many removals were missed"));
        }
        Ok(())
    }

    /// Removes what could not be removed before.
    pub(super) async fn remove_unremoved(&self) -> Result<(), CacheStoreError> {
        let urls: Vec<_> = lock(&self.unremoved).iter().cloned().collect();
        for url in urls {
            self.remove(&url).await?;
        }
        Ok(())
    }
}

impl Names {
    fn new(prefix: &str, url: &str, secret: Arc<hmac::Key>) -> Self {
        let hash = hash(&secret, &["url", url]);
        // In braces, so that a cluster keeps what belongs to a URL on one server.
        Self {
            all: format!("{prefix}:{{{hash}}}"),
            secret,
        }
    }

    /// The keyed hash of an identity, and the name of the hash with its responses.
    fn of(&self, key: &CacheKey) -> (String, String) {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(b"identity\0");
        context.update(key.identity());
        let identity = match key.identity() {
            [] => String::new(),
            _ => hex(context.sign().as_ref()),
        };
        let name = format!("{}:{identity}", self.all);
        (identity, name)
    }

    /// The name of a variant: the same for those that replace each other.
    fn variant(&self, response: &StoredResponse) -> String {
        let mut parts = vec!["variant"];
        for (name, value) in response.head.vary() {
            parts.extend([name, if value.is_some() { "1" } else { "0" }]);
            parts.push(value.unwrap_or_default());
        }
        hash(&self.secret, &parts)
    }
}

/// The keyed hash of texts.
fn hash(secret: &hmac::Key, parts: &[&str]) -> String {
    let mut context = hmac::Context::with_key(secret);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    hex(context.sign().as_ref())
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
