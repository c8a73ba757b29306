//! Masters in the archive: copied and proven beside their titles, audited, and read back when their files are gone.

use std::sync::Mutex;

use bytes::Bytes;
use headwater_model::archive::{Archiving, MasterRecord};
use headwater_model::finding::FindingKind;
use headwater_model::id::Sha256;
use headwater_model::incident::{How, Incident};
use headwater_model::task::Remake;
use headwater_ports::transcoder::Part;
use headwater_testkit::digest;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::scripted_transcoder::Mishap;

use super::*;
use crate::audit::{Budget, Method, News, Scope, Source};
use crate::spool::Spool;

const FILM: &str = "a film";

/// A lab with an archive called `glacier`.
struct Vault {
    lab: Lab,
    glacier: Arc<MemoryOrigin>,
}

impl Vault {
    fn new() -> Self {
        Self::on(MemoryOrigin::new("glacier"))
    }

    fn on(glacier: MemoryOrigin) -> Self {
        Self { lab: Lab::new(), glacier: Arc::new(glacier.with_page(3)) }
    }

    fn engine(&self) -> Engine {
        self.engine_by(self.glacier.clone())
    }

    fn engine_by(&self, archive: Arc<dyn Origin>) -> Engine {
        let archive_name = Some("glacier".to_owned());
        let policy = Policy { archive: archive_name, ..Policy::of_one("lab") };
        let stores = Stores::new(&[self.lab.origin.clone(), archive], policy).unwrap();
        self.lab.engine_with(self.lab.catalog.clone(), stores)
    }

    /// Publishes a title of [`FILM`] whose master is archived, and deletes the master.
    async fn publish_and_delete(&self) -> PathBuf {
        let new = self.lab.title("film", FILM);
        self.engine().submit(&new).await.unwrap();
        self.work(&self.engine()).await;
        assert_eq!(self.lab.record("film").await.state.name(), "published");
        assert!(self.known().await.copy.is_some());
        fs::remove_file(&new.master_path).unwrap();
        new.master_path.into()
    }

    /// Works until nothing of `film` is left to do, its archiving included.
    async fn work(&self, engine: &Engine) {
        let service = Service::start(engine);
        self.lab.wait("film", |record| record.state.is_final()).await;
        for version in 1..4 {
            while self.lab.catalog.is_busy(&package("film", version)).await.unwrap() {
                sleep(Duration::from_secs(1)).await;
            }
        }
        while matches!(self.find().await.map(|m| m.archiving), Some(Archiving::UnderWay(_))) {
            sleep(Duration::from_secs(1)).await;
        }
        service.stop().await;
    }

    async fn find(&self) -> Option<MasterRecord> {
        let sha256 = digest::sha256(FILM.as_bytes());
        self.lab.catalog.master(&Tenant::default(), sha256).await.unwrap()
    }

    async fn known(&self) -> MasterRecord {
        self.find().await.unwrap()
    }

    fn key(&self) -> ObjectKey {
        let sha256 = digest::sha256(FILM.as_bytes());
        ObjectKey::new(format!("main/masters/{sha256}.mp4")).unwrap()
    }

    fn copy(&self) -> Option<Bytes> {
        self.glacier.object(&self.key()).map(|(body, _)| body)
    }

    async fn heal(&self, engine: &Engine) {
        engine.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
        self.work(engine).await;
    }

    /// Audits everything; gives what was found on the archive, and the keys that nobody knows there.
    async fn audit(&self, heals: bool) -> (Vec<FindingKind>, Vec<String>) {
        let heard = Mutex::new((Vec::new(), Vec::new()));
        let tell = |news| {
            let mut heard = heard.lock().unwrap();
            match news {
                News::Finding(f) if f.origin == "glacier" => heard.0.push(f.kind),
                News::Orphan { origin, key, .. } if origin == "glacier" => {
                    heard.1.push(key.to_string());
                }
                _ => {}
            }
        };
        let method = Method {
            read: 0.0,
            from: Source::Origin,
            round: 0,
            heals,
            budget: Budget::NONE,
            checkpoint: None,
        };
        let tenant = Tenant::default();
        self.engine().audit(&tenant, &Scope::default(), &method, &tell).await.unwrap();
        heard.into_inner().unwrap()
    }

    async fn incidents(&self, closed_too: bool) -> Vec<Incident> {
        let all = self.lab.catalog.incidents(&Tenant::default(), None, closed_too, 100).await;
        all.unwrap().into_iter().filter(|i| i.finding.origin == "glacier").collect()
    }

    fn came_back(&self) -> Vec<String> {
        let folder = fs::read_dir(self.lab.folder.path().join("retrieved/w1"));
        let entries = folder.into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    }

    async fn last_line(&self) -> String {
        let history = self.lab.history("film").await;
        history.lines().last().unwrap_or_default().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_master_is_archived_with_proof_beside_its_title() {
    let vault = Vault::on(MemoryOrigin::new("glacier").with_storage_class("DEEP_ARCHIVE"));
    let new = vault.lab.title("film", FILM);
    vault.engine().submit(&new).await.unwrap();
    vault.work(&vault.engine()).await;
    assert_eq!(vault.lab.record("film").await.state.name(), "published");
    assert_eq!(vault.copy().unwrap(), FILM);
    let (_, cache_control) = vault.glacier.object(&vault.key()).unwrap();
    assert_eq!(cache_control, "private, no-store");
    let known = vault.known().await;
    let (copy, proven) = known.copy_on("glacier").unwrap();
    assert_eq!((copy.bytes, copy.storage_class.as_deref()), (6, Some("DEEP_ARCHIVE")));
    assert!(proven.is_some());
    assert_eq!(fs::read(&new.master_path).unwrap(), FILM.as_bytes(), "masters are sacred");
    assert_eq!(vault.glacier.keys(), [vault.key().to_string()], "and no packages");
    assert_eq!(vault.audit(false).await, (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_away_keeps_no_title_from_viewers() {
    let vault = Vault::new();
    let away = Flaky::new(vault.glacier.clone(), vec![Fail::FirstPuts(20)]);
    let engine = vault.engine_by(Arc::new(away));
    engine.submit(&vault.lab.title("film", FILM)).await.unwrap();
    let service = Service::start(&engine);
    vault.lab.wait("film", |record| record.state.is_final()).await;
    assert!(vault.known().await.copy.is_none(), "it is still away");
    vault.lab.wait_for(|history| history.contains("master archived: origin glacier")).await;
    service.stop().await;
    let history = vault.lab.history("film").await;
    let place = |text: &str| history.find(text).unwrap_or_else(|| panic!("{text}:\n{history}"));
    assert!(place("published as v1") < place("master archived"), "{history}");
    let tried = "archive failed (attempt 1), next try in 2.";
    assert!(place(tried) < place("archive failed (attempt 20)"), "{history}");
    assert_eq!(vault.copy().unwrap(), FILM);
}

#[tokio::test(start_paused = true)]
async fn what_the_archive_acknowledges_and_forgets_is_not_archived() {
    let vault = Vault::new();
    let lies = vec![Fail::DropPuts { containing: "masters" }];
    let engine = vault.engine_by(Arc::new(Flaky::new(vault.glacier.clone(), lies)));
    engine.submit(&vault.lab.title("film", FILM)).await.unwrap();
    vault.work(&engine).await;
    let known = vault.known().await;
    assert_eq!(known.copy, None);
    let Archiving::GivenUp(why) = known.archiving else { panic!("{:?}", known.archiving) };
    assert!(why.message.ends_with("on origin glacier is missing"), "{why}");
    assert_eq!(vault.lab.record("film").await.state.name(), "published");
    let told = vault.incidents(false).await;
    assert_eq!((told.len(), &told[0].finding.kind), (1, &FindingKind::Missing));
    // It keeps its word from now on, and somebody asks.
    vault.heal(&vault.engine()).await;
    assert_eq!(vault.copy().unwrap(), FILM);
    assert_eq!(vault.incidents(false).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_master_of_two_titles_is_sent_once() {
    let vault = Vault::new();
    let engine = vault.engine();
    engine.submit(&vault.lab.title("film", FILM)).await.unwrap();
    vault.work(&engine).await;
    let mut other = vault.lab.title("other", FILM);
    other.again = true;
    engine.submit(&other).await.unwrap();
    vault.lab.work(&engine, "other").await;
    vault.work(&engine).await;
    assert_eq!(vault.glacier.stored(), [vault.key().to_string()]);
    assert!(vault.lab.history("other").await.contains("master archived: origin glacier"));
}

#[tokio::test(start_paused = true)]
async fn what_the_archive_loses_is_found_and_sent_again_while_the_master_is_there() {
    type Deed = fn(&MemoryOrigin, &ObjectKey);
    let deeds: [(&str, Deed); 4] = [
        ("missing", MemoryOrigin::remove),
        ("empty", MemoryOrigin::empty),
        ("truncated", |origin, key| origin.truncate(key, 3)),
        ("other-etag", MemoryOrigin::alter),
    ];
    for (name, damage) in deeds {
        let vault = Vault::new();
        vault.engine().submit(&vault.lab.title("film", FILM)).await.unwrap();
        vault.work(&vault.engine()).await;
        damage(&vault.glacier, &vault.key());
        let (found, orphans) = vault.audit(true).await;
        let finding = serde_json::to_value(&found[0]).unwrap();
        assert_eq!((found.len(), orphans.len(), &finding["finding"]), (1, 0, &name.into()));
        let open = vault.incidents(false).await;
        assert_eq!((open.len(), &open[0].package), (1, &package("film", 1)), "{name}");
        vault.work(&vault.engine()).await;
        assert_eq!(vault.copy().unwrap(), FILM, "{name}");
        let closed = vault.incidents(true).await;
        assert_eq!(closed[0].mended, Some(How::SentAgain), "{name}");
        assert!(closed[0].closed.is_some(), "{name}");
        assert_eq!(vault.audit(true).await, (vec![], vec![]), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_comes_back_by_itself_closes_its_incident() {
    let vault = Vault::new();
    vault.publish_and_delete().await;
    vault.glacier.remove(&vault.key());
    assert_eq!(vault.audit(false).await.0, [FindingKind::Missing]);
    vault.glacier.put(digest::put(vault.key().as_str(), FILM)).await.unwrap();
    assert_eq!(vault.audit(false).await.0, []);
    assert_eq!(vault.incidents(false).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_lost_copy_of_a_master_that_is_gone_is_said_and_stays_an_incident() {
    let vault = Vault::new();
    let master = vault.publish_and_delete().await;
    vault.glacier.remove(&vault.key());
    assert_eq!(vault.audit(true).await.0, [FindingKind::Missing]);
    vault.work(&vault.engine()).await;
    let said =
        "the master is not archived: master-gone: there is no file `FOLDER/film.mp4` any more";
    assert_eq!(vault.last_line().await, said);
    assert_eq!(vault.incidents(false).await.len(), 1);
    assert_eq!(vault.lab.record("film").await.state.name(), "published");
    // It turns up again.
    fs::write(&master, FILM).unwrap();
    vault.heal(&vault.engine()).await;
    assert_eq!((vault.copy().unwrap(), vault.incidents(false).await), (FILM.into(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_in_the_archive_is_reported_and_kept() {
    let vault = Vault::new();
    vault.engine().submit(&vault.lab.title("film", FILM)).await.unwrap();
    vault.work(&vault.engine()).await;
    let strange = [
        format!("main/masters/{}.mov", Sha256([0; 32])),
        format!("{}.old", vault.key()),
        format!("main/masters/{}.mov", Sha256([0xff; 32])),
        "main/masters/notes.txt".to_owned(),
    ];
    for key in &strange {
        vault.glacier.put(digest::put(key, "?")).await.unwrap();
    }
    let (found, orphans) = vault.audit(true).await;
    assert_eq!((found, &orphans), (vec![], &strange.to_vec()));
    assert_eq!(vault.glacier.keys().len(), 5, "nothing is deleted");
}

#[tokio::test(start_paused = true)]
async fn titles_from_before_there_was_an_archive_are_archived_by_the_audit() {
    let vault = Vault::new();
    vault.lab.make(&vault.lab.title("film", FILM)).await;
    assert_eq!(vault.glacier.keys(), [""; 0]);
    assert_eq!(vault.audit(false).await.0, [FindingKind::Missing], "said, and nothing done");
    vault.work(&vault.engine()).await;
    assert_eq!(vault.copy(), None);
    vault.audit(true).await;
    vault.work(&vault.engine()).await;
    assert_eq!((vault.copy().unwrap(), vault.incidents(false).await), (FILM.into(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_cannot_be_listed_is_a_finding_and_no_end_of_the_audit() {
    let vault = Vault::new();
    vault.publish_and_delete().await;
    let engine = vault.engine_by(Arc::new(Flaky::new(vault.glacier.clone(), vec![Fail::Lists])));
    let heard = Mutex::new(Vec::new());
    let tell = |news| {
        if let News::Finding(finding) = news {
            heard.lock().unwrap().push(finding.to_string());
        }
    };
    let method = Method {
        read: 0.0,
        from: Source::Origin,
        round: 0,
        heals: true,
        budget: Budget::NONE,
        checkpoint: None,
    };
    let tenant = Tenant::default();
    let tallies = engine.audit(&tenant, &Scope::default(), &method, &tell).await.unwrap();
    assert_eq!(tallies.len(), 2);
    let said = heard.into_inner().unwrap();
    assert_eq!(
        said,
        ["`main/masters/` on origin glacier could not be asked about: refused on purpose"]
    );
    assert_eq!(vault.incidents(false).await, [], "nothing is known to be wrong");
}

#[tokio::test(start_paused = true)]
async fn a_lost_segment_is_made_again_from_the_archived_master() {
    let vault = Vault::new();
    vault.publish_and_delete().await;
    let lost = ["video-360p/seg-00001.m4s", "video-234p/seg-00003.m4s", "audio-en/seg-00002.m4s"];
    let at = |path: &&str| package("film", 1).key(path);
    let before: Vec<Bytes> =
        lost.iter().map(|p| vault.lab.origin.object(&at(p)).unwrap().0).collect();
    for path in &lost {
        vault.lab.origin.remove(&at(path));
    }
    let (reads, archive) = counting(&vault.glacier);
    vault.heal(&vault.engine_by(archive)).await;
    let after: Vec<Bytes> =
        lost.iter().map(|p| vault.lab.origin.object(&at(p)).unwrap().0).collect();
    assert_eq!(after, before, "byte for byte");
    assert!(vault.last_line().await.starts_with("healed:"));
    assert_eq!(reads.load(std::sync::atomic::Ordering::SeqCst), 1, "fetched once for all three");
    assert_eq!(vault.came_back(), [""; 0], "and not kept when nobody needs it");
}

/// The archive behind a counter of its reads.
fn counting(glacier: &Arc<MemoryOrigin>) -> (Arc<std::sync::atomic::AtomicU32>, Arc<dyn Origin>) {
    let gate = super::gated_origin::Gate::AfterPut("never", Box::new(|_| {}));
    let counted = super::gated_origin::GatedOrigin::new(glacier.clone(), gate);
    (counted.reads(), counted)
}

#[tokio::test(start_paused = true)]
async fn a_master_that_was_overwritten_is_made_again_from_what_was_archived() {
    let vault = Vault::new();
    let path = vault.publish_and_delete().await;
    fs::write(&path, "another film").unwrap();
    let key = package("film", 1).key("video-360p/seg-00001.m4s");
    let before = vault.lab.origin.object(&key).unwrap().0;
    vault.lab.origin.remove(&key);
    vault.heal(&vault.engine()).await;
    assert_eq!(vault.lab.origin.object(&key).unwrap().0, before);
    assert_eq!(fs::read(&path).unwrap(), b"another film", "which nobody touches");
}

#[tokio::test(start_paused = true)]
async fn what_viewers_get_is_healed_from_its_own_master_although_a_newer_version_had_another() {
    for upgraded in [false, true] {
        let vault = Vault::new();
        let path = vault.publish_and_delete().await;
        // A better master of the same title, under the same name, that does not get to viewers.
        fs::write(&path, "another film").unwrap();
        let lab = &vault.lab;
        for _ in 0..3 {
            lab.transcoder.goes_wrong(Part::Span(0), Mishap::CrashAfter(0));
        }
        vault.engine().submit(&lab.title_at("film", &path)).await.unwrap();
        vault.work(&vault.engine()).await;
        let record = lab.record("film").await;
        assert_eq!((record.state.name(), record.live), ("failed", Some(Version(1))));
        if upgraded {
            lab.transcoder.upgrade();
        }
        let key = package("film", 1).key("video-360p/seg-00001.m4s");
        let before = lab.origin.object(&key).unwrap().0;
        lab.origin.remove(&key);
        vault.heal(&vault.engine()).await;
        let (history, live) = (lab.history("film").await, lab.record("film").await.live);
        if upgraded {
            assert_eq!(live, Some(Version(3)), "{history}");
            let of = |version| async move {
                let record = lab.catalog.package(&package("film", version)).await.unwrap();
                record.unwrap().plan.unwrap().master
            };
            assert_eq!(of(3).await, of(1).await);
        } else {
            assert_eq!(live, Some(Version(1)), "{history}");
            assert_eq!(lab.origin.object(&key).unwrap().0, before);
        }
        assert_eq!(lab.found("film").await, [], "{history}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_title_is_made_again_from_the_archive_whole_or_in_part() {
    let vault = Vault::new();
    let path = vault.publish_and_delete().await;
    let remake = Remake {
        base: Version(1),
        renditions: vec!["video-360p".to_owned()],
        from_ms: None,
        to_ms: None,
        reason: None,
        heals: false,
    };
    for (version, remake) in [(2, None), (3, Some(remake))] {
        let new = NewTitle { again: true, remake, ..vault.lab.title_at("film", &path) };
        vault.engine().submit(&new).await.unwrap();
        vault.work(&vault.engine()).await;
        let record = vault.lab.record("film").await;
        assert_eq!((record.state.name(), record.live), ("published", Some(Version(version))));
    }
    assert_eq!(vault.glacier.stored().len(), 1, "it is archived already");
    assert_eq!(vault.came_back(), [""; 0]);
    // What is not made again has to be there.
    let new = vault.lab.title_at("film", &path);
    vault.engine().submit(&new).await.unwrap();
    vault.work(&vault.engine()).await;
    let told = vault.lab.told(&vault.lab.record("film").await);
    assert_eq!(told, "failed master-gone: there is no file `FOLDER/film.mp4` any more");
}

#[tokio::test(start_paused = true)]
async fn a_master_in_cold_storage_is_said_with_what_to_do() {
    let vault = Vault::on(MemoryOrigin::new("glacier").with_storage_class("GLACIER"));
    vault.publish_and_delete().await;
    let key = package("film", 1).key("video-360p/seg-00001.m4s");
    vault.lab.origin.remove(&key);
    vault.heal(&vault.engine()).await;
    let said = format!(
        "span 1 failed, viewers keep what they have: master-in-cold-storage: there is no file `FOLDER/film.mp4` any more; its copy is in cold storage: restore object `{}` of origin glacier at the provider, then `headwater heal film`",
        vault.key()
    );
    assert_eq!(vault.last_line().await, said);
    assert_eq!(vault.incidents(false).await, [], "the copy is fine");
    vault.glacier.thaw(&vault.key());
    vault.heal(&vault.engine()).await;
    assert!(vault.last_line().await.starts_with("healed:"));
    assert!(vault.lab.origin.object(&key).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_rotten_copy_is_not_used_and_only_a_new_one_ends_that() {
    let vault = Vault::new();
    let path = vault.publish_and_delete().await;
    vault.glacier.rot(&vault.key());
    vault.lab.origin.remove(&package("film", 1).key("video-360p/seg-00001.m4s"));
    vault.heal(&vault.engine()).await;
    let last = vault.last_line().await;
    assert!(last.contains("span 1 failed, viewers keep what they have: master-gone:"), "{last}");
    assert!(
        last.contains("its copy is lost too:") && last.contains("is altered: its SHA-256"),
        "{last}"
    );
    assert_eq!(vault.came_back(), [""; 0]);
    // The archive goes on saying that all is well.
    vault.audit(true).await;
    assert_eq!(vault.incidents(false).await.len(), 1);
    fs::write(&path, FILM).unwrap();
    vault.heal(&vault.engine()).await;
    assert_eq!((vault.copy().unwrap(), vault.incidents(false).await), (FILM.into(), vec![]));
}

/// A vault whose copy was found rotten by somebody who fetched it; the master is back by now.
async fn with_a_rotten_copy(glacier: MemoryOrigin) -> Vault {
    let vault = Vault::on(glacier);
    let path = vault.publish_and_delete().await;
    vault.glacier.rot(&vault.key());
    vault.glacier.thaw(&vault.key());
    vault.lab.origin.remove(&package("film", 1).key("video-360p/seg-00001.m4s"));
    vault.heal(&vault.engine()).await;
    fs::write(&path, FILM).unwrap();
    assert_eq!(vault.incidents(false).await.len(), 1);
    vault
}

#[tokio::test(start_paused = true)]
async fn a_rotten_copy_that_the_archive_keeps_in_spite_of_a_new_one_is_not_proven() {
    let vault = with_a_rotten_copy(MemoryOrigin::new("glacier")).await;
    let lies = vec![Fail::DropPuts { containing: "masters" }];
    vault.heal(&vault.engine_by(Arc::new(Flaky::new(vault.glacier.clone(), lies)))).await;
    let Archiving::GivenUp(why) = vault.known().await.archiving else { panic!("it is rotten") };
    assert!(why.message.contains("is altered: its SHA-256"), "{why}");
    assert_eq!(vault.incidents(false).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rotten_copy_in_cold_storage_is_proven_when_the_new_one_can_be_read() {
    let vault =
        with_a_rotten_copy(MemoryOrigin::new("glacier").with_storage_class("GLACIER")).await;
    vault.heal(&vault.engine()).await;
    let Archiving::GivenUp(why) = vault.known().await.archiving else { panic!("it is cold") };
    assert!(why.message.contains("restore it at the provider"), "{why}");
    assert_eq!((vault.copy().unwrap(), vault.incidents(false).await.len()), (FILM.into(), 1));
    let stored = vault.glacier.stored().len();
    vault.glacier.thaw(&vault.key());
    vault.heal(&vault.engine()).await;
    assert_eq!((vault.glacier.stored().len(), vault.incidents(false).await), (stored, vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_archive_whose_word_is_no_proof_is_read_back() {
    let vault = Vault::on(MemoryOrigin::new("glacier").with_grade(ProofGrade::C));
    let (reads, archive) = counting(&vault.glacier);
    let engine = vault.engine_by(archive);
    engine.submit(&vault.lab.title("film", FILM)).await.unwrap();
    vault.work(&engine).await;
    assert!(vault.known().await.copy_on("glacier").unwrap().1.is_some());
    assert_eq!(reads.load(std::sync::atomic::Ordering::SeqCst), 1);

    let cold = MemoryOrigin::new("glacier").with_grade(ProofGrade::C).with_storage_class("GLACIER");
    let vault = Vault::on(cold);
    vault.engine().submit(&vault.lab.title("film", FILM)).await.unwrap();
    vault.work(&vault.engine()).await;
    let Archiving::GivenUp(why) = vault.known().await.archiving else {
        panic!("it cannot be proven")
    };
    assert!(why.message.contains("its storage class keeps it from being read back"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_was_lost_finds_the_copies_again() {
    let mut vault = Vault::new();
    vault.publish_and_delete().await;
    vault.lab.catalog = Lab::new().catalog;
    let engine = vault.engine();
    let rebuilt = engine.rebuild(&Tenant::default(), "lab").await.unwrap();
    assert_eq!((rebuilt.titles, rebuilt.masters, &rebuilt.problems), (1, 1, &vec![]));
    let known = vault.known().await;
    let (copy, proven) = known.copy_on("glacier").unwrap();
    assert_eq!((&copy.key, copy.bytes, proven), (&vault.key(), 6, None));
    let key = package("film", 1).key("video-360p/seg-00001.m4s");
    let before = vault.lab.origin.object(&key).unwrap().0;
    vault.lab.origin.remove(&key);
    vault.heal(&engine).await;
    assert_eq!(vault.lab.origin.object(&key).unwrap().0, before, "from the copy");
}

#[tokio::test(start_paused = true)]
async fn a_kill_while_archiving_loses_nothing() {
    // Each operation that the archive is asked for, and a bit more.
    for n in 0..4 {
        let vault = Vault::new();
        let (gate, bell) = super::gated_origin::GatedOrigin::closing(vault.glacier.clone(), n);
        let engine = vault.engine_by(gate);
        engine.submit(&vault.lab.title("film", FILM)).await.unwrap();
        let service = Service::start(&engine);
        let _ = tokio::time::timeout(Duration::from_secs(600), bell.notified()).await;
        service.kill().await;
        vault.lab.catalog.end_all_leases().await.unwrap();
        vault.work(&vault.engine()).await;
        assert_eq!(vault.lab.record("film").await.state.name(), "published", "{n}");
        assert!(vault.known().await.copy_on("glacier").unwrap().1.is_some(), "{n}");
        assert_eq!(vault.copy().unwrap(), FILM, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn copies_that_a_killed_process_fetched_are_swept() {
    let vault = Vault::new();
    vault.publish_and_delete().await;
    let root = vault.lab.folder.path().join("retrieved");
    let left = vault.key().name().to_owned();
    // Of this process's name, of another, and of a release that had no folder for each.
    for folder in [root.join("w1"), root.join("w2"), root.clone()] {
        fs::create_dir_all(&folder).unwrap();
        for name in [left.as_str(), &format!("{left}.part"), "somebody's.mp4"] {
            fs::write(folder.join(name), "left").unwrap();
        }
    }
    let alive = Spool::take(&vault.lab.folder.path().join("spool"), "w3").await.unwrap();
    fs::create_dir(root.join("w3")).unwrap();
    fs::write(root.join("w3").join(&left), "in use").unwrap();
    vault.heal(&vault.engine()).await;
    assert_eq!(vault.came_back(), ["somebody's.mp4"]);
    let mut others: Vec<String> = Vec::new();
    for folder in ["", "w2", "w3"].map(|name| root.join(name)) {
        let files = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
        others.extend(files.filter(|p| p.is_file()).map(|p| p.display().to_string()));
    }
    let expected = ["somebody's.mp4".to_owned(), "w2/somebody's.mp4".into(), format!("w3/{left}")];
    assert_eq!(others, expected.map(|name| root.join(name).display().to_string()));
    drop(alive);
}
