//! How many files bodies may have open at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::mutex::lock;

/// The number of files that bodies may have open, so that files and connections together need no
/// more descriptors than this process may have.
#[derive(Debug)]
pub(in crate::save) struct FileBudget {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The right of one body to have one file open, until it is dropped.
#[derive(Debug)]
pub(in crate::save) struct FilePermit(Arc<FileBudget>);

impl FileBudget {
    /// A budget of `files`, at least 1, and one more for bodies that are complete.
    pub(super) fn new(files: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(files.max(1).saturating_add(1)),
            freed: Condvar::new(),
        })
    }

    /// Waits for a permit. Blocks. Bodies that are still being received leave one permit to complete ones:
    /// these are saved soon, and return theirs.
    pub(in crate::save) fn acquire(self: &Arc<Self>, is_complete: bool) -> FilePermit {
        let least = if is_complete { 1 } else { 2 };
        let free = self
            .freed
            .wait_while(lock(&self.free), |free| *free < least);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        FilePermit(self.clone())
    }
}

impl Drop for FilePermit {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        // All, because they wait for different numbers.
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_complete_body_gets_a_file_while_received_ones_have_all_others() {
        let budget = FileBudget::new(2);
        let mut received: Vec<_> = (0..2).map(|_| budget.acquire(false)).collect();
        let (sender, permits) = channel();
        let waiting = thread::spawn({
            let budget = budget.clone();
            move || sender.send(budget.acquire(false)).unwrap()
        });
        drop(budget.acquire(true));
        assert!(permits.try_recv().is_err());
        received.pop();
        let third = permits.recv().unwrap();
        waiting.join().unwrap();
        assert_eq!(*lock(&budget.free), 1);
        drop((third, received));
        assert_eq!(*lock(&budget.free), 3);
    }
}
