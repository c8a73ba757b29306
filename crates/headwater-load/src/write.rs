//! Writes packages: as files for others to upload, or straight to an origin for audits.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use headwater_model::id::Tenant;
use headwater_model::inventory::Object;
use headwater_model::key::{CACHE_FOREVER, ObjectKey};
use headwater_origin::S3Origin;
use headwater_ports::origin::{Before, Origin, Put};
use serde_json::{Value, json};

use crate::package::{self, Package, Shape};
use crate::target::Target;

/// Small objects that go up at once: enough to keep a server on the same machine busy.
const IN_FLIGHT: usize = 64;

/// The tenant of packages that are made as files.
pub(crate) const TENANT: &str = "main";

/// What a put of the product would be.
pub(crate) fn put(key: ObjectKey, object: &Object, body: Bytes) -> Put {
    let (sha256, md5) = (object.sha256, object.md5);
    Put { key, body, sha256, md5, cache_control: CACHE_FOREVER, before: Before::Anything }
}

/// Makes packages as files below `dir`, whose init and media segments are `bytes` random bytes each.
pub(crate) fn files(dir: &Path, shape: Shape, bytes: usize) -> Result<Value> {
    let write = |key: &ObjectKey, body: &[u8]| -> Result<()> {
        let file = dir.join(key.as_str());
        let folder = file.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, body))
            .with_context(|| format!("write `{}`", file.display()))
    };
    let plan = package::planned(shape.segments)?;
    // The same bytes every time, and no two objects alike: some servers keep equal blocks once.
    let mut random = fastrand::Rng::with_seed(1);
    let mut body = vec![0; bytes];
    let (mut objects, mut total) = (0, 0);
    for n in 0..shape.titles {
        let id = package::id(&TENANT.parse()?, n)?;
        let mut made = Vec::new();
        for (path, role) in package::media(&plan) {
            random.fill(&mut body);
            write(&id.key(&path), &body)?;
            made.push(package::object(&path, &body, role));
        }
        objects += made.len();
        total += made.iter().map(|object| object.bytes).sum::<u64>();
        for (key, object, text) in Package::seal(id, &plan, made)?.texts {
            write(&key, &text)?;
            objects += 1;
            total += object.bytes;
        }
    }
    Ok(json!({ "objects": objects, "bytes": total }))
}

/// Stores packages whose segments are small: each has its own key for content. Writes the MD5 of everything to the file
/// `sums`, by path below the tenant's prefix, as `md5sum` would.
pub(crate) async fn fill(
    target: &Target,
    tenant: Tenant,
    shape: Shape,
    sums: &Path,
) -> Result<Value> {
    let origin = target.origin().await?;
    let plan = package::planned(shape.segments)?;
    let (mut lines, mut objects) = (String::new(), 0);
    for n in 0..shape.titles {
        let id = package::id(&tenant, n)?;
        let media = package::media(&plan).into_iter().map(|(path, role)| {
            let key = id.key(&path);
            let body = Bytes::copy_from_slice(key.as_str().as_bytes());
            (key, package::object(&path, &body, role), body)
        });
        let media: Vec<_> = media.collect();
        let made = media.iter().map(|(_, object, _)| object.clone()).collect();
        let sealed = Package::seal(id.clone(), &plan, made)?;
        let all: Vec<_> = media.into_iter().chain(sealed.texts).collect();
        objects += all.len();
        for (key, object, _) in &all {
            let path = key.as_str().split_once('/').map_or("", |(_, path)| path);
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{}  {path}", object.md5);
        }
        store(&origin, all, IN_FLIGHT).await?;
    }
    fs::write(sums, lines).with_context(|| format!("write `{}`", sums.display()))?;
    Ok(json!({ "objects": objects }))
}

/// Stores all of these, `in_flight` at a time.
async fn store(
    origin: &S3Origin,
    all: Vec<(ObjectKey, Object, Bytes)>,
    in_flight: usize,
) -> Result<()> {
    let puts = all.into_iter().map(|(key, object, body)| origin.put(put(key, &object, body)));
    stream::iter(puts).buffer_unordered(in_flight).try_collect::<()>().await?;
    Ok(())
}
