//! Lanes as rows: which there are, how they stand, and which lane a task belongs to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater_model::lane::{Lane, Needs, Offer, Priority, Standing, in_order};
use headwater_model::task::{Role, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::clock::Clock;

use super::{plans, rows};
use crate::db::{Db, Row, query, query_as, query_scalar};
use crate::error::Fault;

/// What is known of the lanes for a moment, so that not every claim asks how all of them stand.
///
/// A claim takes the first task of the best lane, and which lane that is changes slowly where thousands of tasks are
/// claimed in a second. A process counts what it claims itself meanwhile, and looks for the next task of a lane behind the
/// last that it found there: what becomes due again before that is seen when the page is written anew.
pub(crate) struct Book {
    lasts: Duration,
    /// By which pages get old, where a test or a simulation has given one.
    clock: Option<Arc<dyn Clock>>,
    page: Mutex<Option<Page>>,
}

struct Page {
    written: Instant,
    /// The catalog's time then.
    at: Timestamp,
    standings: Vec<Standing>,
}

/// A lane and where its tasks that are due begin: numbers of a package and a task.
pub(crate) type From = (i64, (i64, i64));

impl Book {
    /// One that is written anew after `lasts`, by the `clock` if there is one; with zero, for each claim.
    pub(crate) fn new(lasts: Duration, clock: Option<Arc<dyn Clock>>) -> Self {
        Self { lasts, clock, page: Mutex::new(None) }
    }

    fn page(&self) -> std::sync::MutexGuard<'_, Option<Page>> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How old a page is.
    fn age(&self, page: &Page) -> Duration {
        match &self.clock {
            None => page.written.elapsed(),
            Some(clock) => {
                Duration::from_millis(u64::try_from(clock.now().0 - page.at.0).unwrap_or(0))
            }
        }
    }

    /// The lanes for `offer`, the best first, from a page that is written already and no older than it may be. Of those
    /// who find it too old, one is sent to write it anew, and the others make do with it meanwhile.
    pub(crate) fn known(&self, offer: &Offer) -> Option<Vec<From>> {
        let mut page = self.page();
        let page = page.as_mut()?;
        let age = self.age(page);
        let now = page.at.plus_ms(i64::try_from(age.as_millis()).unwrap_or(0));
        if age >= self.lasts {
            (page.written, page.at) = (Instant::now(), now);
            return None;
        }
        Some(beginnings(&page.standings, offer, now))
    }

    /// The same from a page that was written at this moment.
    pub(crate) fn fresh(&self, offer: &Offer, now: Timestamp) -> Vec<From> {
        self.page().as_ref().map_or(vec![], |page| beginnings(&page.standings, offer, now))
    }

    /// Counts the claim of a task on the page, for those who read it next.
    pub(crate) fn claimed(&self, lane: i64, task: (i64, i64), now: Timestamp) {
        self.change(lane, |standing| {
            standing.running += 1;
            standing.claimed = now;
            standing.first = standing.first.max(Some(task));
        });
    }

    /// Notes that nothing of a lane was due.
    pub(crate) fn emptied(&self, lane: i64) {
        self.change(lane, |standing| standing.first = None);
    }

    fn change(&self, lane: i64, change: impl FnMut(&mut Standing)) {
        if let Some(page) = self.page().as_mut() {
            page.standings.iter_mut().filter(|standing| standing.id == lane).for_each(change);
        }
    }

    /// Writes it anew.
    pub(crate) async fn write(&self, tx: &mut Db) -> Result<(), Fault> {
        let before: Vec<(i64, Timestamp)> = match self.page().as_ref() {
            Some(page) => page.standings.iter().map(|s| (s.id, s.claimed)).collect(),
            None => Vec::new(),
        };
        let mut standings = standings(tx).await?;
        for standing in &mut standings {
            // What this process claimed since is told to the others only now.
            let told = before.iter().find(|(id, _)| *id == standing.id);
            if let Some((id, claimed)) = told.filter(|(_, claimed)| *claimed > standing.claimed) {
                standing.claimed = *claimed;
                note_claimed(tx, *id, *claimed).await?;
            }
        }
        let page = Page { written: Instant::now(), at: tx.now, standings };
        *self.page() = Some(page);
        Ok(())
    }
}

/// [`in_order`], and where each of the lanes begins.
fn beginnings(standings: &[Standing], offer: &Offer, now: Timestamp) -> Vec<From> {
    let begins = |lane: i64| standings.iter().find(|standing| standing.id == lane)?.first;
    let lanes = in_order(standings, offer, now).into_iter();
    lanes.filter_map(|lane| Some((lane, begins(lane)?))).collect()
}

/// Notes when a task of a lane was handed out last.
pub(crate) async fn note_claimed(tx: &mut Db, lane: i64, at: Timestamp) -> Result<(), Fault> {
    query("update lanes set claimed_at = $2 where id = $1 and claimed_at < $2")
        .bind(lane)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// All lanes as they stand: `$1` the time.
pub(crate) const STANDINGS: &str = "\
    select $1 as now_ms, \
        l.id, l.priority, l.tenant, l.role, l.healing, l.pool, l.elements, l.plan, l.memory_mb, l.claimed_at, \
        (select count(*) from tasks k where k.lane_id = l.id and k.state = 'leased' and k.due_at > $1) as running, \
        (select k.package_id from tasks k where k.lane_id = l.id and k.finished_at is null and k.due_at <= $1 \
            order by k.package_id, k.id limit 1) as first_package, \
        (select k.id from tasks k where k.lane_id = l.id and k.finished_at is null and k.due_at <= $1 \
            order by k.package_id, k.id limit 1) as first_task \
    from lanes l";

/// The same at the time `$1` or by the server's clock, where looking for the first task once is worth the words.
const STANDINGS_ON_SERVER: &str = "\
    with moment as materialized ( \
        select coalesce($1, cast(extract(epoch from clock_timestamp()) * 1000 as bigint)) as now_ms) \
    select moment.now_ms, \
        l.id, l.priority, l.tenant, l.role, l.healing, l.pool, l.elements, l.plan, l.memory_mb, l.claimed_at, \
        (select count(*) from tasks k \
            where k.lane_id = l.id and k.state = 'leased' and k.due_at > moment.now_ms) as running, \
        first.package_id as first_package, first.id as first_task \
    from moment cross join lanes l left join lateral ( \
        select k.package_id, k.id from tasks k \
        where k.lane_id = l.id and k.finished_at is null and k.due_at <= moment.now_ms \
        order by k.package_id, k.id limit 1) first on true";

async fn standings(tx: &mut Db) -> Result<Vec<Standing>, Fault> {
    let standings = tx.pick(STANDINGS, STANDINGS_ON_SERVER);
    let rows = query(standings).bind(tx.given.map(|now| now.0)).fetch_all(tx).await?;
    if let Some(row) = rows.first() {
        tx.now = Timestamp(row.get("now_ms")?);
    }
    rows.iter().map(standing).collect()
}

fn standing(row: &Row) -> Result<Standing, Fault> {
    let first: (Option<i64>, Option<i64>) = (row.get("first_package")?, row.get("first_task")?);
    Ok(Standing {
        id: row.get("id")?,
        lane: Lane {
            priority: Priority::of_rank(row.get("priority")?),
            tenant: rows::parsed(row, "tenant")?,
            role: rows::role(row)?,
            healing: row.get("healing")?,
            needs: needs(row)?,
        },
        first: first.0.zip(first.1),
        running: rows::count(row, "running")?,
        claimed: Timestamp(row.get("claimed_at")?),
    })
}

/// Columns `pool`, `elements`, `plan` and `memory_mb`.
pub(crate) fn needs(row: &Row) -> Result<Needs, Fault> {
    Ok(Needs {
        pool: row.get("pool")?,
        elements: serde_json::from_str(row.get("elements")?)?,
        plan: rows::small(row, "plan")?,
        memory_mb: rows::small(row, "memory_mb")?,
    })
}

/// The lanes of a package's tasks, found once for all tasks of a role.
pub(crate) struct Signpost {
    package_id: i64,
    found: BTreeMap<&'static str, Option<i64>>,
}

impl Signpost {
    pub(crate) fn new(package_id: i64) -> Self {
        Self { package_id, found: BTreeMap::new() }
    }

    /// The lane for a task of this kind; `None` where the title is held.
    pub(crate) async fn lane(&mut self, tx: &mut Db, kind: TaskKind) -> Result<Option<i64>, Fault> {
        // All that a role does of a package takes the same, but for what comes before the plan.
        let key = match kind {
            TaskKind::Prepare => kind.name(),
            _ => rows::role_name(kind.role()),
        };
        if let Some(lane) = self.found.get(key) {
            return Ok(*lane);
        }
        let row = query(
            "select t.tenant, t.priority, t.held, p.pool, p.published_at is not null as published \
             from packages p join titles t on t.id = p.title_id where p.id = $1",
        )
        .bind(self.package_id)
        .fetch_one(tx)
        .await?;
        let lane = match row.get("held")? {
            true => None,
            false => {
                let plan = match kind {
                    TaskKind::Prepare => None,
                    _ => plans::of(tx, self.package_id).await?.map(|known| known.plan),
                };
                let lane = Lane {
                    priority: Priority::of_rank(row.get("priority")?),
                    tenant: rows::parsed(&row, "tenant")?,
                    role: kind.role(),
                    healing: row.get("published")?
                        && matches!(kind.role(), Role::Worker | Role::Verifier),
                    needs: Needs::of(kind, row.get("pool")?, plan.as_deref()),
                };
                Some(id(tx, &lane).await?)
            }
        };
        self.found.insert(key, lane);
        Ok(lane)
    }
}

/// The row of a lane, which is made when there is none yet.
async fn id(tx: &mut Db, lane: &Lane) -> Result<i64, Fault> {
    let elements = rows::json(&lane.needs.elements)?;
    let bind = |sql| {
        query_scalar::<i64>(sql)
            .bind(lane.priority.rank())
            .bind(lane.tenant.as_str())
            .bind(rows::role_name(lane.role))
            .bind(lane.healing)
            .bind(&lane.needs.pool)
            .bind(&elements)
            .bind(lane.needs.plan)
            .bind(lane.needs.memory_mb)
    };
    let known = bind(
        "select id from lanes where priority = $1 and tenant = $2 and role = $3 and healing = $4 and pool = $5 \
             and elements = $6 and plan = $7 and memory_mb = $8",
    );
    if let Some(id) = known.fetch_optional(tx).await? {
        return Ok(id);
    }
    // Where somebody else has just made it, their row is what comes back.
    bind(
        "insert into lanes (priority, tenant, role, healing, pool, elements, plan, memory_mb) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) \
         on conflict (priority, tenant, role, healing, pool, elements, plan, memory_mb) \
             do update set claimed_at = lanes.claimed_at \
         returning id",
    )
    .fetch_one(tx)
    .await
}

/// Puts the open tasks of a title into the lanes that are theirs now: it was held, released, or is wanted otherwise.
pub(crate) async fn sort_again(tx: &mut Db, title_id: i64) -> Result<(), Fault> {
    let packages: Vec<i64> = query_scalar(
        "select distinct k.package_id from tasks k join packages p on p.id = k.package_id \
         where p.title_id = $1 and k.finished_at is null order by 1",
    )
    .bind(title_id)
    .fetch_all(tx)
    .await?;
    for package_id in packages {
        let mut signpost = Signpost::new(package_id);
        let open: Vec<(i64, String, i64)> = query_as(
            "select id, kind, number from tasks where package_id = $1 and finished_at is null order by id",
        )
        .bind(package_id)
        .fetch_all(tx)
        .await?;
        for (task, kind, number) in open {
            let kind = rows::kind_of(&kind, number)?;
            let lane = signpost.lane(tx, kind).await?;
            query("update tasks set lane_id = $2 where id = $1 and lane_id is distinct from $2")
                .bind(task)
                .bind(lane)
                .execute(tx)
                .await?;
        }
    }
    // Of what was held, something may be due.
    tx.queues = true;
    Ok(())
}
