//! The way to the worker: what was standard output when the child began.
//!
//! Decoders print: a library that has something to say of a damaged frame says it on standard output, in the middle of a
//! report. So reports go their own way, and whoever prints ends up in the log, with those who write to standard error.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::io::fcntl_dupfd_cloexec;

static CHANNEL: OnceLock<File> = OnceLock::new();

/// The first number that is none of the three standard ones.
const BEHIND_STANDARD: i32 = 3;

/// Takes standard output for reports, and leads it to standard error from now on. Before any thread is started.
pub(crate) fn take() -> io::Result<()> {
    let own = fcntl_dupfd_cloexec(io::stdout().as_fd(), BEHIND_STANDARD)?;
    rustix::stdio::dup2_stdout(io::stderr().as_fd())?;
    let _ = CHANNEL.set(File::from(own));
    Ok(())
}

/// Where reports are written, once it is taken.
pub(crate) fn get() -> Option<&'static File> {
    CHANNEL.get()
}
