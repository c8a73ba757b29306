//! Tries the CDN in front of an origin with an object of its own, and takes that away again.

use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::{CACHE_FOREVER, ObjectKey};
use headwater_ports::edge::{Answer, Edge, EdgeError, Way};
use headwater_ports::origin::{Before, Origin, OriginError, Put};
use md5::Digest as _;

/// One thing that an edge should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What: "gives it as viewers ask for it".
    pub question: &'static str,
    /// Whether it does.
    pub yes: bool,
    /// What it did, where that says more.
    pub note: String,
}

/// Tries everything. An error is the origin's.
pub async fn try_edge(origin: &dyn Origin, edge: &dyn Edge) -> Result<Vec<Trial>, OriginError> {
    // A name that nobody has asked the edge for before.
    let name = format!("headwater-edge-test-{:016x}/object", fastrand::u64(..));
    let Some(key) = ObjectKey::new(name) else { return Ok(Vec::new()) };
    let body = Bytes::from_static(b"Headwater tries whether the edge gives what its origin has.\n");
    let sha256 = Sha256(sha2::Sha256::digest(&body).into());
    let md5 = Md5(md5::Md5::digest(&body).into());
    let put = Put {
        key: key.clone(),
        body: body.clone(),
        sha256,
        md5,
        cache_control: CACHE_FOREVER,
        before: Before::Anything,
    };
    origin.put(put).await?;
    let got = async |way| edge.get(&key, way, body.len() as u64).await;
    let mut trials = vec![
        gives("gives what its origin has, past its cache", got(Way::PastCache).await, &body),
        gives("gives it as viewers ask for it", got(Way::Cached).await, &body),
    ];
    origin.delete(&key).await?;
    if edge.purges() {
        let (yes, note) = match edge.purge(&key).await {
            Ok(()) => (true, String::new()),
            Err(error) => (false, error.reason),
        };
        trials.push(Trial { question: "takes a purge", yes, note });
        trials.push(match got(Way::Cached).await {
            Ok(Answer::Refused(status)) => forgets(true, format!("it answers {status}")),
            Ok(Answer::Body(_)) => forgets(false, "it still gives it".to_owned()),
            Err(error) => forgets(false, error.reason),
        });
    }
    Ok(trials)
}

fn gives(question: &'static str, got: Result<Answer, EdgeError>, body: &Bytes) -> Trial {
    let (yes, note) = match got {
        Ok(Answer::Body(found)) if found == body => (true, String::new()),
        Ok(Answer::Body(found)) => (false, format!("it gives {} other bytes", found.len())),
        Ok(Answer::Refused(status)) => (false, format!("it answers {status}")),
        Err(error) => (false, error.reason),
    };
    Trial { question, yes, note }
}

fn forgets(yes: bool, note: String) -> Trial {
    Trial { question: "has forgotten what was purged", yes, note }
}
