//! Whether anybody who is there may take a task, and what is lacking when nobody may.

use std::collections::BTreeSet;
use std::fmt;

use super::{Worker, WorkerRecord, WorkerState};
use crate::lane::{Needs, Offer};
use crate::process;
use crate::task::Role;

/// What none of the living workers has. Shown, it is a clause that goes on after "since".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Any role that does such tasks.
    Role(process::Role),
    /// The pool.
    Pool(String),
    /// These encoders, of those in the pool: what the one lacks that lacks the fewest.
    Encoders(String, BTreeSet<String>),
    /// Memory for a transcoder in megabytes, of those in the pool that have the encoders.
    Memory {
        /// The pool.
        pool: String,
        /// What it takes.
        needed: u32,
        /// The most that one of them has.
        most: u32,
    },
}

impl Lack {
    /// Why none of `workers` may take a task of `role` with these needs; `None` when one may. Only those count that take
    /// work, and each as one that reads every plan: of its plans a worker says nothing.
    pub fn of(role: Role, needs: &Needs, workers: &[WorkerRecord]) -> Option<Self> {
        let needs = Needs { plan: 0, ..needs.clone() };
        let alive = workers.iter().filter(|record| record.state == WorkerState::Alive);
        let able: Vec<&Worker> =
            alive.map(|record| &record.worker).filter(|w| w.roles.contains(&role)).collect();
        if able.iter().any(|worker| worker.offer().takes(role, &needs)) {
            return None;
        }
        if able.is_empty() {
            return Some(Lack::Role(process::Role::doing(role)));
        }
        let Needs { pool, elements, memory_mb, .. } = needs;
        let of_pool: Vec<&Worker> = able.into_iter().filter(|w| w.pool == pool).collect();
        let lacks = |worker: &&Worker| {
            let has = worker.elements.as_ref();
            has.map_or_else(BTreeSet::new, |has| elements.difference(has).cloned().collect())
        };
        let Some(fewest) = of_pool.iter().map(lacks).min_by_key(BTreeSet::len) else {
            return Some(Lack::Pool(pool));
        };
        if !fewest.is_empty() {
            return Some(Lack::Encoders(pool, fewest));
        }
        let equipped = of_pool.iter().filter(|worker| lacks(worker).is_empty());
        let most = equipped.filter_map(|worker| worker.memory_mb).max().unwrap_or(0);
        Some(Lack::Memory { pool, needed: memory_mb, most })
    }

    /// What helps, as an order.
    pub fn next_step(&self) -> String {
        match self {
            Lack::Role(process::Role::Worker) => "start one with `headwater worker`".to_owned(),
            Lack::Role(role) => format!("start one with `headwater up --roles {role}`"),
            Lack::Pool(pool) => format!("start one with `headwater worker --pool {pool}`"),
            Lack::Encoders(..) => "install it for one of them, and start that one again".to_owned(),
            Lack::Memory { .. } => "start one where there is more memory".to_owned(),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Role(role) => write!(f, "no living worker has the role `{role}`"),
            Lack::Pool(pool) => write!(f, "no living worker is of the pool `{pool}`"),
            Lack::Encoders(pool, lacking) => {
                let lacking: Vec<&str> = lacking.iter().map(String::as_str).collect();
                let lacking = lacking.join(" and ");
                write!(f, "no living worker of the pool `{pool}` has {lacking}")
            }
            Lack::Memory { pool, needed, most } => write!(
                f,
                "a transcoder takes {needed} MB, and no living worker of the pool `{pool}` has more than {most} MB"
            ),
        }
    }
}

impl Worker {
    /// What it may take, as far as it says: plans of every format.
    fn offer(&self) -> Offer {
        Offer {
            pool: self.pool.clone(),
            elements: self.elements.clone(),
            plan: u32::MAX,
            memory_mb: self.memory_mb,
            ..Offer::of(&self.name, &self.roles)
        }
    }
}
