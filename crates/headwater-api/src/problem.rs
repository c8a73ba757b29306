//! Errors as problem documents (RFC 9457) with stable codes.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use headwater_ports::catalog::CatalogError;
use serde::Serialize;

/// What kind of error. Codes are never renamed: scripts match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    NoSuchPage,
    MethodNotAllowed,
    NoSuchObject,
    RangeNotSatisfiable,
    OriginUnavailable,
    NoSuchTitle,
    CatalogUnavailable,
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Code::NoSuchPage => "no-such-page",
            Code::MethodNotAllowed => "method-not-allowed",
            Code::NoSuchObject => "no-such-object",
            Code::RangeNotSatisfiable => "range-not-satisfiable",
            Code::OriginUnavailable => "origin-unavailable",
            Code::NoSuchTitle => "no-such-title",
            Code::CatalogUnavailable => "catalog-unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Code::NoSuchPage | Code::NoSuchObject | Code::NoSuchTitle => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Code::OriginUnavailable | Code::CatalogUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An error that a client is told.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
}

impl Problem {
    /// `detail` is one sentence that names what was asked for and nothing of the inside.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        tracing::warn!(%error, "failed to answer from the catalog");
        Problem::new(Code::CatalogUnavailable, "the catalog does not answer at the moment")
    }
}

/// RFC 9457, section 3.1. The type is `about:blank`, so the title is the status in words; `code` says the rest.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let document = Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
        };
        // A cache that kept a 404 would hide a title for a while after it was published.
        let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
        (status, headers, Json(document)).into_response()
    }
}
