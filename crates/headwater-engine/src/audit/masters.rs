//! Audits the archive: compares what it lists with the copies of masters that it should have. Nothing is read, since what
//! is archived may be cold; the bytes were proven when they were stored, and their ETags have to stay what they were.

use headwater_model::archive::{
    Archiving, Expected, MasterRecord, Word, judge, key_of, prefix, prefix_of,
};
use headwater_model::audit::Tally;
use headwater_model::finding::FindingKind;
use headwater_model::incident::Look;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::ObjectInfo;

use super::{Audit, AuditError, News, Stretch};
use crate::archive::{close, told, unanswered};

/// Masters whose copies are compared at once: as many as a page of a listing has.
const MASTERS: u32 = 1000;

impl Audit<'_> {
    /// All copies of masters, and everything beside them. An archive that cannot be listed is a finding: it keeps nobody
    /// from hearing about the others.
    pub(super) async fn masters(&self, tally: &mut Tally) -> Result<(), AuditError> {
        match self.masters_listed(tally).await {
            Err(AuditError::Origin(error)) => {
                let kind = unanswered(&error);
                let finding = super::finding_on(self.origin, prefix(self.tenant), kind);
                tally.findings += 1;
                (self.tell)(News::Finding(finding));
            }
            done => done?,
        }
        (self.tell)(News::Progress(*tally));
        Ok(())
    }

    async fn masters_listed(&self, tally: &mut Tally) -> Result<(), AuditError> {
        let root = prefix(self.tenant);
        let mut listing = Stretch::new(self, &root, None, &root);
        let mut after = None;
        loop {
            let masters = self.ports.catalog.masters(self.tenant, after, MASTERS).await?;
            let Some(last) = masters.last() else { break };
            after = Some(last.sha256);
            for master in masters {
                let prefix = prefix_of(self.tenant, master.sha256);
                while let Some(stranger) = listing.next_if(|key| key < prefix.as_str()).await? {
                    self.orphan(&stranger, tally);
                }
                self.compare_master(master, &prefix, &mut listing, tally).await?;
            }
        }
        while let Some(stranger) = listing.next_if(|_| true).await? {
            self.orphan(&stranger, tally);
        }
        Ok(())
    }

    /// Compares one master with what is listed of it: what has this `prefix`.
    async fn compare_master(
        &self,
        master: MasterRecord,
        prefix: &str,
        listing: &mut Stretch<'_, '_>,
        tally: &mut Tally,
    ) -> Result<(), AuditError> {
        // What is being stored is judged when it is there.
        let is_under_way = matches!(master.archiving, Archiving::UnderWay(_));
        let copy = master.copy_on(self.origin.name()).map(|(copy, _)| copy);
        let key = copy.map(|copy| copy.key.clone());
        let key = key.or_else(|| key_of(self.tenant, master.sha256, &master.path));
        let mut found = None;
        while let Some(info) = listing.next_if(|key| key.starts_with(prefix)).await? {
            match &key {
                Some(key) if info.key == *key => found = Some(info),
                Some(_) if !is_under_way => self.orphan(&info, tally),
                _ => {}
            }
        }
        let Some(key) = key.filter(|_| !is_under_way) else { return Ok(()) };
        tally.objects += 1;
        let wrong = match copy {
            Some(copy) => {
                tally.bytes += copy.bytes;
                let expected = Expected {
                    bytes: copy.bytes,
                    sha256: copy.sha256,
                    etag: copy.etag.clone(),
                    // A rule of the bucket may have moved it to another class since.
                    storage_class: None,
                };
                self.judge_copy(&key, &expected, found).await
            }
            // Never copied, or to another archive; what lies there was not proven.
            None => Some(FindingKind::Missing),
        };
        match (wrong, &master.package) {
            (None, _) => {
                let (catalog, archive) = (&*self.ports.catalog, self.origin.name());
                let open = catalog.incidents_of(self.tenant, archive, key.as_str()).await?;
                // What was found by reading is not over because a listing looks right.
                if !open.is_empty() && !open.iter().any(|incident| incident.found.by_reading) {
                    close(catalog, self.tenant, archive, &key, false, None).await?;
                }
            }
            (Some(kind), package) => {
                let finding = self.finding(&key, kind);
                tally.findings += 1;
                (self.tell)(News::Finding(finding.clone()));
                // A copy that no package is left of cannot be sent again by anybody.
                if let Some(package) = package {
                    let look = Look { findings: vec![finding], ..Look::default() };
                    self.ports.catalog.note(package, &look).await?;
                    if self.method.heals {
                        self.ports.catalog.archive(package).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What is wrong with a copy, by the listing and, where that says something is, by asking for the object.
    async fn judge_copy(
        &self,
        key: &ObjectKey,
        expected: &Expected,
        listed: Option<ObjectInfo>,
    ) -> Option<FindingKind> {
        if let Some(info) = listed
            && !matches!(judge(expected, &told(&info)), Word::Contradicts(_))
        {
            return None;
        }
        // Some origins list late.
        self.purse.pay(1, 0).await;
        match self.origin.head(key).await {
            Ok(Some(info)) => match judge(expected, &told(&info)) {
                Word::Contradicts(kind) => Some(kind),
                Word::Proves | Word::SaysNothing => None,
            },
            Ok(None) => Some(FindingKind::Missing),
            Err(error) => Some(unanswered(&error)),
        }
    }
}
