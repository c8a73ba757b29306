//! Groups of titles that are audited at once, in one task.
//!
//! A group may have one of the catalog's few connections, and has it until it is polled again. Whoever stops polling to ask
//! the catalog for something could wait for that very connection: hence they go on while something else is waited for.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::stream::{FuturesOrdered, StreamExt};

/// What is under way, and what is done and not taken yet, in the order in which it was begun.
pub(super) struct Groups<F: Future> {
    under_way: FuturesOrdered<F>,
    done: VecDeque<F::Output>,
}

impl<F: Future> Groups<F> {
    pub(super) fn new() -> Self {
        Self { under_way: FuturesOrdered::new(), done: VecDeque::new() }
    }

    /// How many are under way or not taken.
    pub(super) fn len(&self) -> usize {
        self.under_way.len() + self.done.len()
    }

    pub(super) fn begin(&mut self, group: F) {
        self.under_way.push_back(group);
    }

    /// What the first of them came to; none when all were taken.
    pub(super) async fn next(&mut self) -> Option<F::Output> {
        match self.done.pop_front() {
            Some(done) => Some(done),
            None => self.under_way.next().await,
        }
    }

    /// Waits for `what` while all of them go on.
    pub(super) async fn beside<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        loop {
            tokio::select! {
                answer = &mut what => return answer,
                Some(done) = self.under_way.next() => self.done.push_back(done),
            }
        }
    }
}
