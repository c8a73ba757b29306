//! The only crate that knows GStreamer: looks at masters, decodes, scales, encodes, and cuts segments, in a child
//! process that may crash (R4).
//!
//! Two sides meet here. The parent side, [`ChildTranscoder`], starts children and never initialises GStreamer. The child
//! side, [`child::main`], does one job and exits. Between them: the master as the child's standard input, a job file in
//! the spool folder, and JSON lines on standard output.

mod channel;
pub mod child;
mod coder;
mod colour;
mod confine;
mod copy;
mod delivered;
mod edits;
mod encode;
mod error;
mod facts;
mod feed;
mod flaws;
mod frames;
mod inspect;
mod leash;
#[cfg(debug_assertions)]
mod mischief;
mod movie;
mod pictures;
mod process;
mod protocol;
mod remote;
mod running;
mod scale;
mod segmenter;
mod sound;
mod source;
mod span;
mod stages;
mod text;
mod timecode;
mod tracks;
mod turns;
mod units;
mod watch;
mod words;

pub use process::{ChildTranscoder, Limits};
pub use protocol::SUBCOMMAND;
