//! x

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod run;

mod masters;
mod package;

mod frames;
mod kill;
