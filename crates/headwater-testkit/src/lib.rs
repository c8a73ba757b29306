//! Fakes and contract suites for the tests of all crates. Only ever a dev-dependency.
//!
//! Invariant: a fake keeps the contract of its port, and the port's suite, run on it here, shows that it does.

pub mod catalog_suite;
pub mod clock;
pub mod digest;
pub mod flaky;
pub mod memory_catalog;
pub mod memory_edge;
pub mod memory_masters;
pub mod memory_origin;
pub mod origin_suite;
pub mod postgres;
pub mod scripted_transcoder;
