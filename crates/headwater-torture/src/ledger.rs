//! Whether results were accepted only from whoever held the task: a ledger that the database itself keeps of every change
//! of a task, and the rules that it is held to.
//!
//! A row of `tasks` tells which lease is the newest, and nothing of who writes. So the ledger has the port that a change
//! came through, and the proxies know whose that was: a process in one of its lives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::proxy::Bearer;

/// Has the database note every change of a task, in the transaction that makes it.
pub(crate) const SETUP: &str = "
create table torture_ledger (
    id bigint generated always as identity primary key,
    tx bigint not null, began bigint not null, at bigint not null, port bigint, said_now bigint not null,
    task bigint not null, what text not null,
    was text not null, is_now text not null,
    was_token bigint not null, token bigint not null,
    was_due bigint not null, due bigint not null,
    failures bigint not null, losses bigint not null, code text
);
create function torture_note() returns trigger language plpgsql as $$
begin
    insert into torture_ledger (tx, began, at, port, said_now, task, what, was, is_now, was_token, token, was_due, due,
        failures, losses, code)
    values (txid_current(), cast(extract(epoch from now()) * 1000 as bigint),
        cast(extract(epoch from clock_timestamp()) * 1000 as bigint), inet_client_port(),
        new.updated_at, new.id, new.kind, old.state, new.state, old.token, new.token, old.due_at, new.due_at,
        new.failures - old.failures, new.losses - old.losses, new.code);
    return null;
end $$;
create trigger torture after update on tasks for each row execute function torture_note();
";

/// Reads the ledger: what [`Entry::read`] takes, a line each.
pub(crate) const ALL: &str = "
select tx, at, coalesce(port, 0), said_now, task, what, was, is_now, was_token, token, was_due, due, failures, losses,
    coalesce(code, ''), began from torture_ledger order by id";

/// A change of a task. Times are in milliseconds since 1970, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    tx: i64,
    /// When the transaction began and when the row was changed, as the database told the ledger; and the time between
    /// them that the product went by, as it wrote into the row. It may have been cut off before the change: the row was
    /// locked meanwhile.
    began: i64,
    at: i64,
    said_now: i64,
    /// Whose connection it was; `None` for a command by hand.
    pub(crate) by: Option<Bearer>,
    task: i64,
    what: String,
    was: String,
    is_now: String,
    was_token: i64,
    token: i64,
    was_due: i64,
    due: i64,
    failures: i64,
    losses: i64,
    code: String,
}

impl Entry {
    /// Reads a line of [`ALL`]; `whose` knows who had a port at a time.
    pub(crate) fn read(line: &str, whose: impl Fn(u16, i64) -> Option<Bearer>) -> Result<Self> {
        let fields: Vec<&str> = line.split('|').collect();
        let text = |n: usize| fields.get(n).copied().context("the ledger's line is too short");
        let number = |n: usize| -> Result<i64> {
            text(n)?.parse().with_context(|| format!("read the ledger's line `{line}`"))
        };
        let at = number(1)?;
        Ok(Self {
            tx: number(0)?,
            at,
            by: u16::try_from(number(2)?).ok().and_then(|port| whose(port, at)),
            said_now: number(3)?,
            task: number(4)?,
            what: text(5)?.to_owned(),
            was: text(6)?.to_owned(),
            is_now: text(7)?.to_owned(),
            was_token: number(8)?,
            token: number(9)?,
            was_due: number(10)?,
            due: number(11)?,
            failures: number(12)?,
            losses: number(13)?,
            code: text(14)?.to_owned(),
            began: number(15)?,
        })
    }

    /// Whether the lease was over when it was changed.
    fn had_run_out(&self) -> bool {
        self.was_due <= self.said_now
    }
}

/// What the ledger says in sum.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Claims, and results that were accepted.
    pub(crate) attempts: u64,
    pub(crate) results: u64,
    /// Leases that ran out and were claimed anew.
    pub(crate) lost: u64,
    /// Claims that were given back unused.
    pub(crate) given_back: u64,
    /// Tasks that the ledger has seen done, by a result or with the end of their title.
    done: BTreeSet<i64>,
    /// Failures that were reported, by code.
    pub(crate) failures: BTreeMap<String, u64>,
    /// What must not be, in sentences.
    pub(crate) wrong: Vec<String>,
}

impl Tally {
    /// What is missing of the tasks that are done: a ledger that was not kept has nothing wrong in it.
    pub(crate) fn unaccounted(&self, done: &[i64]) -> Option<String> {
        let unknown: Vec<i64> = done.iter().copied().filter(|t| !self.done.contains(t)).collect();
        match (done, &unknown[..]) {
            ([], _) => Some("no task is done".to_owned()),
            (_, []) => None,
            (_, [first, ..]) => Some(format!(
                "{} of {} tasks are done of which the ledger knows nothing, such as task {first}",
                unknown.len(),
                done.len(),
            )),
        }
    }
}

/// Goes through the ledger in its order.
pub(crate) fn judge(entries: &[Entry]) -> Tally {
    let mut tally = Tally::default();
    let mut holders: BTreeMap<i64, Option<Bearer>> = BTreeMap::new();
    // Transactions in which somebody ended a task that was theirs: what they do beside it follows from that.
    let mut rightful = BTreeSet::new();
    let mut strangers = Vec::new();
    for entry in entries {
        let holder = holders.get(&entry.task).cloned().flatten();
        let is_holders = entry.by.is_some() && entry.by == holder;
        let wrong =
            |tally: &mut Tally, why: &str| tally.wrong.push(told(entry, holder.as_ref(), why));
        match (entry.was.as_str(), entry.is_now.as_str()) {
            (was, "leased") if entry.token != entry.was_token => {
                if entry.token < entry.was_token {
                    wrong(&mut tally, "a claim has an older token than the one before it");
                }
                if was == "leased" && !entry.had_run_out() {
                    wrong(&mut tally, "a task was claimed that somebody held");
                }
                if was != "leased" && was != "queued" {
                    wrong(&mut tally, "a task was claimed that was not in the queue");
                }
                tally.attempts += 1;
                tally.lost += u64::from(entry.losses > 0);
                holders.insert(entry.task, entry.by.clone());
            }
            ("leased", "leased") if !is_holders => {
                wrong(&mut tally, "a lease was renewed by another")
            }
            ("leased", "leased") if entry.had_run_out() => {
                wrong(&mut tally, "a lease was renewed that had run out");
            }
            ("leased", "leased") => {}
            ("leased", is_now) => {
                if is_holders && !entry.had_run_out() {
                    rightful.insert(entry.tx);
                } else {
                    strangers.push((entry, holder.clone()));
                }
                match is_now {
                    "done" => tally.results += 1,
                    "queued" if entry.failures == 0 => tally.given_back += 1,
                    _ => {}
                }
                holders.remove(&entry.task);
            }
            // A title that ended takes what is left of it along, and healing opens what was done.
            _ => {}
        }
        if entry.is_now == "done" && entry.was != "done" {
            tally.done.insert(entry.task);
        }
        if entry.failures > 0 {
            *tally.failures.entry(entry.code.clone()).or_default() += 1;
        }
        if entry.token != entry.was_token && entry.is_now != "leased" {
            wrong(&mut tally, "a token changed without a claim");
        }
        // By the database's clock and no other.
        let is_told = entry.by.is_some() && (entry.was != entry.is_now || entry.is_now == "leased");
        if is_told && !(entry.began..=entry.at).contains(&entry.said_now) {
            wrong(&mut tally, "a transaction had another time than the database");
        }
    }
    for (entry, holder) in strangers {
        let by_hand = entry.by.is_none() && entry.is_now == "cancelled";
        if !by_hand && !rightful.contains(&entry.tx) {
            let why = match entry.had_run_out() {
                true => "something was accepted under a lease that had run out",
                false => "something was accepted from another than the lease's holder",
            };
            tally.wrong.push(told(entry, holder.as_ref(), why));
        }
    }
    tally
}

/// A sentence about an entry.
fn told(entry: &Entry, holder: Option<&Bearer>, why: &str) -> String {
    let name = |bearer: Option<&Bearer>| match bearer {
        Some(bearer) => format!("{} (life {})", bearer.process, bearer.life),
        None => "somebody unknown".to_owned(),
    };
    let mut text = format!("{why}: {} (task {})", entry.what, entry.task);
    let _ = write!(
        text,
        " went from {} to {} under token {}, {} ms before its end, by {}; it was claimed by {}",
        entry.was,
        entry.is_now,
        entry.was_token,
        entry.was_due - entry.said_now,
        name(entry.by.as_ref()),
        name(holder),
    );
    text
}

#[cfg(test)]
mod tests;
