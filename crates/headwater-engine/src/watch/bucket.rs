//! Watches a folder of a bucket as a drop folder is watched, by listing it now and then.
//!
//! An object is listed once it is whole: what is still being sent in parts is not. So there is nothing to wait for; and
//! one whose size or ETag has changed since is another delivery, as a file is that was written anew. Files of a delivery
//! count together, once its manifest and all of them are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_model::address::{Address, Folder};
use headwater_model::delivery;
use headwater_model::id::{Tenant, TitleId};
use headwater_ports::masters::{MasterError, Masters, Seen};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::life::Engine;
use crate::master::Stamp;
use crate::settling::ignored;
use crate::watch::{Delivery, gather};
use crate::{bundle, sums};

/// A folder of a bucket to watch.
#[derive(Debug, Clone)]
pub struct DropBucket {
    /// Where it is.
    pub folder: Folder,
    /// Whose titles the objects become.
    pub tenant: Tenant,
    /// Pipeline for all of them.
    pub pipeline: String,
    /// How often to list it.
    pub poll: Duration,
}

impl Engine {
    /// Watches `bucket` until `shutdown`. One that cannot be listed is asked again at the next turn.
    pub async fn watch_bucket(&self, bucket: &DropBucket, shutdown: &CancellationToken) {
        info!(folder = %bucket.folder, "bucket watched");
        let mut known = Known::default();
        let mut trouble = false;
        loop {
            let looked = tokio::select! {
                () = shutdown.cancelled() => return,
                looked = self.look_at_bucket(bucket, &mut known) => looked,
            };
            match looked {
                Ok(()) => trouble = false,
                // Said once, not at every turn.
                Err(error) if !trouble => {
                    warn!(folder = %bucket.folder, %error, "the bucket cannot be listed");
                    trouble = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(bucket.poll) => {}
            }
        }
    }

    async fn look_at_bucket(
        &self,
        bucket: &DropBucket,
        known: &mut Known,
    ) -> Result<(), MasterError> {
        let masters = &*self.ports().masters;
        let (mut after, mut listed) = (None, Listed::new());
        loop {
            let page = masters.list(&bucket.folder, after.as_deref()).await?;
            listed.extend(page.found);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        known.read_manifests(masters, &listed).await;
        let mut handed_on = HashMap::new();
        for Arrival { at, stamp, title, pipeline, elsewhere } in known.arrivals(&listed) {
            if known.handed_on.get(&at) != Some(&stamp) {
                if !are_there(masters, &elsewhere).await {
                    continue;
                }
                let delivery = Delivery {
                    tenant: &bucket.tenant,
                    pipeline: pipeline.as_ref().unwrap_or(&bucket.pipeline),
                    title,
                    path: at.to_string(),
                    stamp,
                };
                if let Err(error) = self.deliver(delivery).await {
                    warn!(object = %at, %error, "delivery not queued yet");
                    continue;
                }
            }
            handed_on.insert(at, stamp);
        }
        known.handed_on = handed_on;
        Ok(())
    }
}

type Listed = BTreeMap<Address, Seen>;

/// What earlier turns found out, so that neither the catalog nor the bucket is asked about each object at every turn: as
/// much as is listed.
#[derive(Debug, Default)]
struct Known {
    handed_on: HashMap<Address, Stamp>,
    /// What manifests say; nothing where one cannot be read, which `Prepare` tells.
    manifests: HashMap<Address, (Seen, Option<delivery::Delivery>)>,
}

/// Something that is there whole.
struct Arrival {
    at: Address,
    stamp: Stamp,
    title: TitleId,
    /// What it asks for.
    pipeline: Option<String>,
    /// Those of its files that are in no listing, since they are in folders of their own.
    elsewhere: Vec<Address>,
}

impl Known {
    async fn read_manifests(&mut self, masters: &dyn Masters, listed: &Listed) {
        let mut manifests = HashMap::new();
        for (at, seen) in listed.iter().filter(|(at, _)| bundle::is_manifest(at)) {
            let known = self.manifests.remove(at).filter(|(before, _)| before == seen);
            let says = match known {
                Some((_, says)) => says,
                None => bundle::read(masters, at).await.ok(),
            };
            manifests.insert(at.clone(), (*seen, says));
        }
        self.manifests = manifests;
    }

    fn arrivals(&self, listed: &Listed) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut taken = BTreeSet::new();
        for (at, (seen, says)) in &self.manifests {
            taken.insert(at.clone());
            let path = PathBuf::from(at.to_string());
            let mut stamps = vec![Stamp::from(*seen)];
            let mut elsewhere = Vec::new();
            if let Some(says) = says {
                let files = says.files().into_iter().map(|file| bundle::beside(at, file));
                let files: Vec<Address> = files.collect();
                taken.extend(files.iter().cloned());
                if says.marker && !listed.keys().any(|at| is_at(at, &gather::marker_of(&path))) {
                    continue;
                }
                let is_here = |file: &Address| folder_of(file) == folder_of(at);
                let (here, there): (Vec<_>, Vec<_>) = files.into_iter().partition(is_here);
                let found = here.iter().filter(|file| listed.contains_key(file));
                if found.clone().count() < here.len() {
                    continue;
                }
                stamps.extend(found.filter_map(|file| stamp(listed, file)));
                elsewhere = there;
            }
            let (title, pipeline) = gather::asked_by(&path, says.as_ref());
            arrivals.push(Arrival {
                at: at.clone(),
                stamp: gather::as_one(&stamps),
                title,
                pipeline,
                elsewhere,
            });
        }
        let single = listed.keys().filter(|at| !taken.contains(at) && !ignored(&at.name()));
        arrivals.extend(single.filter_map(|at| {
            Some(Arrival {
                at: at.clone(),
                stamp: stamp(listed, at)?,
                title: TitleId::from_file_name(&at.name()),
                pipeline: None,
                elsewhere: vec![],
            })
        }));
        arrivals
    }
}

/// The stamp of an object and of the checksums beside it.
fn stamp(listed: &Listed, at: &Address) -> Option<Stamp> {
    let own = Stamp::from(*listed.get(at)?);
    let sums: Vec<Stamp> =
        sums::all_beside(at).filter_map(|sum| listed.get(&sum)).map(|s| (*s).into()).collect();
    Some(gather::with_those(own, &sums))
}

fn is_at(at: &Address, path: &Path) -> bool {
    at.to_string().as_str() == path.as_os_str()
}

fn folder_of(at: &Address) -> Option<PathBuf> {
    Path::new(&at.to_string()).parent().map(Path::to_owned)
}

async fn are_there(masters: &dyn Masters, files: &[Address]) -> bool {
    for file in files {
        if masters.open(file).await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_in_a_bucket_is_there_when_all_its_files_are() {
        let at = |name: &str| -> Address { format!("s3://in/a/{name}").parse().unwrap() };
        let seen = |stamp| Seen { bytes: 10, stamp };
        let text = "version = 1\nmarker = true\npipeline = \"slow\"\n[video]\nfile = \"film.mov\"\n\
                    [[audio]]\nfile = \"de/film.wav\"\n";
        let says = headwater_spec::delivery(text).ok();
        let manifest = at("film.delivery.toml");
        let known =
            Known { manifests: [(manifest.clone(), (seen(1), says))].into(), ..Known::default() };
        let mut listed: Listed = [(manifest.clone(), seen(1)), (at("other.mov"), seen(2))].into();
        let names = |listed: &Listed| -> Vec<String> {
            known.arrivals(listed).iter().map(|a| a.at.name()).collect()
        };
        assert_eq!(names(&listed), ["other.mov"]);
        listed.insert(at("film.mov"), seen(3));
        assert_eq!(names(&listed), ["other.mov"], "its marker is missing");
        listed.insert(at("film.complete"), seen(4));
        assert_eq!(names(&listed), ["film.delivery.toml", "other.mov"]);
        let film = &known.arrivals(&listed)[0];
        assert_eq!((film.title.as_str(), film.pipeline.as_deref()), ("film", Some("slow")));
        assert_eq!(film.elsewhere, [at("de/film.wav")]);

        let stamps = |listed: &Listed| -> Vec<Stamp> {
            known.arrivals(listed).iter().map(|a| a.stamp).collect()
        };
        let before = stamps(&listed);
        listed.insert(at("film.mov.md5"), seen(5));
        let after = stamps(&listed);
        assert!(after[0] != before[0] && after[1] == before[1], "its checksum came");
    }
}
