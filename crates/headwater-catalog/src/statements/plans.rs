//! Plans, which never change once they are made and are read again for each task of their package.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_model::master::MasterFacts;
use headwater_model::plan::Plan;

use super::rows;
use crate::db::{Db, query};
use crate::error::Fault;

/// Plans that are kept in memory: workers are at a few titles at a time, and a plan of a film is a few hundred kilobytes.
const KEPT: usize = 32;

/// A plan, and what it was made from.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) plan: Arc<Plan>,
    pub(crate) facts: Option<Arc<MasterFacts>>,
}

/// Plans that were read lately, by their package's row.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<VecDeque<(i64, Known)>>);

impl Shelf {
    fn find(&self, package_id: i64) -> Option<Known> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(id, _)| *id == package_id).map(|(_, known)| known.clone())
    }

    fn keep(&self, package_id: i64, known: &Known) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(id, _)| *id != package_id);
        kept.push_back((package_id, known.clone()));
        while kept.len() > KEPT {
            kept.pop_front();
        }
    }
}

/// The plan of a package, once there is one.
pub(crate) async fn of(tx: &mut Db, package_id: i64) -> Result<Option<Known>, Fault> {
    // SQLite gives the number of a row that was deleted to the next one, and reads from memory anyway.
    let shelf = tx.is_shared().then(|| tx.plans.clone());
    if let Some(known) = shelf.as_ref().and_then(|shelf| shelf.find(package_id)) {
        return Ok(Some(known));
    }
    let row = query("select plan, facts from packages where id = $1")
        .bind(package_id)
        .fetch_one(tx)
        .await?;
    let Some(plan) = rows::from_json::<Plan>(&row, "plan")? else { return Ok(None) };
    let facts = rows::from_json::<MasterFacts>(&row, "facts")?.map(Arc::new);
    let known = Known { plan: Arc::new(plan), facts };
    // Only what is committed is kept: a transaction that has made the plan itself may yet be undone.
    if let Some(shelf) = shelf.filter(|_| !tx.makes_plan) {
        shelf.keep(package_id, &known);
    }
    Ok(Some(known))
}
