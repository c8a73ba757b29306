//! One file for each command.

pub(crate) mod ingest;
pub(crate) mod pipelines;
pub(crate) mod probe;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;
