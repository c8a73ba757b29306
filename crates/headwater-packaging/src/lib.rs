//! Bytes and text that players see: CMAF segments, HLS playlists and the MPD, written and read back.
//!
//! Invariant: nothing in this crate is async, opens a file or reads a clock, and the same input gives the same bytes
//! (R1). What is written here is read back by other code than wrote it: see [`check`].

pub mod cmaf;

pub mod view;

pub mod hls;

pub mod dash;

pub mod inventory;

pub mod check;

pub mod language;

pub mod pictures;

pub mod text;

pub mod ts;

mod rate;

#[cfg(test)]
mod fixture;
