//! Turns the text of a pipeline file into a validated plan, and a bad file into every problem it has, each with line,
//! column and a hint.
//!
//! Invariant: nothing in this crate opens a file, reads a clock or knows GStreamer. Text arrives as an argument, and
//! whether a named encoder is installed is for the machine that runs it to say.

mod nearest;
mod problem;

pub mod document;

mod delivery;
mod pipeline;
mod shipped;

pub use delivery::{delivery, delivery_of_names};
pub use nearest::nearest;
pub use pipeline::pipeline;
pub use problem::{Problem, is_secret};
pub use shipped::{SHIPPED, Shipped};
