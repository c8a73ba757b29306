//! Titles, packages, tasks and leases in SQLite: the catalog port, kept through any crash.
//!
//! # Overview
//!
//! One file holds what Headwater has decided: which titles there are, what is being made of them, who works on what
//! and until when, and what viewers get. `migrations/sqlite` has its tables. What to decide is in
//! `headwater_model::{queue, life}`; this crate reads rows, asks, and writes rows.
//!
//! # What is true at each point
//!
//! Every change is one transaction that takes the write lock first (`begin immediate`) and the time second, so changes
//! happen one after another in the order of their times. A result is accepted, its title is taken on and the tasks that
//! follow are queued in one such transaction: at no moment has a title nothing to do and is not finished.
//!
//! # If we crash here
//!
//! The file is in WAL mode with `synchronous = full`: what was answered is on the disk, and what was not answered is
//! undone when the file is next opened. A worker that dies leaves a lease, which runs out.
//!
//! # Several processes
//!
//! `headwater up`, `ingest` and `status` open the same file. Readers never wait; writers wait for each other, for
//! milliseconds. A process writes through one connection, so its own tasks queue up in memory rather than spin on the
//! file's lock.
//!
//! Invariant: no type of sqlx appears in a public signature, and no statement is made from text that came from outside.

mod catalog;
mod db;
mod error;
mod postgres;
mod sqlite;
mod statements;

pub use postgres::{PostgresCatalog, PostgresOptions};
pub use sqlite::SqliteCatalog;
