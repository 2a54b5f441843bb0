//! What takes time: stores that are not in memory, and writers of saved bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cache::store::CacheStoreError;
use crate::cache::stored::StoredResponse;
use crate::driver::exchange::attempt_set::PollAttempt;
use crate::driver::fetches::job::FetchJob;
use crate::driver::permits::AttemptPermit;
use crate::model::outcome::Outcome;
use crate::model::save::{SaveError, SaveReceipt};

/// Something that takes time.
pub(super) struct CacheTask(pub(super) Pin<Box<dyn Future<Output = TaskEnd> + Send>>);

/// The end of a task.
pub(super) enum TaskEnd {
    Looked(Result<Vec<Arc<StoredResponse>>, CacheStoreError>),
    Saved(Result<SaveReceipt, SaveError>),
    Written(Result<(), CacheStoreError>),
}

/// What waits for a task.
pub(super) enum TaskOwner {
    Look {
        job: FetchJob,
        /// Which lookup it is, because the index of a task is used again.
        serial: u64,
    },
    Save {
        job: FetchJob,
        outcome: Box<Outcome>,
        permit: Option<AttemptPermit>,
    },
    /// Nothing.
    Write,
}

impl PollAttempt for CacheTask {
    type Update = Option<TaskEnd>;

    fn poll(mut self: Pin<&mut Self>, update: &mut Self::Update, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx).map(|end| *update = Some(end))
    }
}
