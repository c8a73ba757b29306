//! What the engine asks of the world: six small object-safe traits and their errors.
//!
//! Invariant: no adapter's type appears here. The engine and its tests compile without GStreamer, SQL or an SDK.

pub mod catalog;
pub mod clock;
pub mod edge;
pub mod masters;
pub mod origin;
pub mod transcoder;
