//! Turns what went wrong in the world into what the catalog and content ops are told (R10).

use std::io;

use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Failure, Retry};
use headwater_ports::catalog::CatalogError;
use headwater_ports::origin::{OriginError, OriginErrorKind};

/// Why a task stopped before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It failed: the catalog is to be told.
    Failed(Failure),
    /// Somebody else may have the task by now: nobody is to be told anything.
    LeaseLost,
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Halt::Failed(failure)
    }
}

impl From<CatalogError> for Halt {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::LeaseLost { .. } => Halt::LeaseLost,
            CatalogError::Full => Halt::Failed(later(Code::DiskFull, error.to_string())),
            CatalogError::TooNew
            | CatalogError::TurnedAway { .. }
            | CatalogError::Away { .. }
            | CatalogError::Database { .. } => {
                Halt::Failed(later(Code::Internal, error.to_string()))
            }
        }
    }
}

/// What another try cannot change.
pub(crate) fn never(code: Code, message: impl Into<String>) -> Failure {
    Failure { refusal: Refusal::new(code, message), retry: Retry::Never, last_words: None }
}

/// What the world may have put right in a few seconds.
pub(crate) fn later(code: Code, message: impl Into<String>) -> Failure {
    Failure { refusal: Refusal::new(code, message), retry: Retry::Later, last_words: None }
}

/// A call to the origin that failed. The adapter has retried it already; the task's own tries are for faults that
/// last longer than a call.
pub(crate) fn of_origin(name: &str, error: &OriginError) -> Failure {
    let code = match error.kind {
        OriginErrorKind::Full => Code::OriginFull,
        OriginErrorKind::NotFound
        | OriginErrorKind::Denied
        | OriginErrorKind::Cold
        | OriginErrorKind::Unavailable
        | OriginErrorKind::Corrupt
        | OriginErrorKind::Changed => Code::OriginUnavailable,
    };
    let message = match error.kind {
        OriginErrorKind::Full => format!("origin {name} has no space left: {error}"),
        _ => format!("origin {name}: {error}"),
    };
    if error.kind.is_permanent() { never(code, message) } else { later(code, message) }
}

/// A file operation in the spool that failed.
pub(crate) fn of_spool(operation: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => later(
            Code::DiskFull,
            format!("the spool folder has no space left: failed to {operation}: {error}"),
        ),
        _ => later(Code::Internal, format!("failed to {operation} in the spool folder: {error}")),
    }
}
