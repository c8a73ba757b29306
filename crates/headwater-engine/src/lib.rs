//! The life of a title: from a file in a folder to a package that is proven and live.
//!
//! Start reading at [`life`]: its first page says what happens in which order and what a crash leaves behind.
//!
//! Invariant: the world is asked only through `headwater_ports`, the spool folder and the master's path; nothing here
//! knows which database, storage or codec library answers.

pub mod life;

mod duty;
mod lease;
mod presence;
mod pulse;
mod shutdown;

mod prepare;

mod master;

mod archive;
mod blocks;
mod bundle;
mod retrieved;
mod sums;

mod make;
mod parts;
mod spool;
mod stores;

mod seal;

mod anew;
mod mend;

pub mod audit;

pub mod rebuild;

pub mod gc;

mod verify;

mod listing;

mod through_edge;

mod publish;

mod failure;
mod hash;

mod watch;

mod settling;

pub use life::{Config, Engine, Pipelines, Ports, RunError};
pub use mend::Remedy;
pub use pulse::Pulse;
pub use shutdown::Shutdown;
pub use spool::SpoolError;
pub use stores::{NoSuchOrigin, Stores};
pub use verify::{Proof, VerifyError};
pub use watch::{DropBucket, DropFolder, WatchError, asked_for};

#[cfg(test)]
mod tests;
