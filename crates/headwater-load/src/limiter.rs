//! Many uploads at once against an origin that lets in only so many a second: what is lost, and how fast the rest goes.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use headwater_model::inventory::ObjectRole;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::Origin;
use serde_json::{Value, json};

use crate::package;
use crate::target::Target;
use crate::write::put;

/// Bytes of an upload: the limiter counts calls, and nothing else should hold them back.
const BYTES: usize = 1_000;

/// Stores `uploads` small objects, `in_flight` at a time.
pub(crate) async fn run(target: &Target, uploads: usize, in_flight: usize) -> Result<Value> {
    let origin = target.unknown_origin().await;
    let body = Bytes::from(vec![1; BYTES]);
    let object = package::object("", &body, ObjectRole::Manifest);
    let began = Instant::now();
    let stored = stream::iter(0..uploads)
        .map(|n| {
            let (origin, object, body) = (&origin, &object, body.clone());
            async move {
                let key = ObjectKey::new(format!("limited/{n:06}"))?;
                origin.put(put(key, object, body)).await.ok()
            }
        })
        .buffer_unordered(in_flight)
        .filter(|stored| std::future::ready(stored.is_some()))
        .count()
        .await;
    let seconds = began.elapsed().as_secs_f64();
    let mut listed = 0;
    let mut after = None;
    loop {
        let page = origin.list("limited/", after.as_ref()).await?;
        listed += page.objects.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // Both what was refused in the end and what was acknowledged and is not there.
    let lost = uploads - stored.min(listed);
    Ok(json!({ "uploads": uploads, "lost": lost, "seconds": seconds }))
}
