//! The memory catalog keeps the catalog's contract.

use super::*;
use crate::clock::ManualClock;

async fn make(clock: Arc<ManualClock>) -> (Arc<dyn Catalog>, ()) {
    (Arc::new(MemoryCatalog::new(clock)), ())
}

crate::catalog_suite!(make);
