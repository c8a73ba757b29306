//! Decides what a request for an object gets: all of it, a part, or word that it is known already (RFC 9110).

use std::ops::Range;

use axum::http::Method;
use axum::http::header::{HeaderMap, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200 with the whole object.
    Whole,
    /// 206 with these bytes, never none.
    Part(Range<u64>),
    /// 304: the client has it already.
    NotModified,
    /// 416: the object does not have the bytes.
    Unsatisfiable,
}

/// Decides about an object of `size` bytes whose entity tag is `etag`, where the origin knows one.
pub(super) fn decide(
    method: &Method,
    headers: &HeaderMap,
    size: u64,
    etag: Option<&str>,
) -> Answer {
    let field = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // Section 13.2.2: If-None-Match comes before Range.
    if let (Some(known), Some(etag)) = (field(IF_NONE_MATCH), etag)
        && known.split(',').map(str::trim).any(|k| k == "*" || k.trim_start_matches("W/") == etag)
    {
        return Answer::NotModified;
    }
    // Section 14.2: only GET has ranges. Section 13.1.5: a range that is asked of another state of the object means
    // the whole object; a date is never a strong match here, since objects have no `Last-Modified`.
    let same = headers.get(IF_RANGE).is_none_or(|_| field(IF_RANGE) == etag && etag.is_some());
    let range = field(RANGE).filter(|_| method == Method::GET && same);
    range.map_or(Answer::Whole, |range| asked(range, size))
}

/// What a `Range` field asks of an object of `size` bytes. Several ranges are answered with the whole object, as
/// section 14.2 lets a server do with any.
fn asked(range: &str, size: u64) -> Answer {
    match parse(range) {
        None => Answer::Whole,
        Some(Spec::From { first, last }) if first < size => {
            Answer::Part(first..last.map_or(size, |last| last.saturating_add(1).min(size)))
        }
        Some(Spec::Suffix(bytes)) if bytes > 0 && size > 0 => {
            Answer::Part(size.saturating_sub(bytes)..size)
        }
        Some(_) => Answer::Unsatisfiable,
    }
}

enum Spec {
    From { first: u64, last: Option<u64> },
    Suffix(u64),
}

/// One `int-range` or `suffix-range` (section 14.1.1); `None` for anything else.
fn parse(range: &str) -> Option<Spec> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match set.trim_matches([' ', '\t']).split_once('-')? {
        ("", last) => Some(Spec::Suffix(number(last)?)),
        (first, "") => Some(Spec::From { first: number(first)?, last: None }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From { first, last: Some(last) })
        }
    }
}

/// Digits as a number; more than fit mean the largest one, which lies beyond any object.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
