//! Who is on stage: workers that come and go, and what they have in hand.

use headwater_model::lane::Offer;
use headwater_model::task::{Lease, Role, TaskKind};
use headwater_model::time::Timestamp;

/// Someone who does one task at a time.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) offer: Offer,
    /// Grows with each death: what was to happen to the one before happens to nobody.
    pub(crate) life: u32,
    pub(crate) state: State,
    /// Since when it is in this state.
    pub(crate) since: Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    Idle,
    Busy(Task),
    /// A call is under way.
    Asking,
    Dead,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) lease: Lease,
    pub(crate) kind: TaskKind,
    pub(crate) title: u64,
    pub(crate) until: Timestamp,
}

impl Worker {
    pub(crate) fn new(name: String, roles: &[Role], now: Timestamp) -> Self {
        Self { offer: Offer::of(&name, roles), life: 0, state: State::Idle, since: now }
    }

    pub(crate) fn transcodes(&self) -> bool {
        self.offer.roles.contains(&Role::Worker)
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A worker is done with what it has, if it has anything, and asks for more.
    Turn { worker: usize, life: u32 },
    /// A worker extends its lease.
    Renewal { worker: usize, life: u32, token: i64, task: i64 },
    /// Some worker dies.
    Death,
    /// A worker comes back.
    Return { worker: usize },
    /// Somebody drops in a title that is wanted at once.
    Urgent,
}
