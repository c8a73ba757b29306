//! Incidents and holdings of the memory catalog, and the healing of packages that viewers have.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::audit::{Content, Held, Holding, Standing};
use headwater_model::finding::Finding;
use headwater_model::history::Line;
use headwater_model::id::Version;
use headwater_model::incident::{How, Incident, Look, is_needed, is_of_title, told_together};
use headwater_model::key::PackageId;
use headwater_model::lane::{DEFAULT_POOL, Priority};
use headwater_model::life::Restored;
use headwater_model::plan::Plan;
use headwater_model::queue::{Replaced, replacement};
use headwater_model::refusal::Refusal;
use headwater_model::task::{NewTitle, Remake, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;

use super::{Package, State, Task, TaskState, Title, contradiction};

impl State {
    pub(in super::super) fn holding(&self, id: i64, title: &Title) -> Holding {
        let packages = self.packages.values().filter(|package| package.title == id);
        let mut versions: Vec<Held> = packages
            .map(|package| Held {
                version: package.id.version,
                content: match package.record.inventory {
                    Some(inventory) => {
                        Content::Sealed { inventory, pointers: package.record.pointers.clone() }
                    }
                    None if package.state.is_final() => Content::Nothing,
                    None => Content::InTheMaking,
                },
                standing: match (package.published, package.condemned) {
                    (_, true) => Standing::Condemned,
                    (true, false) => Standing::Published,
                    (false, false) => Standing::NeverPublished,
                },
            })
            .collect();
        versions.sort_by_key(|held| held.version);
        let (tenant, live, live_since) = (title.tenant.clone(), title.live, title.live_since);
        Holding { tenant, title: title.title.clone(), live, live_since, versions }
    }

    /// Opens `Heal` of a package that was published, unless something is done about it already.
    pub(in super::super) fn heal(&mut self, package: &PackageId, now: Timestamp) -> bool {
        let opened = self.open_idle(package, TaskKind::Heal, Line::HealQueued, now);
        if opened {
            let healed = self.packages.values_mut().filter(|p| &p.id == package);
            healed.for_each(|package| package.differs.clear());
        }
        opened
    }

    /// Ends the healing of a package: viewers keep what they have, and what was made once counts as made.
    pub(super) fn end_healing(
        &mut self,
        package: i64,
        kind: TaskKind,
        refusal: &Refusal,
        now: Timestamp,
    ) {
        self.close(package, now);
        self.package(package).reseal(false);
        let title = self.package(package).title;
        self.settle(title, now);
        self.record(title, now, Line::NotHealed { kind, refusal });
    }

    /// Takes for done whatever a package still has in the queue, but for `Archive`.
    pub(super) fn close(&mut self, package: i64, now: Timestamp) {
        for task in self.tasks_of(package).filter(|t| t.is_left()) {
            task.state = TaskState::Done { at: now };
        }
    }

    /// Ends the healing of a package and queues a version that takes its place; or says why not.
    pub(super) fn replace(
        &mut self,
        package: i64,
        kind: TaskKind,
        remake: &Remake,
        refusal: &Refusal,
        now: Timestamp,
    ) {
        let healed = &self.packages[&package];
        let title_id = healed.title;
        let title = &self.titles[&title_id];
        let newest = &self.packages[&title.newest];
        let of_title = self.packages.values().filter(|p| p.title == title_id);
        let mut remakes: Vec<(Version, Remake)> =
            of_title.filter_map(|p| Some((p.id.version, p.new.remake.clone()?))).collect();
        remakes.sort_by_key(|(version, _)| *version);
        let known = Replaced {
            live: title.live,
            newest: (newest.id.version, &newest.state),
            remakes: &remakes,
        };
        if let Err(why) = replacement(remake, known) {
            let refusal = Refusal::new(refusal.code, format!("{}, and {why}", refusal.message));
            return self.end_healing(package, kind, &refusal, now);
        }
        let new = NewTitle {
            again: true,
            remake: Some(remake.clone()),
            priority: None,
            ..healed.new.clone()
        };
        self.close(package, now);
        self.package(package).reseal(false);
        self.queue(title_id, self.next_version(title_id), &new, now);
    }

    /// Settles what is open of a title's versions that viewers do not get and that nobody is making.
    pub(super) fn settle(&mut self, title: i64, now: Timestamp) {
        let versions = || self.packages.values().filter(|p| p.title == title);
        let live = self.titles[&title].live;
        let Some(package) = versions().find(|p| Some(p.id.version) == live) else { return };
        let id = package.id.clone();
        let plans: BTreeMap<Version, Plan> =
            versions().filter_map(|p| Some((p.id.version, p.record.plan.clone()?))).collect();
        let others: BTreeSet<PackageId> =
            versions().filter(|p| p.id != id && p.state.is_final()).map(|p| p.id.clone()).collect();
        let (others, mut kept): (Vec<Incident>, Vec<Incident>) = self
            .incidents
            .drain(..)
            .partition(|i| i.closed.is_none() && others.contains(&i.package));
        for mut incident in others {
            let object = incident.finding.object.as_str();
            if !is_of_title(&id, object) {
                kept.push(incident);
            } else if is_needed(&id, &plans, object) {
                pass_on(&mut kept, incident, &id);
            } else {
                incident.closed = Some(now);
                incident.mended = Some(How::ReplacedBy { version: id.version });
                kept.push(incident);
            }
        }
        kept.sort_by_key(|incident| incident.id);
        self.incidents = kept;
    }

    /// The same with `Publish`.
    pub(in super::super) fn roll_back(&mut self, package: &PackageId, now: Timestamp) -> bool {
        let line = Line::RollbackQueued { to: package.version };
        self.open_idle(package, TaskKind::Publish, line, now)
    }

    fn open_idle(
        &mut self,
        package: &PackageId,
        kind: TaskKind,
        line: Line<'_>,
        now: Timestamp,
    ) -> bool {
        let can_be = |p: &Package| &p.id == package && p.is_healing() && !p.condemned;
        let found = self.packages.iter().find(|(_, p)| can_be(p));
        let Some((id, title)) = found.map(|(id, p)| (*id, p.title)) else { return false };
        if self.tasks_of(id).any(|t| t.is_open() && !t.kind.is_beside()) {
            return false;
        }
        self.start_over(id, kind, 0, now);
        self.record(title, now, line);
        true
    }

    /// Condemns versions of a title that is still as it was seen and of which nothing is in the queue.
    pub(in super::super) fn condemn(
        &mut self,
        seen: &Holding,
        versions: &[Version],
    ) -> Result<bool, CatalogError> {
        let Some(id) = self.title_id(&seen.tenant, &seen.title) else { return Ok(false) };
        let is_of_title = |t: &Task| self.packages[&t.package].title == id;
        let open = |t: &Task| t.is_open() && !t.kind.is_beside();
        if self.holding(id, &self.titles[&id]) != *seen
            || self.tasks.values().any(|t| open(t) && is_of_title(t))
        {
            return Ok(false);
        }
        let Title { newest, live, .. } = self.titles[&id];
        let is_needed = |version: &Version| {
            live == Some(*version) || self.packages[&newest].id.version == *version
        };
        if let Some(version) = versions.iter().find(|version| {
            is_needed(version) || self.find_package(&seen.package(**version)).is_none()
        }) {
            let why = format!("`{}` is needed or not known", seen.package(*version));
            return Err(contradiction("condemn versions", why));
        }
        let of_title = self.packages.values_mut().filter(|p| p.title == id);
        of_title
            .filter(|p| versions.contains(&p.id.version))
            .for_each(|package| package.condemned = true);
        Ok(true)
    }

    /// Forgets a package that was deleted.
    pub(in super::super) fn forget(
        &mut self,
        package: &PackageId,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let found = self.packages.iter().find(|(_, p)| &p.id == package);
        let found = found.filter(|(_, p)| p.condemned).map(|(id, p)| (*id, p.title));
        let Some((id, title)) = found else {
            let why = format!("`{package}` is not condemned or not known");
            return Err(contradiction("forget the package", why));
        };
        self.packages.remove(&id);
        self.tasks.retain(|_, task| task.package != id);
        let row = &self.titles[&title];
        let version = row.live.unwrap_or(self.packages[&row.newest].id.version);
        let heir = PackageId { version, ..package.clone() };
        let (gone, mut kept): (Vec<Incident>, Vec<Incident>) =
            self.incidents.drain(..).partition(|incident| &incident.package == package);
        for incident in gone {
            if incident.closed.is_none() && !is_of_title(package, &incident.finding.object) {
                pass_on(&mut kept, incident, &heir);
            }
        }
        kept.sort_by_key(|incident| incident.id);
        self.incidents = kept;
        self.record(title, now, Line::Collected { version: package.version });
        Ok(())
    }

    /// Takes over a title that is not known.
    pub(in super::super) fn restore(
        &mut self,
        restored: &Restored,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let Restored { tenant, title, live, packages } = restored;
        if self.title_id(tenant, title).is_some() || packages.is_empty() {
            return Err(contradiction("take over a title", format!("`{title}` is known")));
        }
        let title_id = self.next_id();
        let row = Title {
            tenant: tenant.clone(),
            title: title.clone(),
            newest: 0,
            live: *live,
            live_since: Some(now),
            priority: Priority::Normal,
            held: false,
            queued: now,
            events: vec![],
        };
        self.titles.insert(title_id, row);
        let mut newest = (Version(0), 0);
        for package in packages {
            let id = self.next_id();
            let version = package.package.version;
            let state = restored.state_of(version);
            self.packages.insert(
                id,
                Package {
                    title: title_id,
                    id: package.package.clone(),
                    published: state.refusal().is_none(),
                    condemned: false,
                    seen: BTreeMap::new(),
                    state,
                    new: NewTitle {
                        tenant: tenant.clone(),
                        title: title.clone(),
                        master_path: String::new(),
                        pipeline: package.pipeline.clone(),
                        pool: DEFAULT_POOL.to_owned(),
                        priority: None,
                        again: false,
                        remake: None,
                        reason: None,
                    },
                    facts: None,
                    master: Some(package.master),
                    record: package.record.clone(),
                    codecs: BTreeMap::new(),
                    objects: BTreeMap::new(),
                    last_words: None,
                    failed_last: None,
                    differs: BTreeSet::new(),
                    reseals: false,
                    sealed: None,
                    updated: now,
                },
            );
            newest = newest.max((version, id));
        }
        self.title(title_id).newest = newest.1;
        let origin = packages.iter().flat_map(|p| &p.record.proven_on).next();
        let origin = origin.map_or("unknown", String::as_str).to_owned();
        self.record(title_id, now, Line::Restored { origin: &origin, live: *live });
        Ok(())
    }

    pub(in super::super) fn is_busy(&self, package: &PackageId) -> bool {
        let id = self.packages.iter().find(|(_, p)| &p.id == package).map(|(id, _)| *id);
        let works = |t: &Task| Some(t.package) == id && t.is_open() && !t.kind.is_beside();
        self.tasks.values().any(works)
    }

    pub(in super::super) fn note(
        &mut self,
        package: &PackageId,
        look: &Look,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let Some((id, row)) = self.packages.iter().find(|(_, p)| &p.id == package) else {
            let why = format!("there is no package `{package}`");
            return Err(contradiction("note what was found", why));
        };
        let publishes = |t: &Task| t.package == *id && t.kind == TaskKind::Publish && t.is_open();
        let live = self.titles[&row.title].live;
        let points =
            live.is_none_or(|live| live == package.version) || self.tasks.values().any(publishes);
        // A look takes its time: the pointers may be those of a version published meanwhile.
        let is_pointer =
            |f: &&Finding| package.pointers().iter().any(|key| key.as_str() == f.object);
        let of_package = look.findings.iter().filter(|f| points || !is_pointer(f));
        let findings: Vec<Finding> = of_package.cloned().collect();
        let is_of = |i: &Incident, f: &Finding| {
            i.closed.is_none()
                && i.package == *package
                && (&i.finding.origin, &i.finding.object) == (&f.origin, &f.object)
        };
        let known: Vec<Incident> = self.incidents.clone();
        let is_open = |f: &Finding| known.iter().any(|i| is_of(i, f));
        for finding in told_together(package, &findings, is_open) {
            let open = self.incidents.iter_mut().find(|i| is_of(i, &finding));
            match open {
                Some(open) => {
                    open.finding = finding.clone();
                    open.found = open.found.and(look.found(&finding));
                    open.last_seen = now;
                }
                None => {
                    let id = self.next_id();
                    self.incidents.push(Incident {
                        id,
                        package: package.clone(),
                        finding: finding.clone(),
                        found: look.found(&finding),
                        first_seen: now,
                        last_seen: now,
                        mended: None,
                        closed: None,
                    });
                }
            }
        }
        let open = self.incidents.iter_mut().filter(|i| i.closed.is_none());
        for incident in open.filter(|i| i.package == *package) {
            let (origin, object) = (&incident.finding.origin, &incident.finding.object);
            if let Some(how) = look.mended(origin, object) {
                incident.mended = Some(how.clone());
            }
            incident.closed = look.closes(&incident.finding, incident.found).then_some(now);
        }
        Ok(())
    }
}

/// Makes an open incident one of another package. It may have been found of that package too: then the two are one.
fn pass_on(kept: &mut Vec<Incident>, mut incident: Incident, to: &PackageId) {
    let Finding { origin, object, .. } = &incident.finding;
    let same = kept.iter_mut().find(|i| {
        i.closed.is_none()
            && i.package == *to
            && (&i.finding.origin, &i.finding.object) == (origin, object)
    });
    match same {
        Some(same) => {
            same.first_seen = same.first_seen.min(incident.first_seen);
            same.found = same.found.and(incident.found);
        }
        None => {
            incident.package = to.clone();
            kept.push(incident);
        }
    }
}
