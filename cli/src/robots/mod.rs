//! robots.txt (RFC 9309): requests wait for the file of their site, which allows or refuses them.

mod cache;
mod canonical;
mod file;
mod redirects;
mod rules;
mod token;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use fetch_driver::Request;
use fetch_smol::Fetcher;
use futures_lite::Stream;
use smol::{Executor, Timer};
use url::Url;

use crate::input::{RequestStream, SharedProgress};
use crate::mutex::lock;
use crate::output::record::RecordInput;
use crate::output::{FlushResult, RETRY_DELAY, RecordWriter};
pub(crate) use cache::SharedCache;
use fetch_proto::url_origin;
use file::RobotsFile;
pub(crate) use redirects::RobotsRedirects;
pub(crate) use token::{is_product_token, product_name};

/// The most requests that wait for files. At this number, no more are taken from the list.
const MAX_WAITING: usize = 10_000;

/// The most files that are fetched at a time.
const MAX_FETCHING: usize = 1_000;

/// Whether a robots.txt allows the product `agent` to fetch the URL.
pub(crate) fn is_allowed(file: &[u8], agent: &str, url: &Url) -> bool {
    rules::RobotsRules::parse(file, agent).allows(url)
}

/// The requests to fetch: all, or those that robots.txt allows.
pub(crate) enum AdmittedRequests {
    All(RequestStream),
    Allowed(Box<RobotsGate>),
}

impl AdmittedRequests {
    pub(crate) fn new(requests: RequestStream, context: Option<RobotsContext>) -> Self {
        match context {
            Some(context) => Self::Allowed(Box::new(RobotsGate::new(requests, context))),
            None => Self::All(requests),
        }
    }
}

impl Stream for AdmittedRequests {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        match &mut *self {
            Self::All(requests) => Pin::new(requests).poll_next(cx),
            Self::Allowed(gate) => Pin::new(&mut **gate).poll_next(cx),
        }
    }
}

/// The parts of the run that the gate uses.
pub(crate) struct RobotsContext {
    /// The product token of this program.
    pub(crate) agent: String,
    /// Files that are known, also to the check of redirects.
    pub(crate) cache: SharedCache,
    pub(crate) executor: Arc<Executor<'static>>,
    pub(crate) fetcher: Fetcher,
    pub(crate) shared: Arc<SharedProgress>,
    pub(crate) writer: RecordWriter,
}

/// Yields the requests that robots.txt allows.
pub(crate) struct RobotsGate {
    files: Pin<Box<Receiver<(String, RobotsFile)>>>,
    context: RobotsContext,
    ended: bool,
    inner: RequestStream,
    allowed: VecDeque<Request>,
    pause: Option<Timer>,
    sender: Sender<(String, RobotsFile)>,
    /// By site.
    waiting: HashMap<String, Vec<Request>>,
    waiting_count: usize,
}

impl RobotsGate {
    fn new(inner: RequestStream, context: RobotsContext) -> Self {
        let (sender, files) = async_channel::unbounded();
        Self {
            files: Box::pin(files),
            context,
            ended: false,
            inner,
            allowed: VecDeque::new(),
            pause: None,
            sender,
            waiting: HashMap::new(),
            waiting_count: 0,
        }
    }

    /// Decides about a request, or queues it until the file of its site is known.
    fn admit(&mut self, request: Request) {
        let site = url_origin(request.url()).into_owned();
        let known = lock(&self.context.cache)
            .get(&site)
            .map(|file| file.refusal(request.url()));
        match known {
            Some(refusal) => self.decide(request, refusal),
            None => {
                self.waiting_count += 1;
                if let Some(queue) = self.waiting.get_mut(&site) {
                    queue.push(request);
                    return;
                }
                self.fetch_file(request.url());
                self.waiting.insert(site, vec![request]);
            }
        }
    }

    /// Fetches the file of a site in a separate task, which proceeds while this stream is not
    /// polled.
    fn fetch_file(&self, url: &Url) {
        let site = url_origin(url).into_owned();
        let (fetcher, agent) = (self.context.fetcher.clone(), self.context.agent.clone());
        let sender = self.sender.clone();
        let task = async move {
            let file = RobotsFile::fetch(&fetcher, &site, &agent).await;
            let _ = sender.send((site, file)).await;
        };
        self.context.executor.spawn(task).detach();
    }

    /// Stores a file, and decides about the requests that waited for it.
    fn receive_file(&mut self, site: String, file: RobotsFile) {
        if let Some(delay) = file.crawl_delay() {
            self.context.fetcher.set_crawl_delay(&site, delay);
            if let Some(backlog) = &self.context.shared.backlog {
                backlog.set_delay(&site, delay);
            }
        }
        let waited = self.waiting.remove(&site).unwrap_or_default();
        self.waiting_count -= waited.len();
        let judged: Vec<_> = waited
            .into_iter()
            .map(|request| (file.refusal(request.url()), request))
            .collect();
        lock(&self.context.cache).insert(site, file);
        for (refusal, request) in judged {
            self.decide(request, refusal);
        }
    }

    /// Yields the request, or writes a record with the reason.
    fn decide(&mut self, request: Request, refusal: Option<String>) {
        let Some(message) = refusal else {
            self.allowed.push_back(request);
            return;
        };
        let shared = &self.context.shared;
        shared.urls.fetch_sub(1, Relaxed);
        if let Some(backlog) = &shared.backlog {
            backlog.remove(request.url());
        }
        shared.disallowed.fetch_add(1, Relaxed);
        self.context.writer.push(&RecordInput::Disallowed {
            message: &message,
            request: &request,
        });
    }

    fn has_room(&self) -> bool {
        self.waiting_count < MAX_WAITING && self.waiting.len() < MAX_FETCHING
    }

    /// Flushes the records. Pending while the queue of the writing thread is full.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            match self.context.writer.try_flush() {
                FlushResult::Done | FlushResult::Closed => return Poll::Ready(()),
                FlushResult::Full => self.pause = Some(Timer::after(RETRY_DELAY)),
            }
        }
    }
}

impl Stream for RobotsGate {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        loop {
            while let Poll::Ready(Some((site, file))) = self.files.as_mut().poll_next(cx) {
                self.receive_file(site, file);
            }
            if let Some(request) = self.allowed.pop_front() {
                return Poll::Ready(Some(request));
            }
            if self.context.writer.is_full() {
                std::task::ready!(self.poll_flush(cx));
            }
            if self.ended && self.waiting.is_empty() {
                return self.poll_flush(cx).map(|()| None);
            }
            if self.ended || !self.has_room() {
                return Poll::Pending;
            }
            match std::task::ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(request) => self.admit(request),
                None => self.ended = true,
            }
        }
    }
}
