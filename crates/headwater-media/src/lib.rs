//! The only crate that knows GStreamer: looks at masters, decodes, scales, encodes, and cuts segments, in a child
//! process that may crash (R4).
//!
//! Two sides meet here. The parent side, [`ChildTranscoder`], starts children and never initialises GStreamer. The child
//! side, [`child::main`], does one job and exits. Between them: the master as the child's standard input, a job file in
//! the spool folder, and JSON lines on standard output.

mod protocol;
mod process;
pub mod child;
mod edits;
mod source;
mod running;
mod words;
mod tracks;
mod inspect;
mod units;
mod frames;
mod scale;
mod encode;
mod segmenter;
mod span;
mod sound;
mod copy;
mod error;

pub use process::ChildTranscoder;
pub use protocol::SUBCOMMAND;
