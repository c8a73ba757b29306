//! The least that a client can do, to learn what a server can: HTTP/1.1 over plain sockets, requests signed as S3 wants
//! them (AWS Signature Version 4), answers counted and not understood. Blocks: not for the runtime.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::target::Target;

/// Uploads at once.
const IN_FLIGHT: usize = 8;

/// Between two looks whether a server is there.
const LOOK: Duration = Duration::from_millis(100);

/// The signature does not cover the body, which is therefore not hashed either.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Lists all keys that start with `prefix`, page after page, and counts them.
pub(crate) fn list(target: &Target, prefix: &str) -> Result<Value> {
    let mut connection = Connection::open(target)?;
    let began = Instant::now();
    let (mut keys, mut pages, mut after) = (0, 0, String::new());
    loop {
        let query = format!(
            "list-type=2&prefix={}&start-after={}",
            encoded(prefix, false),
            encoded(&after, false)
        );
        let page = connection.call("GET", "", &query, &[])?;
        pages += 1;
        keys += between(&page, b"<Key>", b"</Key>").count();
        if between(&page, b"<IsTruncated>", b"</IsTruncated>").next() != Some(b"true") {
            break;
        }
        let last = between(&page, b"<Key>", b"</Key>").last().unwrap_or_default();
        let last = String::from_utf8_lossy(last).into_owned();
        ensure!(last > after, "the listing does not move on");
        after = last;
    }
    Ok(json!({ "keys": keys, "pages": pages, "seconds": began.elapsed().as_secs_f64() }))
}

/// Stores `uploads` objects of `bytes` bytes, which all differ.
pub(crate) fn put(target: &Target, uploads: usize, bytes: usize) -> Result<Value> {
    let next = AtomicUsize::new(0);
    let mut body = vec![0; bytes];
    fastrand::Rng::with_seed(2).fill(&mut body);
    let began = Instant::now();
    let work = || -> Result<()> {
        let (mut connection, mut body) = (Connection::open(target)?, body.clone());
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= uploads {
                return Ok(());
            }
            for (place, byte) in body.iter_mut().zip(n.to_le_bytes()) {
                *place = byte;
            }
            connection.call("PUT", &format!("bare/{n:06}"), "", &body)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => bail!("an uploader panicked"),
        })
    })?;
    Ok(json!({ "uploads": uploads, "seconds": began.elapsed().as_secs_f64() }))
}

/// Waits until the bucket can be listed.
pub(crate) fn wait(target: &Target, patience: Duration) -> Result<Value> {
    let began = Instant::now();
    loop {
        match list(target, "nothing/") {
            Ok(_) => return Ok(json!({ "seconds": began.elapsed().as_secs_f64() })),
            Err(error) if began.elapsed() > patience => {
                return Err(error.context("the server does not get ready"));
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
}

/// Texts between `start` and `end`.
fn between<'t>(text: &'t [u8], start: &[u8], end: &[u8]) -> impl Iterator<Item = &'t [u8]> {
    let find = |text: &[u8], word: &[u8]| text.windows(word.len()).position(|it| it == word);
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = &rest[find(rest, start)? + start.len()..];
        let (found, after) = rest.split_at(find(rest, end)?);
        rest = after;
        Some(found)
    })
}

/// One connection that stays open.
struct Connection<'t> {
    target: &'t Target,
    host: &'t str,
    stream: BufReader<TcpStream>,
}

impl<'t> Connection<'t> {
    fn open(target: &'t Target) -> Result<Self> {
        let host = target.endpoint.strip_prefix("http://").map(|it| it.trim_end_matches('/'));
        let host = host.context("the endpoint is not plain HTTP")?;
        let stream = TcpStream::connect(host).with_context(|| format!("connect to `{host}`"))?;
        stream.set_nodelay(true)?;
        Ok(Self { target, host, stream: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Makes one call and gives the body of the answer.
    fn call(&mut self, method: &str, key: &str, query: &str, body: &[u8]) -> Result<Vec<u8>> {
        let path = format!("/{}/{}", self.target.bucket, encoded(key, true));
        let path = path.trim_end_matches('/');
        let date = date(now());
        let authorization = self.authorization(method, path, query, &date);
        let head = format!(
            "{method} {path}{}{query} HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: {UNSIGNED}\r\n\
             x-amz-date: {date}\r\nauthorization: {authorization}\r\ncontent-length: {}\r\n\r\n",
            if query.is_empty() { "" } else { "?" },
            self.host,
            body.len()
        );
        let socket = self.stream.get_mut();
        socket.write_all(head.as_bytes())?;
        socket.write_all(body)?;
        let (status, answer) = self.answer()?;
        ensure!(
            status == 200,
            "{method} {path} was answered with {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the server closed the connection");
        Ok(line.trim_end().to_owned())
    }

    /// Reads an answer to its end: status and body.
    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("`{first}` is no answer"))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "transfer-encoding" => chunked = value.trim() == "chunked",
                _ => {}
            }
        }
        let mut body = Vec::new();
        if !chunked {
            self.take(length, &mut body)?;
            return Ok((status, body));
        }
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).context("read a chunk")?;
            self.take(size, &mut body)?;
            self.line()?;
            if size == 0 {
                return Ok((status, body));
            }
        }
    }

    fn take(&mut self, bytes: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let start = body.len();
        body.resize(start + bytes, 0);
        self.stream.read_exact(&mut body[start..])
    }

    /// The `Authorization` header of one call.
    fn authorization(&self, method: &str, path: &str, query: &str, date: &str) -> String {
        const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";
        let Target { region, access_key, secret_key, .. } = self.target;
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.sort_unstable();
        let request = format!(
            "{method}\n{path}\n{}\nhost:{}\nx-amz-content-sha256:{UNSIGNED}\nx-amz-date:{date}\n\n{SIGNED}\n{UNSIGNED}",
            parameters.join("&"),
            self.host
        );
        let day = &date[..8];
        let scope = format!("{day}/{region}/s3/aws4_request");
        let hash = hex::encode(Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let first = format!("AWS4{secret_key}").into_bytes();
        let parts = [day, region, "s3", "aws4_request", &text];
        let signature = parts.iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope},SignedHeaders={SIGNED},Signature={}",
            hex::encode(signature)
        )
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Percent-encoded as signatures want it: everything but letters, digits and `-_.~`, and in a path but `/`.
fn encoded(text: &str, is_path: bool) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b) || (is_path && b == b'/');
    let encode = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(encode).collect()
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "signatures carry the time of this very moment")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// A time as signatures write it, `20261122T110523Z`. The calendar is that of days_from_civil, turned round: years begin
/// in March, so that leap days come last (<https://howardhinnant.github.io/date_algorithms.html>).
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + later;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests;
