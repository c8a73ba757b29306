//! One file for each command.

pub(crate) mod audit;
pub(crate) mod gc;
pub(crate) mod heal;
pub(crate) mod incidents;
pub(crate) mod ingest;
pub(crate) mod origin;
pub(crate) mod pipelines;
pub(crate) mod probe;
pub(crate) mod rebuild;
pub(crate) mod retranscode;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;
