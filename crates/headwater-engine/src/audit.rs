//! Keeps proving: compares what every origin lists with what the inventories say, for all titles or some, and notes what
//! is wrong (R5, R7). What nobody needs is reported and left alone.
//!
//! A long audit goes through the titles in key order, a group of them at a time and several groups at once; each group
//! is one run through a stretch of the origin's listing. Memory holds the groups under way and nothing else, whatever
//! the size of the library. After each group the place is kept, so that an audit that was stopped goes on from there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{self, FuturesOrdered, StreamExt};
use headwater_model::audit::{Compared, Content, Holding, Tally, is_sampled, merge};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Tenant, TitleId};
use headwater_model::incident::Look;
use headwater_model::inventory::Object;
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_ports::catalog::CatalogError;
use headwater_ports::origin::{ObjectInfo, Origin, OriginError, OriginErrorKind, ProofGrade};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;
use tracing::warn;

use crate::life::{Engine, Ports};
use crate::listing::{self, Verdict};
use crate::{mend, verify};

/// Titles in a group. The last page of each group's stretch is asked for to its end, and what of it belongs to the next
/// group is asked for again there: one page in thirty for titles of a thousand objects.
const GROUP: u32 = 32;

/// Groups under way on one origin: as many listings wait for it at once. Each has two titles in memory, and what is
/// listed of one: some 30 MB for films of 18,000 objects.
const GROUPS: usize = 4;

/// Objects of a group that are asked about or read at once.
const LOOKS: usize = 8;

/// What an audit is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Titles; all when there are none.
    pub titles: Vec<TitleId>,
    /// Names of origins; all when there are none.
    pub origins: Vec<String>,
}

/// How an audit goes about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// The share of objects that are read to the last byte, 0 to 1. Of the others, what the origin says is compared.
    pub read: f64,
    /// Which objects these are differs from round to round.
    pub round: u64,
    /// Whether healing is queued for titles that need it.
    pub heals: bool,
    /// The most that each origin is asked and read.
    pub budget: Budget,
    /// Under which name the place is kept when the audit is stopped; `None` for one that starts over.
    pub checkpoint: Option<String>,
}

/// The most that one origin is asked and read in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests; `u32::MAX` is no limit.
    pub requests: u32,
    /// Bytes; `u64::MAX` is no limit.
    pub bytes: u64,
}

impl Budget {
    /// No limit.
    pub const NONE: Self = Self { requests: u32::MAX, bytes: u64::MAX };
}

/// What an audit tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something is wrong.
    Finding(Finding),
    /// An object that no inventory names.
    Orphan {
        /// The origin.
        origin: String,
        /// Its key.
        key: ObjectKey,
        /// Its size.
        bytes: u64,
    },
    /// A group of titles is done.
    Progress(Tally),
}

/// Why an audit ended early.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An origin could not be listed.
    #[error("origin {origin}: {source}")]
    Origin {
        /// Its name.
        origin: String,
        /// Why.
        source: OriginError,
    },
}

/// Where an audit of one origin stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    /// Everything up to here, prefix of a title, is done.
    after: Option<String>,
    /// What was found on the way.
    tally: Tally,
}

impl Engine {
    /// Audits origins and gives the sum for each, by name. `tell` hears what is found; it must not block.
    pub async fn audit(
        &self,
        tenant: &Tenant,
        scope: &Scope,
        method: &Method,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Vec<(String, Tally)>, AuditError> {
        let mut tallies = Vec::new();
        for origin in self.ports().stores.iter() {
            let wanted =
                scope.origins.is_empty() || scope.origins.iter().any(|o| o == origin.name());
            if wanted {
                let audit = Audit::new(self.ports(), tenant, &**origin, method, tell).await?;
                let tally = match scope.titles.as_slice() {
                    [] => audit.everything().await?,
                    titles => audit.some(titles).await?,
                };
                tallies.push((origin.name().to_owned(), tally));
            }
        }
        Ok(tallies)
    }
}

/// An audit of one origin.
struct Audit<'a> {
    ports: &'a Ports,
    tenant: &'a Tenant,
    origin: &'a dyn Origin,
    method: &'a Method,
    tell: &'a (dyn Fn(News) + Send + Sync),
    purse: Purse,
    /// Titles with open incidents: those that a look without findings may close.
    troubled: HashSet<TitleId>,
}

/// A title with what the origin should have of it.
struct Wanted {
    holding: Holding,
    objects: Vec<Expected>,
    /// Versions whose objects are known from nowhere: what is listed of them is not judged.
    unknown: Vec<String>,
    findings: Vec<Finding>,
}

/// An object that the origin should have.
struct Expected {
    key: ObjectKey,
    object: Object,
    /// Viewers need it.
    live: bool,
}

impl<'a> Audit<'a> {
    async fn new(
        ports: &'a Ports,
        tenant: &'a Tenant,
        origin: &'a dyn Origin,
        method: &'a Method,
        tell: &'a (dyn Fn(News) + Send + Sync),
    ) -> Result<Self, AuditError> {
        let open = ports.catalog.incidents(tenant, None, false, u32::MAX).await?;
        let troubled = open.into_iter().map(|incident| incident.package.title).collect();
        Ok(Self { ports, tenant, origin, method, tell, purse: Purse::new(method.budget), troubled })
    }

    /// All titles, and everything between them.
    async fn everything(&self) -> Result<Tally, AuditError> {
        let name =
            self.method.checkpoint.as_ref().map(|name| format!("{name}/{}", self.origin.name()));
        let mut place = Place::default();
        if let Some(name) = &name
            && let Some(kept) = self.ports.catalog.checkpoint(name).await?
        {
            // A place that an older build wrote otherwise is as good as none.
            place = serde_json::from_str(&kept).unwrap_or_default();
        }
        let root = format!("{}/", self.tenant);
        let (mut after, mut all_begun) = (place.after.clone(), false);
        let mut under_way = FuturesOrdered::new();
        loop {
            while !all_begun && under_way.len() < GROUPS {
                let holdings =
                    self.ports.catalog.holdings(self.tenant, after.as_deref(), GROUP).await?;
                all_begun = holdings.len() < GROUP as usize;
                // Behind the last title comes whatever nobody knows.
                let to = match holdings.last() {
                    Some(holding) if !all_begun => holding.prefix(),
                    _ => root.clone(),
                };
                under_way.push_back(self.whole_group(
                    &root,
                    after.replace(to.clone()),
                    to,
                    holdings,
                ));
            }
            let Some(done) = under_way.next().await else { break };
            let (to, tally) = done?;
            place.tally.add(tally);
            place.after = Some(to);
            (self.tell)(News::Progress(place.tally));
            if let Some(name) = &name {
                // What cannot be written down is only done twice.
                let text = serde_json::to_string(&place).unwrap_or_default();
                self.ports.catalog.keep_checkpoint(name, Some(&text)).await?;
            }
        }
        if let Some(name) = &name {
            self.ports.catalog.keep_checkpoint(name, None).await?;
        }
        Ok(place.tally)
    }

    /// These titles.
    async fn some(&self, titles: &[TitleId]) -> Result<Tally, AuditError> {
        let mut tally = Tally::default();
        for title in titles {
            let Some(holding) = self.ports.catalog.holding(self.tenant, title).await? else {
                continue;
            };
            let prefix = holding.prefix();
            tally.add(self.group(&prefix, None, &prefix, vec![holding]).await?);
            (self.tell)(News::Progress(tally));
        }
        Ok(tally)
    }

    /// [`Audit::group`], with where it ends.
    async fn whole_group(
        &self,
        root: &str,
        from: Option<String>,
        to: String,
        holdings: Vec<Holding>,
    ) -> Result<(String, Tally), AuditError> {
        let tally = self.group(root, from.as_deref(), &to, holdings).await?;
        Ok((to, tally))
    }

    /// One stretch of the listing, from behind `from` to `to`, and the titles in it.
    async fn group(
        &self,
        prefix: &str,
        from: Option<&str>,
        to: &str,
        holdings: Vec<Holding>,
    ) -> Result<Tally, AuditError> {
        let mut tally = Tally::default();
        let mut listing = Stretch::new(self, prefix, from, to);
        let mut holdings = holdings.into_iter();
        let mut next = self.wanted(holdings.next()).await;
        while let Some(wanted) = next.take() {
            let prefix = wanted.holding.prefix();
            for stranger in listing.before(&prefix).await? {
                self.orphan(&stranger, &mut tally);
            }
            // The inventory of the next title is on its way while this one is listed.
            let (listed, after) = join(listing.within(&prefix), self.wanted(holdings.next())).await;
            self.compare(wanted, listed?, &mut tally).await?;
            next = after;
        }
        for stranger in listing.rest().await? {
            self.orphan(&stranger, &mut tally);
        }
        Ok(tally)
    }

    /// What the origin should have of a title, if there is one.
    async fn wanted(&self, holding: Option<Holding>) -> Option<Wanted> {
        let (objects, unknown, findings) = (Vec::new(), Vec::new(), Vec::new());
        let mut wanted = Wanted { holding: holding?, objects, unknown, findings };
        for held in wanted.holding.versions.clone() {
            let package = wanted.holding.package(held.version);
            let live = wanted.holding.live == Some(held.version);
            match held.content {
                Content::Nothing => {}
                Content::InTheMaking => wanted.unknown.push(package.prefix()),
                Content::Sealed { inventory, pointers } => {
                    for object in pointers.into_iter().filter(|_| live) {
                        let mut keys = package.pointers().into_iter();
                        if let Some(key) = keys.find(|key| key.name() == object.path) {
                            wanted.objects.push(Expected { key, object, live });
                        }
                    }
                    let key = package.key(INVENTORY_NAME);
                    self.purse.pay(1, 0).await;
                    let found = mend::read_inventory_object(self.ports, &package, inventory).await;
                    let Some((found, own)) = found else {
                        wanted.unknown.push(package.prefix());
                        if live {
                            wanted.findings.push(self.finding(&key, FindingKind::Missing));
                        }
                        continue;
                    };
                    self.purse.pay(0, own.bytes).await;
                    wanted.objects.reserve_exact(found.objects.len() + 1);
                    let found = found.objects.into_iter().map(|o| (package.key_of(&o), o));
                    for (key, object) in found.chain([(key, own)]) {
                        wanted.objects.push(Expected { key, object, live });
                    }
                }
            }
        }
        // A version that refers to an older one has objects in common with it.
        wanted.objects.sort_by(|a, b| (&a.key, !a.live).cmp(&(&b.key, !b.live)));
        wanted.objects.dedup_by(|later, first| later.key == first.key);
        Some(wanted)
    }

    /// Compares one title and notes what is wrong with what viewers get of it.
    async fn compare(
        &self,
        title: Wanted,
        listed: Vec<ObjectInfo>,
        tally: &mut Tally,
    ) -> Result<(), AuditError> {
        tally.titles += 1;
        let Wanted { holding, objects, unknown, mut findings } = title;
        let mut looks = Vec::new();
        for compared in merge(objects, listed, |e| &e.key, |l| &l.key) {
            let (expected, verdict) = match compared {
                Compared::Both(expected, info) => {
                    let verdict = listing::judge(&expected.object, &info);
                    (expected, verdict)
                }
                Compared::Unlisted(expected) => (expected, Verdict::NotListed),
                Compared::Unexpected(info) => {
                    let is_unknown =
                        |prefix: &String| info.key.as_str().starts_with(prefix.as_str());
                    if !unknown.iter().any(is_unknown) {
                        self.orphan(&info, tally);
                    }
                    continue;
                }
            };
            // What viewers do not get is known to be needed, and not looked at any closer.
            if !expected.live {
                continue;
            }
            tally.objects += 1;
            tally.bytes += expected.object.bytes;
            // Nearly all are done with here.
            if verdict != Verdict::Sound || self.reads(&expected) {
                looks.push((expected, verdict));
            }
        }
        let looks = looks.into_iter().map(|(expected, verdict)| self.look(expected, verdict));
        let looked: Vec<_> = stream::iter(looks).buffered(LOOKS).boxed().collect().await;
        for (expected, was_read, wrong) in looked {
            tally.read += u64::from(was_read);
            if let Some(kind) = wrong {
                findings.push(self.finding(&expected.key, kind));
            }
        }
        tally.findings += findings.len() as u64;
        for finding in &findings {
            (self.tell)(News::Finding(finding.clone()));
        }
        if let Some(live) = holding.live {
            let package = holding.package(live);
            self.note(&package, findings).await?;
        }
        Ok(())
    }

    /// Whether an object is among those that are read.
    fn reads(&self, expected: &Expected) -> bool {
        self.method.read > 0.0 && is_sampled(&expected.key, self.method.read, self.method.round)
    }

    /// Looks at one object as closely as is asked for: whether it was read, and what is wrong with it.
    async fn look(
        &self,
        expected: Expected,
        verdict: Verdict,
    ) -> (Expected, bool, Option<FindingKind>) {
        let read = self.reads(&expected);
        let told = match verdict {
            Verdict::NotListed => {
                self.purse.pay(1, 0).await;
                verify::told(self.origin, &expected.key, &expected.object).await
            }
            Verdict::Unsure if !read && self.origin.grade() != ProofGrade::C => {
                self.purse.pay(1, 0).await;
                verify::told(self.origin, &expected.key, &expected.object).await
            }
            verdict => verdict,
        };
        match told {
            Verdict::Wrong(kind) => (expected, false, Some(kind)),
            Verdict::NotListed => (expected, false, Some(FindingKind::Missing)),
            Verdict::Sound | Verdict::Unsure if !read => (expected, false, None),
            Verdict::Sound | Verdict::Unsure | Verdict::Differs => {
                self.purse.pay(1, expected.object.bytes).await;
                let wrong = match self.origin.get(&expected.key, None).await {
                    Ok(body) => verify::wrong_bytes_of(&expected.object, body).await,
                    Err(error) if error.kind == OriginErrorKind::NotFound => {
                        Some(FindingKind::ListedButUnreadable { reason: error.source.to_string() })
                    }
                    Err(error) => {
                        Some(FindingKind::NotAnswered { reason: error.source.to_string() })
                    }
                };
                (expected, true, wrong)
            }
        }
    }

    /// Tells the catalog, and has the title healed when that is asked for.
    async fn note(&self, package: &PackageId, findings: Vec<Finding>) -> Result<(), AuditError> {
        if findings.is_empty() && !self.troubled.contains(&package.title) {
            return Ok(());
        }
        // Where the origin's word is no proof, only a look at every byte closes an incident.
        let proves = self.origin.grade() != ProofGrade::C || self.method.read >= 1.0;
        let whole = if proves { vec![self.origin.name().to_owned()] } else { Vec::new() };
        let wrong = !findings.is_empty();
        self.ports.catalog.note(package, &Look { whole, findings, mended: Vec::new() }).await?;
        if wrong && self.method.heals {
            self.ports.catalog.heal(package).await?;
        }
        Ok(())
    }

    fn orphan(&self, info: &ObjectInfo, tally: &mut Tally) {
        tally.orphans += 1;
        tally.orphan_bytes += info.bytes;
        let origin = self.origin.name().to_owned();
        (self.tell)(News::Orphan { origin, key: info.key.clone(), bytes: info.bytes });
    }

    fn finding(&self, key: &ObjectKey, kind: FindingKind) -> Finding {
        let (origin, object) = (self.origin.name().to_owned(), key.to_string());
        Finding { origin, object, kind }
    }
}

/// A stretch of an origin's listing, taken page by page.
struct Stretch<'s, 'a> {
    audit: &'s Audit<'a>,
    prefix: String,
    to: String,
    after: Option<ObjectKey>,
    page: std::vec::IntoIter<ObjectInfo>,
    ended: bool,
    peeked: Option<ObjectInfo>,
}

impl<'s, 'a> Stretch<'s, 'a> {
    /// The keys with `prefix` from behind the prefix `from` up to the end of the prefix `to`.
    fn new(audit: &'s Audit<'a>, prefix: &str, from: Option<&str>, to: &str) -> Self {
        Self {
            audit,
            prefix: prefix.to_owned(),
            to: last_of(to),
            after: from.map(last_of).and_then(ObjectKey::new),
            page: Vec::new().into_iter(),
            ended: false,
            peeked: None,
        }
    }

    /// Objects before those that start with `prefix`.
    async fn before(&mut self, prefix: &str) -> Result<Vec<ObjectInfo>, AuditError> {
        self.while_true(|key| key < prefix).await
    }

    /// Objects that start with `prefix`.
    async fn within(&mut self, prefix: &str) -> Result<Vec<ObjectInfo>, AuditError> {
        self.while_true(|key| key.starts_with(prefix)).await
    }

    /// What is left.
    async fn rest(&mut self) -> Result<Vec<ObjectInfo>, AuditError> {
        self.while_true(|_| true).await
    }

    async fn while_true(
        &mut self,
        is: impl Fn(&str) -> bool,
    ) -> Result<Vec<ObjectInfo>, AuditError> {
        let mut taken = Vec::new();
        while let Some(info) = self.next().await? {
            if !is(info.key.as_str()) {
                self.peeked = Some(info);
                break;
            }
            taken.push(info);
        }
        Ok(taken)
    }

    async fn next(&mut self) -> Result<Option<ObjectInfo>, AuditError> {
        loop {
            let next = self.peeked.take().or_else(|| self.page.next());
            if let Some(info) = next {
                if info.key.as_str() > self.to.as_str() {
                    self.ended = true;
                    self.page = Vec::new().into_iter();
                    return Ok(None);
                }
                return Ok(Some(info));
            }
            if self.ended {
                return Ok(None);
            }
            self.audit.purse.pay(1, 0).await;
            let origin = self.audit.origin;
            let page = origin.list(&self.prefix, self.after.as_ref()).await.map_err(|source| {
                AuditError::Origin { origin: origin.name().to_owned(), source }
            })?;
            self.ended = page.next.is_none();
            self.after = page.next;
            self.page = page.objects.into_iter();
        }
    }
}

/// The key right behind all that start with this prefix, which ends in `/`: `0` is the next character.
fn last_of(prefix: &str) -> String {
    format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix))
}

/// Spends a budget evenly: each payment waits until it is earned.
struct Purse {
    budget: Budget,
    /// When the next request, and the next byte, may start.
    next: Mutex<(Instant, Instant)>,
}

impl Purse {
    fn new(budget: Budget) -> Self {
        let now = Instant::now();
        Self { budget, next: Mutex::new((now, now)) }
    }

    async fn pay(&self, requests: u32, bytes: u64) {
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let (request, byte) = (next.0.max(now), next.1.max(now));
            if self.budget.requests != u32::MAX {
                let each = Duration::from_secs(1) / self.budget.requests.max(1);
                next.0 = request + each * requests;
            }
            if self.budget.bytes != u64::MAX {
                let seconds = bytes as f64 / self.budget.bytes.max(1) as f64;
                next.1 = byte + Duration::from_secs_f64(seconds);
            }
            request.max(byte) - now
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// Audits that go on by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Every object of every live title is listed once in this time.
    pub list: Duration,
    /// Every byte is read once in this time; never when there is none.
    pub read: Option<Duration>,
    /// The most that each origin is asked and read.
    pub budget: Budget,
    /// Whether what is found is put right at once.
    pub heals: bool,
}

/// How often the schedule looks whether something is due.
const TICK: Duration = Duration::from_secs(30);

impl Engine {
    /// Audits by `schedule` until `stop`. An audit that was interrupted goes on where it was.
    pub async fn audit_for_ever(
        &self,
        tenant: &Tenant,
        schedule: Schedule,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let rounds = [Some(("list", schedule.list, 0.0)), schedule.read.map(|r| ("read", r, 1.0))];
        loop {
            for (name, every, read) in rounds.iter().flatten() {
                let due = self.round(tenant, name, *every, *read, schedule, &*now_ms);
                tokio::select! {
                    () = stop.cancelled() => return,
                    done = due => if let Err(error) = done {
                        warn!(%error, "an audit stopped early; it goes on later");
                    },
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Does a round that is due, or goes on with one that was interrupted.
    async fn round(
        &self,
        tenant: &Tenant,
        name: &str,
        every: Duration,
        read: f64,
        schedule: Schedule,
        now_ms: &(dyn Fn() -> i64 + Send + Sync),
    ) -> Result<(), AuditError> {
        let catalog = &self.ports().catalog;
        let (key, now) = (format!("audit/{name}/{tenant}"), now_ms());
        let kept = catalog.checkpoint(&key).await?;
        let (began, done) = kept.as_deref().and_then(began_and_done).unwrap_or((now, false));
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let begins = match (&kept, done) {
            (None, _) => now,
            (Some(_), false) => began,
            (Some(_), true) if began.saturating_add(every) <= now => now,
            (Some(_), true) => return Ok(()),
        };
        catalog.keep_checkpoint(&key, Some(&format!("{begins} under way"))).await?;
        let method = Method {
            read,
            round: 0,
            heals: schedule.heals,
            budget: schedule.budget,
            checkpoint: Some(format!("{key}/place")),
        };
        let tallies = self.audit(tenant, &Scope::default(), &method, &|_| {}).await?;
        for (origin, tally) in tallies {
            tracing::info!(origin, round = name, ?tally, "audited");
        }
        catalog.keep_checkpoint(&key, Some(&format!("{begins} done"))).await?;
        Ok(())
    }
}

/// Reads back what [`Engine::round`] has written down.
fn began_and_done(text: &str) -> Option<(i64, bool)> {
    let (began, state) = text.split_once(' ')?;
    Some((began.parse().ok()?, state == "done"))
}

#[cfg(test)]
mod tests;
