//! Storage for packages behind the `Origin` port. So far one adapter: a local directory.
//!
//! Invariant: this crate owns every retry of a storage call and every limit on how many run at once; callers take an
//! answer as final.

mod directory;

pub use directory::DirectoryOrigin;
