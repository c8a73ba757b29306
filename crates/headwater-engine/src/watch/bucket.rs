//! Watches a folder of a bucket as a drop folder is watched, by listing it now and then.
//!
//! An object is listed once it is whole: what is still being sent in parts is not. So there is nothing to wait for; and
//! one whose size or ETag has changed since is another delivery, as a file is that was written anew.

use std::collections::HashMap;
use std::time::Duration;

use headwater_model::address::{Address, Folder};
use headwater_model::id::{Tenant, TitleId};
use headwater_ports::masters::{MasterError, Seen};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::life::Engine;
use crate::master::Stamp;
use crate::settling::ignored;
use crate::watch::Delivery;

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
        // What was handed on, so that the catalog is not asked about each object at every turn: as much as is listed.
        let mut known = HashMap::new();
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
        known: &mut HashMap<Address, Seen>,
    ) -> Result<(), MasterError> {
        let (mut after, mut listed) = (None, HashMap::new());
        loop {
            let masters = &self.ports().masters;
            let page = masters.list(&bucket.folder, after.as_deref()).await?;
            for (address, seen) in page.found {
                let name = address.name();
                if ignored(&name) {
                    continue;
                }
                if known.get(&address) != Some(&seen) {
                    let delivery = Delivery {
                        tenant: &bucket.tenant,
                        pipeline: &bucket.pipeline,
                        title: TitleId::from_file_name(&name),
                        path: address.to_string(),
                        stamp: Stamp::from(seen),
                    };
                    if let Err(error) = self.deliver(delivery).await {
                        warn!(object = %address, %error, "delivery not queued yet");
                        continue;
                    }
                }
                listed.insert(address, seen);
            }
            after = page.next;
            if after.is_none() {
                *known = listed;
                return Ok(());
            }
        }
    }
}
