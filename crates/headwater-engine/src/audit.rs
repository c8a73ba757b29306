//! Keeps proving: compares what every origin lists with what the inventories say, for all titles or some, and notes what
//! is wrong (R5, R7). What nobody needs is reported and left alone.
//!
//! A long audit goes through the titles in key order, a group of them at a time and several groups at once; each group
//! is one run through a stretch of the origin's listing. Memory holds the groups under way and nothing else, whatever
//! the size of the library. After each group the place is kept, so that an audit that was stopped goes on from there.

use std::collections::BTreeSet;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use headwater_model::audit::{Content, Holding, Tally, is_sampled};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Tenant, TitleId};
use headwater_model::incident::{At, Look};
use headwater_model::inventory::Object;
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;
use headwater_ports::edge::Edge;
use headwater_ports::origin::{ObjectInfo, Origin, OriginError, ProofGrade};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::life::{Engine, Ports};
use crate::listing::{self, Verdict};
use crate::through_edge::{self, Lasts};
use crate::{mend, verify};

mod groups;
mod masters;
mod purse;
mod schedule;
mod stretch;

pub use purse::Budget;
pub use schedule::Schedule;

use groups::Groups;
use purse::Purse;
use stretch::Stretch;

/// Titles in a group. The last page of each group's stretch is asked for to its end, and what of it belongs to the next
/// group is asked for again there: one page in thirteen for titles of a thousand objects. Tests make fewer titles.
const GROUP: u32 = if cfg!(test) { 8 } else { 13 };

/// Groups under way on one origin: as many listings wait for it at once. Each has two titles in memory, and a page of the
/// listing, whatever else there is: by the size of an object here, some 90 MB for films of 18,000 objects.
const GROUPS: usize = 8;

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
    /// From where they are read.
    pub from: Source,
    /// Which objects these are differs from round to round.
    pub round: u64,
    /// Whether healing is queued for titles that need it.
    pub heals: bool,
    /// The most that each origin is asked and read.
    pub budget: Budget,
    /// Under which name the place is kept when the audit is stopped; `None` for one that starts over.
    pub checkpoint: Option<String>,
}

/// From where an audit reads objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the origin.
    Origin,
    /// From its edge, past the cache and as the cache has it. What the origin itself says is compared before. An origin
    /// without an edge is only listed.
    Edge,
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
    /// An audit that was stopped goes on: what it found until then was seen then.
    GoesOn {
        /// The origin.
        origin: String,
        /// When it was stopped, or a moment before.
        stopped: Timestamp,
        /// What it had seen.
        seen: Tally,
    },
    /// A group of titles is done.
    Progress(Tally),
}

/// What an audit of one origin came to.
#[derive(Debug)]
pub struct Audited {
    /// The origin's name.
    pub origin: String,
    /// The sum of what was looked at.
    pub tally: Tally,
    /// Why not all of it was, if so: the origin could not be listed.
    pub stopped: Option<OriginError>,
}

/// Why an audit of one origin ended early.
#[derive(Debug, Error)]
enum AuditError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Origin(#[from] OriginError),
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
    /// Audits origins, one after another, also when one of them cannot be listed. `tell` hears what is found; it must not
    /// block.
    pub async fn audit(
        &self,
        tenant: &Tenant,
        scope: &Scope,
        method: &Method,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Vec<Audited>, CatalogError> {
        let mut audited = Vec::new();
        for audits in self.audited() {
            let name = audits.origin().name();
            if !scope.origins.is_empty() && !scope.origins.iter().any(|o| o == name) {
                continue;
            }
            // An archive has no titles that could be looked at alone.
            if matches!(audits, Audits::Masters(_)) && !scope.titles.is_empty() {
                continue;
            }
            let purse = Purse::new(method.budget);
            audited
                .push(self.audit_one(tenant, audits, &scope.titles, method, &purse, tell).await?);
        }
        Ok(audited)
    }

    /// All that can be audited: the origins, and then the archive.
    fn audited(&self) -> Vec<Audits<'_>> {
        let stores = &self.ports().stores;
        let titles = stores.iter().map(|origin| Audits::Titles(&**origin));
        titles.chain(stores.archive().map(|archive| Audits::Masters(&**archive))).collect()
    }

    /// Audits one origin: these titles, or all when there are none.
    async fn audit_one(
        &self,
        tenant: &Tenant,
        audits: Audits<'_>,
        titles: &[TitleId],
        method: &Method,
        purse: &Purse,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Audited, CatalogError> {
        let ports = self.ports();
        let origin = audits.origin();
        let edge = ports.stores.edge_of(origin.name()).filter(|_| method.from == Source::Edge);
        let edge = edge.map(|edge| &**edge);
        let audit = Audit { ports, tenant, origin, edge, method, tell, purse };
        let mut tally = Tally::default();
        let done = match (audits, titles) {
            (Audits::Masters(_), _) => audit.masters(&mut tally).await,
            (Audits::Titles(_), []) => audit.everything(&mut tally).await,
            (Audits::Titles(_), titles) => audit.some(titles, &mut tally).await,
        };
        let stopped = match done {
            Ok(()) => None,
            Err(AuditError::Origin(error)) => Some(error),
            Err(AuditError::Catalog(error)) => return Err(error),
        };
        Ok(Audited { origin: origin.name().to_owned(), tally, stopped })
    }
}

/// What is audited.
#[derive(Clone, Copy)]
enum Audits<'a> {
    /// The titles on an origin.
    Titles(&'a dyn Origin),
    /// The masters in the archive.
    Masters(&'a dyn Origin),
}

impl<'a> Audits<'a> {
    fn origin(self) -> &'a dyn Origin {
        match self {
            Audits::Titles(origin) | Audits::Masters(origin) => origin,
        }
    }
}

/// Where the place of an audit of `origin` is kept whose checkpoint has this name.
fn place_of(checkpoint: &str, origin: &str) -> String {
    format!("{checkpoint}/{origin}")
}

/// An audit of one origin.
struct Audit<'a> {
    ports: &'a Ports,
    tenant: &'a Tenant,
    origin: &'a dyn Origin,
    /// Where objects are read from, when that is not the origin.
    edge: Option<&'a dyn Edge>,
    method: &'a Method,
    tell: &'a (dyn Fn(News) + Send + Sync),
    purse: &'a Purse,
}

/// A title with what the origin should have of it.
struct Wanted {
    holding: Holding,
    objects: Vec<Expected>,
    /// Versions whose objects are known from nowhere: what is listed of them is not judged.
    unknown: Vec<String>,
    /// Whether it is known what viewers need.
    whole: bool,
    findings: Vec<Finding>,
}

/// An object that the origin should have.
struct Expected {
    key: ObjectKey,
    object: Object,
    /// Viewers need it.
    live: bool,
    /// For how long caches may keep it.
    lasts: Lasts,
}

/// What came of looking at one object.
struct Looked {
    expected: Expected,
    /// Every byte was read, from wherever the audit reads.
    was_read: bool,
    /// Every byte was read from the origin.
    from_origin: bool,
    wrong: Option<FindingKind>,
}

impl<'a> Audit<'a> {
    /// All titles, and everything between them.
    async fn everything(&self, sum: &mut Tally) -> Result<(), AuditError> {
        let name = self.method.checkpoint.as_ref().map(|name| place_of(name, self.origin.name()));
        let mut place = Place::default();
        if let Some(name) = &name
            && let Some((kept, stopped)) = self.ports.catalog.checkpoint(name).await?
        {
            // A place that an older build wrote otherwise is as good as none.
            place = serde_json::from_str(&kept).unwrap_or_default();
            let (origin, seen) = (self.origin.name().to_owned(), place.tally);
            (self.tell)(News::GoesOn { origin, stopped, seen });
        }
        *sum = place.tally;
        let root = format!("{}/", self.tenant);
        let (mut after, mut all_begun) = (place.after.clone(), false);
        let catalog = &self.ports.catalog;
        let mut groups = Groups::new();
        loop {
            while !all_begun && groups.len() < GROUPS {
                let holdings = catalog.holdings(self.tenant, after.as_deref(), GROUP);
                let holdings = groups.beside(holdings).await?;
                all_begun = holdings.len() < GROUP as usize;
                // Behind the last title comes whatever nobody knows.
                let to = match holdings.last() {
                    Some(holding) if !all_begun => holding.prefix(),
                    _ => root.clone(),
                };
                let from = after.replace(to.clone());
                groups.begin(self.whole_group(&root, from, to, holdings));
            }
            let Some(done) = groups.next().await else { break };
            let (to, tally) = done?;
            sum.add(tally);
            // Behind the last group there is nothing to go on with.
            let is_last = to == root;
            place = Place { after: Some(to), tally: *sum };
            (self.tell)(News::Progress(*sum));
            if let Some(name) = &name {
                // What cannot be written down is only done twice.
                let text = serde_json::to_string(&place).unwrap_or_default();
                let text = Some(text.as_str()).filter(|_| !is_last);
                groups.beside(catalog.keep_checkpoint(name, text)).await?;
            }
        }
        Ok(())
    }

    /// These titles.
    async fn some(&self, titles: &[TitleId], sum: &mut Tally) -> Result<(), AuditError> {
        for title in titles {
            let Some(holding) = self.ports.catalog.holding(self.tenant, title).await? else {
                continue;
            };
            let prefix = holding.prefix();
            sum.add(self.group(&prefix, None, &prefix, vec![holding]).await?);
            (self.tell)(News::Progress(*sum));
        }
        Ok(())
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
            while let Some(stranger) = listing.next_if(|key| key < prefix.as_str()).await? {
                self.orphan(&stranger, &mut tally);
            }
            // The inventory of the next title is on its way while this one is listed.
            let compared = self.compare(wanted, &mut listing, &mut tally);
            let (compared, after) = join(compared, self.wanted(holdings.next())).await;
            compared?;
            next = after;
        }
        while let Some(stranger) = listing.next_if(|_| true).await? {
            self.orphan(&stranger, &mut tally);
        }
        Ok(tally)
    }

    /// What the origin should have of a title, if there is one.
    async fn wanted(&self, holding: Option<Holding>) -> Option<Wanted> {
        let (objects, unknown, findings) = (Vec::new(), Vec::new(), Vec::new());
        let mut wanted = Wanted { holding: holding?, objects, unknown, whole: false, findings };
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
                            let lasts = Lasts::AMoment;
                            wanted.objects.push(Expected { key, object, live, lasts });
                        }
                    }
                    let key = package.key(INVENTORY_NAME);
                    self.purse.pay(1, 0).await;
                    let found = mend::find_inventory(self.ports, &package, inventory).await;
                    let (found, own) = match found {
                        Ok(found) => found,
                        Err(nowhere) => {
                            wanted.unknown.push(package.prefix());
                            let here = nowhere.into_iter().filter(|_| live);
                            wanted.findings.extend(here.filter(|f| f.origin == self.origin.name()));
                            continue;
                        }
                    };
                    wanted.whole |= live;
                    self.purse.pay(0, own.bytes).await;
                    wanted.objects.reserve_exact(found.objects.len() + 1);
                    let found = found.objects.into_iter().map(|o| (package.key_of(&o), o));
                    for (key, object) in found.chain([(key, own)]) {
                        let lasts = Lasts::ForEver;
                        wanted.objects.push(Expected { key, object, live, lasts });
                    }
                }
            }
        }
        // A version that refers to an older one has objects in common with it.
        wanted.objects.sort_by(|a, b| (&a.key, !a.live).cmp(&(&b.key, !b.live)));
        wanted.objects.dedup_by(|later, first| later.key == first.key);
        Some(wanted)
    }

    /// Compares one title with the listing as it comes, and notes what is wrong with what viewers get of it.
    async fn compare(
        &self,
        title: Wanted,
        listing: &mut Stretch<'_, '_>,
        tally: &mut Tally,
    ) -> Result<(), AuditError> {
        tally.titles += 1;
        let Wanted { holding, objects, unknown, whole, mut findings } = title;
        let prefix = holding.prefix();
        let mut expected = objects.into_iter().peekable();
        let mut looks = Vec::new();
        while let Some(info) = listing.next_if(|key| key.starts_with(&prefix)).await? {
            while let Some(unlisted) = expected.next_if(|e| e.key < info.key) {
                looks.extend(self.needs_look(unlisted, Verdict::NotListed, tally));
            }
            if let Some(expected) = expected.next_if(|e| e.key == info.key) {
                let verdict = listing::judge(&expected.object, &info);
                looks.extend(self.needs_look(expected, verdict, tally));
            } else if !unknown.iter().any(|prefix| info.key.as_str().starts_with(prefix)) {
                self.orphan(&info, tally);
            }
        }
        for unlisted in expected {
            looks.extend(self.needs_look(unlisted, Verdict::NotListed, tally));
        }
        let looks = looks.into_iter().map(|(expected, verdict)| self.look(expected, verdict));
        let looked: Vec<_> = stream::iter(looks).buffered(LOOKS).boxed().collect().await;
        let is_troubled = self.is_troubled(&holding.title).await?;
        let mut read = BTreeSet::new();
        if is_troubled && self.reads_all() {
            read.insert(At::everything(self.origin.name()));
        }
        for Looked { expected, was_read, from_origin, wrong } in looked {
            tally.read += u64::from(was_read);
            if from_origin && (is_troubled || wrong.is_some()) {
                let (origin, object) = (self.origin.name().to_owned(), expected.key.to_string());
                read.insert(At { origin, object });
            }
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
            let look = Look { read, findings, ..self.closely(whole) };
            self.note(&package, look, is_troubled).await?;
        }
        Ok(())
    }

    /// Counts an object, and gives it back when the listing is not enough.
    fn needs_look(
        &self,
        expected: Expected,
        verdict: Verdict,
        tally: &mut Tally,
    ) -> Option<(Expected, Verdict)> {
        // What viewers do not get is known to be needed, and not looked at any closer.
        if !expected.live {
            return None;
        }
        tally.objects += 1;
        tally.bytes += expected.object.bytes;
        // Nearly all are done with here.
        (verdict != Verdict::Sound || self.samples(&expected)).then_some((expected, verdict))
    }

    /// Whether an object is among those that are read.
    fn samples(&self, expected: &Expected) -> bool {
        self.method.read > 0.0 && is_sampled(&expected.key, self.method.read, self.method.round)
    }

    /// Looks at one object as closely as is asked for.
    async fn look(&self, expected: Expected, verdict: Verdict) -> Looked {
        let sampled = self.samples(&expected);
        let read = sampled && self.method.from == Source::Origin;
        let told = match verdict {
            Verdict::NotListed => self.told(&expected).await,
            Verdict::Unsure if !read && self.origin.grade() != ProofGrade::C => {
                self.told(&expected).await
            }
            verdict => verdict,
        };
        let (was_read, wrong) = match told {
            Verdict::Wrong(kind) => (false, Some(kind)),
            Verdict::NotListed => (false, Some(FindingKind::Missing)),
            Verdict::Sound | Verdict::Unsure if !read => (false, None),
            Verdict::Sound | Verdict::Unsure | Verdict::Differs => {
                (true, self.read(&expected).await)
            }
        };
        let is_answered = wrong.as_ref().is_none_or(|kind| !kind.is_unanswered());
        let looked = Looked { expected, was_read, from_origin: was_read && is_answered, wrong };
        match self.edge.filter(|_| sampled) {
            Some(edge) => self.look_through(edge, looked).await,
            None => looked,
        }
    }

    async fn told(&self, expected: &Expected) -> Verdict {
        self.purse.pay(1, 0).await;
        verify::told(self.origin, &expected.key, &expected.object).await
    }

    async fn read(&self, expected: &Expected) -> Option<FindingKind> {
        self.purse.pay(1, expected.object.bytes).await;
        match self.origin.get(&expected.key, None).await {
            Ok(body) => verify::wrong_bytes_of(&expected.object, body).await,
            Err(error) => Some(verify::unreadable(&error)),
        }
    }

    /// Goes on through the edge, after it is known what is wrong on the origin.
    async fn look_through(&self, edge: &dyn Edge, looked: Looked) -> Looked {
        let Expected { key, object, lasts, .. } = &looked.expected;
        match &looked.wrong {
            None => {
                self.purse.pay(2, 2 * object.bytes).await;
                let wrong = through_edge::look(edge, key, object, *lasts).await;
                Looked { was_read: true, wrong, ..looked }
            }
            Some(kind) if kind.is_loss() => {
                self.purse.pay(1, object.bytes).await;
                let on_edge = through_edge::lost(edge, key, object, kind).await;
                Looked { wrong: on_edge.or(looked.wrong), ..looked }
            }
            Some(_) => looked,
        }
    }

    /// Whether every byte is read from the origin.
    fn reads_all(&self) -> bool {
        self.method.read >= 1.0 && self.method.from == Source::Origin
    }

    /// What a look at one title may close, when it is known what viewers need of it, or not.
    fn closely(&self, is_known: bool) -> Look {
        // Where the origin's word is no proof, only a look at every byte closes an incident.
        let proves = self.origin.grade() != ProofGrade::C || self.reads_all();
        let through_edge = self.edge.is_some() && self.method.read >= 1.0;
        let here = |looks: bool| match looks && is_known {
            true => vec![self.origin.name().to_owned()],
            false => Vec::new(),
        };
        Look { whole: here(proves), edges: here(through_edge), ..Look::default() }
    }

    /// Tells the catalog, and has the title healed when that is asked for.
    async fn note(
        &self,
        package: &PackageId,
        look: Look,
        is_troubled: bool,
    ) -> Result<(), AuditError> {
        let wrong = !look.findings.is_empty();
        if !wrong && !is_troubled {
            return Ok(());
        }
        self.ports.catalog.note(package, &look).await?;
        if wrong && self.method.heals {
            self.ports.catalog.heal(package).await?;
        }
        Ok(())
    }

    /// Whether a title has open incidents, which a look without findings may close.
    async fn is_troubled(&self, title: &TitleId) -> Result<bool, CatalogError> {
        let open = self.ports.catalog.incidents(self.tenant, Some(title), false, 1).await?;
        Ok(!open.is_empty())
    }

    fn orphan(&self, info: &ObjectInfo, tally: &mut Tally) {
        tally.orphans += 1;
        tally.orphan_bytes += info.bytes;
        let origin = self.origin.name().to_owned();
        (self.tell)(News::Orphan { origin, key: info.key.clone(), bytes: info.bytes });
    }

    fn finding(&self, key: &ObjectKey, kind: FindingKind) -> Finding {
        finding_on(self.origin, key.to_string(), kind)
    }
}

fn finding_on(origin: &dyn Origin, object: String, kind: FindingKind) -> Finding {
    Finding { origin: origin.name().to_owned(), object, kind }
}

#[cfg(test)]
mod tests;
