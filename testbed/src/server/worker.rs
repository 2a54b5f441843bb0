//! Threads that run a tokio runtime each.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

/// A thread with its own runtime. Dropping it stops and joins the thread.
#[derive(Debug)]
pub(crate) struct WorkerThread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerThread {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || run(runtime, stopped);
        let thread = std::thread::Builder::new()
            .name("fetch-testbed".into())
            .spawn(run)?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn stop(&mut self) {
        self.stop = None;
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The thread has printed its panic already. A second panic here would hide it.
            let _ = thread.join();
        }
    }
}

/// Runs until `stopped` resolves. Dropping the runtime then closes all connections.
fn run(runtime: Runtime, stopped: oneshot::Receiver<()>) {
    let _ = runtime.block_on(stopped);
}
