//! What a catalog does, as statements that SQLite and PostgreSQL share. Each function here is a part of a transaction.

pub(crate) mod archived;
pub(crate) mod claims;
pub(crate) mod duties;
pub(crate) mod holdings;
pub(crate) mod incidents;
pub(crate) mod lanes;
pub(crate) mod packages;
pub(crate) mod plans;
pub(crate) mod profiles;
pub(crate) mod results;
mod rows;
pub(crate) mod steering;
pub(crate) mod tasks;
pub(crate) mod titles;
pub(crate) mod workers;
