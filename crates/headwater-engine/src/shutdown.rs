//! How a process is told to end: by finishing what is under way, or by giving it back.

use tokio_util::sync::CancellationToken;

/// Two orders in one value; clones are the same. Draining ends by itself when nothing is left to do; whoever has given
/// that order may still give the other one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    now: CancellationToken,
}

impl Shutdown {
    /// No order yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing new is begun; what is under way goes on to its end.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// What is under way is given back, at once.
    pub fn stop(&self) {
        self.drain.cancel();
        self.now.cancel();
    }

    /// Whether either order was given.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Cancelled by either order: for whoever has nothing to finish.
    pub fn ending(&self) -> &CancellationToken {
        &self.drain
    }

    /// Cancelled when what is under way is to be given back.
    pub fn now(&self) -> &CancellationToken {
        &self.now
    }
}

/// For callers that never wait: cancelling the token gives back what is under way.
impl From<CancellationToken> for Shutdown {
    fn from(token: CancellationToken) -> Self {
        Self { drain: token.clone(), now: token }
    }
}
