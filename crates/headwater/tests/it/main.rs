//! The whole product from outside: runs the binary on real masters, breaks what can break, and judges the packages with
//! tools that share no code with it: ffmpeg, ffprobe, real players in a real browser.
//!
//! A tool that is missing fails the tests that need it; `cargo xtask test` installs them all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod run;

mod masters;
mod package;

mod captions;
mod colours;
mod deliveries;
mod facts;
mod flaws;
mod frames;
mod sound;
mod sync;
mod text;

mod again;
mod archive;
mod differs;
mod kill;
mod origins;
mod remote;
mod tamper;

mod bad_input;
mod cluster;
mod roles;
mod sandbox;
mod service;
mod shared;
mod steering;
mod torture;
mod unheard;

mod cli;
mod play;
mod transport;
