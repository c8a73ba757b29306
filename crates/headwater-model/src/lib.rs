//! The words of the domain and every decision that needs no outside world.
//!
//! Invariant: nothing in this crate is async, opens a file, reads a clock or draws a random number. Time and ids
//! arrive as arguments.

pub mod address;
pub mod allowance;
pub mod archive;
pub mod audit;
pub mod colour;
pub mod cost;
pub mod delivery;
pub mod finding;
pub mod flaw;
pub mod history;
pub mod id;
pub mod incident;
pub mod index;
pub mod inventory;
pub mod key;
pub mod ladder;
pub mod lane;
pub mod life;
pub mod master;
pub mod origin;
pub mod pace;
pub mod pipeline;
pub mod plan;
pub mod process;
pub mod quality;
pub mod queue;
pub mod refusal;
pub mod steering;
pub mod task;
pub mod time;
pub mod worker;
