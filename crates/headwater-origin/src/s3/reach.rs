//! Whether an S3 origin can be worked with at all, within ten seconds, before anything is transcoded for it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;

use super::S3Origin;
use super::series::{Series, Step, Stuck, Unusable};

/// Time for the whole of it.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Lists, stores and deletes.
pub(super) async fn reach(origin: &S3Origin) -> Result<(), Unusable> {
    let series = Series::new(origin, LIMIT);
    go(origin, series).await.map_err(|stuck| series.explain(&stuck))
}

async fn go(origin: &S3Origin, series: Series<'_>) -> Result<(), Stuck> {
    let (client, settings) = (&origin.client, &origin.settings);
    let bucket = &settings.bucket;
    let list = || client.list_objects_v2().bucket(bucket).prefix(&settings.prefix).max_keys(1);
    series.call(Step::List, || list().send()).await?;
    let key = format!("{}.headwater-probe-{:016x}", settings.prefix, fastrand::u64(..));
    let body = || ByteStream::from_static(b"may this be stored?");
    let put = || client.put_object().bucket(bucket).key(&key).body(body());
    series.call(Step::Store, || put().send()).await?;
    let delete = || client.delete_object().bucket(bucket).key(&key);
    series.call(Step::Delete, || delete().send()).await?;
    Ok(())
}
