//! Which ends of a process are as they should be. Whatever is not excused here is wrong, whatever was going on around it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How long a process may try to start before it gives up: it waits for the database and for origins.
const START: Duration = Duration::from_secs(40);

/// How long a process may take until it listens to signals. One that is told to end before ends as every program does.
const DEAF: Duration = Duration::from_secs(5);

/// What a process says that could not start. A panic is 101.
const GAVE_UP: i32 = 1;

/// SIGTERM.
const TERM: i32 = 15;

/// Whether a process may end by itself after so long a life: it could not start, and its database or an origin was away in
/// the meantime.
pub(crate) fn is_excused(status: ExitStatus, lived: Duration, in_trouble: bool) -> bool {
    status.code() == Some(GAVE_UP) && lived < START && in_trouble
}

/// Whether a process that was told to end, `age` after it was started, ended as it has to.
pub(crate) fn is_proper(status: ExitStatus, age: Duration) -> bool {
    status.success() || (status.signal() == Some(TERM) && age < DEAF)
}

#[cfg(test)]
mod tests;
