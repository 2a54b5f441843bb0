//! Which proxies refused the credentials, so that they are asked once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_listener::Event;
use fetch_driver::Proxy;
use fetch_transport_util::lock;
use futures_lite::future;
use hashbrown::HashMap;

use crate::io::runtime::HttpRuntime;

/// How long other tunnels wait for the first one through a proxy. A proxy checks credentials before it
/// connects, so its refusal comes at once, while a connection may take long.
const FIRST_TUNNEL: Duration = Duration::from_secs(1);

/// A proxy with its credentials: kind and address, user, password.
type ProxyKey = (String, String, String);

/// What the proxies answered to the credentials. The transports of one fetcher share it.
#[derive(Debug, Default)]
pub(crate) struct ProxyVerdicts(Mutex<HashMap<ProxyKey, ProxyVerdict>>);

#[derive(Clone, Debug)]
enum ProxyVerdict {
    Accepted,
    /// The first request is under way.
    Pending(Arc<Event>),
    /// The text of the refusal.
    Refused(Arc<str>),
}

/// Held by the first request to a proxy. Without a verdict at its drop, another request is the first.
pub(crate) struct FirstTunnel<'a> {
    key: ProxyKey,
    verdict: Option<ProxyVerdict>,
    verdicts: &'a ProxyVerdicts,
}

impl FirstTunnel<'_> {
    /// Records that the proxy accepted the credentials.
    pub(crate) fn accept(mut self) {
        self.verdict = Some(ProxyVerdict::Accepted);
    }
}

impl Drop for FirstTunnel<'_> {
    fn drop(&mut self) {
        let mut verdicts = lock(&self.verdicts.0);
        // A refusal stays.
        let Some(ProxyVerdict::Pending(event)) = verdicts.get(&self.key).cloned() else {
            return;
        };
        match self.verdict.take() {
            Some(verdict) => verdicts.insert(self.key.clone(), verdict),
            None => verdicts.remove(&self.key),
        };
        drop(verdicts);
        event.notify(usize::MAX);
    }
}

impl ProxyVerdicts {
    /// Waits until it is known whether `proxy` accepts the credentials, but not long. `Some` if this
    /// request is the first, which finds out.
    ///
    /// # Errors
    ///
    /// The refusal of the proxy.
    pub(crate) async fn check<R: HttpRuntime>(
        &self,
        proxy: &Proxy,
        runtime: &R,
    ) -> Result<Option<FirstTunnel<'_>>, Arc<str>> {
        let key = key(proxy);
        loop {
            let (event, listener) = match self.get_or_claim(&key) {
                None => {
                    let verdicts = self;
                    let verdict = None;
                    return Ok(Some(FirstTunnel {
                        key,
                        verdict,
                        verdicts,
                    }));
                }
                Some(ProxyVerdict::Accepted) => return Ok(None),
                Some(ProxyVerdict::Refused(text)) => return Err(text),
                Some(ProxyVerdict::Pending(event)) => {
                    let listener = event.listen();
                    (event, listener)
                }
            };
            // The first request may have ended before this one listened.
            let is_current = |current: &ProxyVerdict| match current {
                ProxyVerdict::Pending(current) => Arc::ptr_eq(current, &event),
                _ => false,
            };
            if !lock(&self.0).get(&key).is_some_and(is_current) {
                continue;
            }
            let waited = async {
                listener.await;
                true
            };
            let timeout = async {
                runtime.sleep(FIRST_TUNNEL).await;
                false
            };
            if !future::or(waited, timeout).await {
                return Ok(None);
            }
        }
    }

    /// The verdict on a proxy. Without one, it becomes pending.
    fn get_or_claim(&self, key: &ProxyKey) -> Option<ProxyVerdict> {
        let mut verdicts = lock(&self.0);
        if let Some(verdict) = verdicts.get(key) {
            return Some(verdict.clone());
        }
        verdicts.insert(key.clone(), ProxyVerdict::Pending(Arc::default()));
        None
    }

    /// Records that `proxy` refused the credentials. True for the first refusal.
    pub(crate) fn refuse(&self, proxy: &Proxy, text: &str) -> bool {
        let refused = ProxyVerdict::Refused(text.into());
        let before = lock(&self.0).insert(key(proxy), refused);
        if let Some(ProxyVerdict::Pending(event)) = &before {
            event.notify(usize::MAX);
        }
        !matches!(before, Some(ProxyVerdict::Refused(_)))
    }
}

fn key(proxy: &Proxy) -> ProxyKey {
    let address = format!(
        "{}://{}:{}",
        proxy.kind().as_str(),
        proxy.host(),
        proxy.port()
    );
    let (user, password) = proxy.credentials().unwrap_or_default();
    (address, user.to_owned(), password.to_owned())
}
