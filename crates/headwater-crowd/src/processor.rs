//! Processor time of a server and of whoever asks it: what a rate comes to on a machine that has other things to do as well.

use std::fs;
use std::time::Duration;

/// `/proc` counts processor time in hundredths of a second: `USER_HZ` on every Linux that Rust supports for servers.
const TICK: Duration = Duration::from_millis(10);

/// Of a process and all its children, those that have ended included.
pub(crate) fn of(id: u32) -> Duration {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.unwrap_or_default();
    let alive = children.split_whitespace().filter_map(|child| child.parse().ok()).map(of);
    alive.sum::<Duration>() + TICK * ticks(id, 4)
}

/// Of this process alone.
pub(crate) fn own() -> Duration {
    TICK * ticks(std::process::id(), 2)
}

/// Of the children of this process that have ended.
pub(crate) fn of_ended() -> Duration {
    TICK * (ticks(std::process::id(), 4) - ticks(std::process::id(), 2))
}

/// The first so many of: user and system time, and those of children that ended.
fn ticks(id: u32, fields: usize) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Field 2 is the program's name, which may hold blanks and brackets; user time is field 14.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    after.split(' ').skip(11).take(fields).filter_map(|field| field.parse::<u32>().ok()).sum()
}
