//! Titles, packages, tasks and leases in SQLite or PostgreSQL: the catalog port, kept through any crash.
//!
//! # Overview
//!
//! A database holds what Headwater has decided: which titles there are, what is being made of them, who works on what
//! and until when, and what viewers get. `migrations` has its tables. What to decide is in
//! `headwater_model::{queue, life, lane}`; this crate reads rows, asks, and writes rows. `statements` does so in SQL that
//! both databases understand, `catalog` makes transactions of it.
//!
//! # What is true at each point
//!
//! A change of a title has that title to itself and takes the time when it has, so changes of a title happen one after
//! another in the order of their times. A result is accepted, its title is taken on and the tasks that follow are queued
//! in one transaction: at no moment has a title nothing to do and is not finished.
//!
//! # If we crash here
//!
//! What was answered is on the disk (SQLite: WAL mode with `synchronous = full`; PostgreSQL: `synchronous_commit`, which is
//! not to be turned off), and what was not answered is undone. A worker that dies leaves a lease, which runs out.
//!
//! # Several processes
//!
//! `headwater up`, `ingest` and `status` open the same file, or the same database. In SQLite, readers never wait; writers
//! wait for each other, for milliseconds: a process writes through one connection, so its own tasks queue up in memory
//! rather than spin on the file's lock. `postgres` says how it is there.
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
