//! The child's hold on its worker: when the worker is gone, so is the child.
//!
//! Two things see to that. The kernel is asked for a SIGKILL when the parent dies; but it takes the thread that started
//! the child for the parent, and a worker's threads come and go, so that is asked for by the process that has one thread.
//! And a thread of the child watches standard output, a pipe that only the worker reads: when nobody does any more, the
//! child ends itself. No result is lost by that, for there is nobody left to take it.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Signal, getppid, kill_current_process_group, set_parent_process_death_signal,
};

use crate::protocol::PARENT;
use crate::{channel, stages};

/// How often the stages are told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Asks to die with the parent. False when that one is dead already, so that there is nobody to work for.
pub(crate) fn bind() -> bool {
    // Where the kernel cannot, the thread remains.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    std::env::var(PARENT).ok() == parent
}

/// Starts the thread that watches the worker, and gives `tell` the stages whenever they have changed.
pub(crate) fn watch(tell: impl Fn(String) + Send + 'static) -> std::io::Result<()> {
    let watch = move || {
        let mut told = String::new();
        loop {
            if nobody_listens() {
                // The whole group where that is allowed; where it is not, there is nobody else in it.
                let _ = kill_current_process_group(Signal::KILL);
                std::process::abort();
            }
            let stages = stages::told();
            if stages != told {
                told.clone_from(&stages);
                tell(stages);
            }
        }
    };
    std::thread::Builder::new().name("leash".to_owned()).spawn(watch).map(|_| ())
}

/// Waits for a while, or until nobody reads reports any more.
fn nobody_listens() -> bool {
    let Some(output) = channel::get() else { return true };
    let every = Timespec::try_from(TELL_EVERY).ok();
    // Nothing is asked for: that the other end is gone is told whether or not anybody asks.
    let mut watched = [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::empty())];
    match poll(&mut watched, every.as_ref()) {
        Ok(_) => watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        Err(_) => false,
    }
}
