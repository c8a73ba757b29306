//! An S3 server in memory that keeps the protocol and, when told to, lies: it acknowledges and forgets, stores other
//! bytes than it was sent, lists what it does not have, refuses, stalls and resets. And a CDN in front of it. For tests,
//! for benchmarks, and for whoever wants to see what Headwater makes of it (`cargo xtask lying-origin`). Never a part of
//! the product.
//!
//! Invariant: without lies and with [`Manners::default`] it is an origin of grade A that keeps every byte.

mod edge;
mod lies;
mod s3;
mod server;
mod store;
mod web;

pub use edge::{EdgeLie, LyingEdge};
pub use lies::{Call, Lie, What};
pub use server::{Conditions, LyingOrigin, Manners};
pub use store::Checksums;
pub use web::{WebManners, WebServer};

#[cfg(test)]
mod tests;
