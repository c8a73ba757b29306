//! Package files for players: streamed from the origin block by block, with ranges, caching and CORS.

mod answer;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderMap};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use headwater_model::id::{Tenant, TitleId, Version};
use headwater_model::key::{CACHE_FOREVER, CACHE_POINTER, HLS_NAME, MPD_NAME, ObjectKey};
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind};
use tower_http::cors::{Any, CorsLayer, Vary};

use crate::Api;
use crate::problem::{Code, Problem};
use answer::Answer;

/// Bytes of an object that a connection holds. A segment is a few of them; smaller ones would ask a remote origin too
/// often.
const BLOCK: u64 = 1 << 20;

/// How long a browser may remember the answer to a preflight; none remembers longer than a day.
const PREFLIGHT: Duration = Duration::from_secs(24 * 60 * 60);

/// `/media/{key}`, for players on any web origin.
pub(crate) fn routes() -> Router<Api> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::OPTIONS])
        .allow_headers([header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH])
        .expose_headers([header::CONTENT_LENGTH, header::CONTENT_RANGE, header::ETAG])
        .max_age(PREFLIGHT)
        // The same for every web origin, so caches need not keep one copy for each.
        .vary(Vary::list([]));
    // The layer has to be around the fallback too, which is where a preflight arrives.
    Router::new().route("/media/{*key}", get(file).fallback(crate::wrong_method).layer(cors))
}

/// GET and HEAD: axum leaves the body away for the latter.
async fn file(
    State(api): State<Api>,
    method: Method,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(Path(path)) = path else {
        return Err(Problem::new(Code::NoSuchObject, "this address is not an object's"));
    };
    let place = Place::of(&api.tenant, &path).ok_or_else(|| no_such_object(&path))?;
    let object = Object::find(&api.origins, place).await?;
    let answer = answer::decide(&method, &headers, object.size, object.etag.as_deref());
    let size = object.size;
    let (status, bytes) = match answer {
        Answer::Whole => (StatusCode::OK, 0..size),
        Answer::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Answer::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Answer::Unsatisfiable => {
            let detail = format!("`{path}` has {size} bytes and not the ones that were asked for");
            let problem = Problem::new(Code::RangeNotSatisfiable, detail);
            return Ok(
                ([(header::CONTENT_RANGE, format!("bytes */{size}"))], problem).into_response()
            );
        }
    };
    let part = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1));
    let fields = [
        (header::CONTENT_TYPE, object.key.content_type()),
        (header::CACHE_CONTROL, object.class.cache_control()),
        (header::ACCEPT_RANGES, "bytes"),
    ];
    let length = (status != StatusCode::NOT_MODIFIED)
        .then(|| [(header::CONTENT_LENGTH, (bytes.end - bytes.start).to_string())]);
    let etag = object.etag.clone().map(|etag| [(header::ETAG, etag)]);
    let body = if method == Method::HEAD { Body::empty() } else { object.body(bytes).await? };
    let part = part.map(|part| [(header::CONTENT_RANGE, part)]);
    Ok((status, fields, length, etag, part, body).into_response())
}

fn no_such_object(path: &str) -> Problem {
    Problem::new(Code::NoSuchObject, format!("there is no object `{path}`"))
}

/// What kind of object a key names, which decides how it is cached and read (R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// One of a title's two pointers: small, and swapped by every publish.
    Pointer,
    /// A file of a version: never changes.
    Fixed,
}

impl Class {
    fn cache_control(self) -> &'static str {
        match self {
            Class::Pointer => CACHE_POINTER,
            Class::Fixed => CACHE_FOREVER,
        }
    }
}

/// A key that may be served.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    key: ObjectKey,
    class: Class,
}

impl Place {
    /// The place that `path` names, if it is one of `tenant`'s packages: nothing else that an origin may hold is
    /// anybody's to read.
    fn of(tenant: &Tenant, path: &str) -> Option<Self> {
        let key = ObjectKey::new(path)?;
        let mut parts = path.split('/');
        if parts.next()? != tenant.as_str() || parts.next()?.parse::<TitleId>().is_err() {
            return None;
        }
        let class = match (parts.next()?, parts.next()) {
            (HLS_NAME | MPD_NAME, None) => Class::Pointer,
            (version, Some(_)) if is_version(version) => Class::Fixed,
            _ => return None,
        };
        let hidden = path.split('/').any(|part| part.starts_with('.'));
        (!hidden).then_some(Self { key, class })
    }
}

/// Whether a folder's name is exactly what a version is printed as.
fn is_version(folder: &str) -> bool {
    let number = folder.strip_prefix('v').and_then(|digits| digits.parse().ok());
    number.is_some_and(|number| Version(number).to_string() == folder)
}

/// An object that is there.
struct Object {
    origin: Arc<dyn Origin>,
    key: ObjectKey,
    class: Class,
    /// Bytes.
    size: u64,
    /// Its MD5 in quotes, where the origin tells one.
    etag: Option<String>,
    /// All of it, where it was read at once.
    whole: Option<Bytes>,
}

impl Object {
    /// The object on the first origin that has it and answers.
    async fn find(origins: &[Arc<dyn Origin>], place: Place) -> Result<Self, Problem> {
        let Place { key, class } = place;
        let mut problem = no_such_object(key.as_str());
        for origin in origins {
            match Self::find_on(origin.clone(), &key, class).await {
                Ok(Some(object)) => return Ok(object),
                Ok(None) => {}
                Err(error) => problem = unreadable(&key, &error),
            }
        }
        Err(problem)
    }

    async fn find_on(
        origin: Arc<dyn Origin>,
        key: &ObjectKey,
        class: Class,
    ) -> Result<Option<Self>, OriginError> {
        let key = key.clone();
        Ok(match class {
            // In one piece: between a look and a read a publish may swap it, and the size would no longer be true.
            Class::Pointer => match origin.get(&key, None).await {
                Ok(whole) => {
                    let size = whole.len() as u64;
                    Some(Self { origin, key, class, size, etag: None, whole: Some(whole) })
                }
                Err(error) if error.kind == OriginErrorKind::NotFound => None,
                Err(error) => return Err(error),
            },
            Class::Fixed => origin.head(&key).await?.map(|info| {
                let etag = info.md5.map(|md5| format!("\"{md5}\""));
                Self { origin, key, class, size: info.bytes, etag, whole: None }
            }),
        })
    }

    /// The object's bytes in `range`. The first block is read before anything is answered: what cannot be read is
    /// a 503, and not a 200 that breaks off.
    async fn body(self, range: Range<u64>) -> Result<Body, Problem> {
        if range.is_empty() {
            return Ok(Body::empty());
        }
        if let Some(whole) = self.whole {
            let at =
                |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(whole.len());
            return Ok(Body::from(whole.slice(at(range.start)..at(range.end))));
        }
        let first = self.block(&range).await.map_err(|e| unreadable(&self.key, &e))?;
        let rest = range.start + first.len() as u64..range.end;
        let blocks =
            stream::try_unfold((self, Some(first), rest), async |(object, first, rest)| {
                let block = match first {
                    Some(first) => return Ok(Some((first, (object, None, rest)))),
                    None if rest.is_empty() => return Ok(None),
                    None => object.block(&rest).await.inspect_err(|error| {
                        tracing::warn!(%error, "failed to send the rest of an object");
                    })?,
                };
                let rest = rest.start + block.len() as u64..rest.end;
                Ok::<_, OriginError>(Some((block, (object, None, rest))))
            });
        Ok(Body::from_stream(blocks))
    }

    /// The first block of `range`, whole.
    async fn block(&self, range: &Range<u64>) -> Result<Bytes, OriginError> {
        let wanted = range.start..range.end.min(range.start + BLOCK);
        let block = self.origin.get(&self.key, Some(wanted.clone())).await?;
        if block.len() as u64 != wanted.end - wanted.start {
            return Err(OriginError {
                kind: OriginErrorKind::Corrupt,
                operation: "read",
                key: self.key.to_string(),
                source: "the object is shorter than the origin says".into(),
            });
        }
        Ok(block)
    }
}

fn unreadable(key: &ObjectKey, error: &OriginError) -> Problem {
    if error.kind == OriginErrorKind::NotFound {
        return no_such_object(key.as_str());
    }
    tracing::warn!(%error, "failed to serve an object");
    let detail = format!("the origin cannot give `{key}` at the moment");
    Problem::new(Code::OriginUnavailable, detail)
}

#[cfg(test)]
mod tests;
