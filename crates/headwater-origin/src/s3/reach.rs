//! Whether an S3 origin can be worked with at all, within ten seconds, before anything is transcoded for it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use headwater_ports::origin::OriginErrorKind;

use super::S3Origin;
use super::error::Failed;
use super::series::{Series, Step, Stuck, Unusable};

/// Time for the whole of it.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// What is stored for it.
const BODY: &[u8] = b"may this be stored?";

/// Lists, and stores, reads and deletes an object of the class that everything gets: one that the origin does not have
/// would be noticed after transcoding.
pub(super) async fn reach(origin: &S3Origin) -> Result<(), Unusable> {
    let series = Series::new(origin, LIMIT);
    go(origin, series).await.map_err(|stuck| series.explain(&stuck))
}

/// Lists, and asks for an object that is not there: who may not read is told so instead.
pub(super) async fn reach_to_read(origin: &S3Origin) -> Result<(), Unusable> {
    let series = Series::new(origin, LIMIT);
    let (client, bucket, key) = (&origin.client, &origin.settings.bucket, key(origin));
    let look = async {
        list(origin, series).await?;
        let get = || client.get_object().bucket(bucket).key(&key);
        let read = async || match get().send().await {
            Ok(_) => Ok(()),
            Err(error) => Failed::from(error).of_reading().absent::<()>().map(drop),
        };
        series.call(Step::Read, read).await
    };
    look.await.map_err(|stuck| series.explain(&stuck))
}

async fn list(origin: &S3Origin, series: Series<'_>) -> Result<(), Stuck> {
    let (client, settings) = (&origin.client, &origin.settings);
    let list =
        || client.list_objects_v2().bucket(&settings.bucket).prefix(&settings.prefix).max_keys(1);
    series.call(Step::List, || list().send()).await.map(drop)
}

/// A key of nobody else's.
fn key(origin: &S3Origin) -> String {
    format!("{}.headwater-probe-{:016x}", origin.settings.prefix, fastrand::u64(..))
}

async fn go(origin: &S3Origin, series: Series<'_>) -> Result<(), Stuck> {
    let (client, bucket) = (&origin.client, &origin.settings.bucket);
    list(origin, series).await?;
    let key = key(origin);
    let put = || {
        let put = client.put_object().bucket(bucket).key(&key).body(ByteStream::from_static(BODY));
        put.set_storage_class(origin.storage_class())
    };
    series.call(Step::StoreInClass, || put().send()).await?;
    let get = || client.get_object().bucket(bucket).key(&key);
    let read = series.call(Step::Read, async || match get().send().await.map_err(Failed::from) {
        Ok(_) => Ok(()),
        // Who may not read is told so before that.
        Err(failed) if failed.kind == OriginErrorKind::Cold => Ok(()),
        Err(failed) => Err(failed),
    });
    // Nothing stays behind, also where it cannot be read.
    let read = read.await;
    let delete = || client.delete_object().bucket(bucket).key(&key);
    series.call(Step::Delete, || delete().send()).await?;
    read
}
