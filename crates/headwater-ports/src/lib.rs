//! What the engine asks of the world: five small object-safe traits and their errors.
//!
//! Invariant: no adapter's type appears here. The engine and its tests compile without GStreamer, SQL or an SDK.

pub mod catalog;
pub mod clock;
pub mod edge;
pub mod origin;
pub mod transcoder;
