//! Storage for packages behind the `Origin` port: S3-compatible services, and a local directory; and CDNs in front of
//! them behind the `Edge` port; and masters in buckets and on web servers behind the `Masters` port.
//!
//! Invariant: this crate owns every retry of a storage call and every limit on how many run at once; callers take an
//! answer as final.

mod directory;
mod edge;
mod masters;
mod s3;

pub use directory::DirectoryOrigin;
pub use edge::{HttpEdge, Purge, Trial, try_edge};
pub use masters::RemoteMasters;
pub use s3::{Credentials, S3Origin, S3Settings, Unusable};
