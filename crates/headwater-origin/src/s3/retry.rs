//! Which failures of a call to S3 are tried again, and when. The only retry of storage calls that there is: the SDK's own
//! is switched off, since its budget, shared by all clients of a process, loses most uploads under a limiter.

use std::time::Duration;

/// What went wrong with one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Too many calls: 429, or 503 with `SlowDown` and its like. With what `Retry-After` said.
    Throttled(Option<Duration>),
    /// Another 5xx.
    Fault,
    /// The connection was refused, reset or closed in the middle.
    Reset,
    /// No answer in time.
    Timeout,
    /// What arrived is not what was sent, or what came back contradicts it. Bytes that were flipped on the way are fine
    /// the next time; an origin or a proxy that always garbles them is not waited for.
    Garbled,
    /// What another try cannot change.
    Lasting,
}

/// Tries of a call that fails for other reasons than its rate.
const TRIES: u32 = 8;

/// Tries of a call that arrives garbled.
const GARBLED_TRIES: u32 = 3;

/// For how long a throttled call is tried again. The rate of all calls follows what is let in, so that this only runs out
/// when the origin lets in next to nothing.
pub(crate) const THROTTLED_LIMIT: Duration = Duration::from_mins(5);

/// Longest wait between two tries.
const CAP: Duration = Duration::from_secs(20);

/// The same for a throttled call. That it does not come too soon is seen to by the rate of all calls; longer waits would
/// leave calls asleep that there is room for.
const THROTTLED_CAP: Duration = Duration::from_secs(1);

/// How often a call has failed, and of what: a call that was throttled seven times has its tries for a lost connection
/// still before it.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    throttled: u32,
    fault: u32,
    reset: u32,
    timeout: u32,
    garbled: u32,
}

impl Failures {
    /// Counts a failure of a call that was begun `elapsed` ago, and says how long to wait before the next try; `None` to
    /// give up. `jitter` is a random number from 0 to 1: calls that failed together must not come back together.
    pub(crate) fn again(
        &mut self,
        trouble: Trouble,
        elapsed: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let cap = match trouble {
            Trouble::Throttled(_) => THROTTLED_CAP,
            _ => CAP,
        };
        let (count, base, tries) = match trouble {
            Trouble::Throttled(_) if elapsed >= THROTTLED_LIMIT => return None,
            Trouble::Throttled(_) => (&mut self.throttled, Duration::from_millis(50), u32::MAX),
            Trouble::Reset => (&mut self.reset, Duration::from_millis(25), TRIES),
            Trouble::Fault => (&mut self.fault, Duration::from_millis(200), TRIES),
            Trouble::Garbled => (&mut self.garbled, Duration::from_millis(200), GARBLED_TRIES),
            Trouble::Timeout => (&mut self.timeout, Duration::from_secs(1), TRIES / 2),
            Trouble::Lasting => return None,
        };
        *count += 1;
        let doubled = base.saturating_mul(1 << (*count - 1).min(16));
        (*count < tries).then(|| doubled.min(cap).mul_f64(jitter.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests;
