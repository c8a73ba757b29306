//! What signals do: SIGTERM lets a service finish what is under way, SIGINT has it given back, and a second one of either
//! ends the process at once.
//!
//! SIGTERM comes from whatever runs services, which waits for a while before it sends SIGKILL. SIGINT comes from a person
//! at a terminal, who does not. To a command that does one thing both mean the same.

use std::time::{Duration, Instant};

use anyhow::Context;
use headwater_engine::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::terminal::news;

/// Exit code of a process that a signal ended is this and the number of the signal, as shells have it.
const ENDED_BY_SIGNAL: i32 = 128;

/// A signal that comes this soon after the first is the same one: no person is so fast.
const ECHO: Duration = Duration::from_millis(300);

/// Gives a service its orders. A process without handlers that is the first of a container takes no SIGTERM at all, so
/// this comes before everything that takes time.
pub(crate) fn orders() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let given = shutdown.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        if signals.next().await == SignalKind::terminate() {
            news(
                "draining: what is under way may be finished, nothing new is begun (again to stop at once)",
            );
            given.drain();
        } else {
            news("stopping; work that is under way is given back (again to stop at once)");
            given.stop();
        }
        exit_now(signals.again().await);
    });
    Ok(shutdown)
}

/// A token that SIGINT or SIGTERM cancels.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        news("stopping; work that is under way here is given back (again to stop at once)");
        token.cancel();
        exit_now(signals.again().await);
    });
    Ok(stop)
}

/// The two signals that end a process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    /// The next one that somebody has sent of his own: `timeout` of coreutils, and shells, signal a process and then its
    /// whole group.
    async fn again(&mut self) -> SignalKind {
        let first = Instant::now();
        loop {
            let signal = self.next().await;
            if first.elapsed() > ECHO {
                return signal;
            }
        }
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }
}

/// Nothing is lost by this: what is not finished is done again, and the kernel kills transcoders with their parent.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a second signal asks for exactly this; children die with their parent"
)]
fn exit_now(signal: SignalKind) -> ! {
    news("stopped at once: what was under way is done again");
    std::process::exit(ENDED_BY_SIGNAL + signal.as_raw_value())
}
