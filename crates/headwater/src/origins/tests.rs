//! What is known of origins, and who goes by it.

use std::sync::atomic::{AtomicI64, Ordering};

use headwater_catalog::SqliteCatalog;
use headwater_lying_origin::{Call, Lie, LyingOrigin, Manners, What};
use headwater_model::time::Timestamp;
use headwater_origin::Credentials;

use super::*;

/// A clock that is set.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    server: LyingOrigin,
    catalog: SqliteCatalog,
    clock: Arc<Hands>,
    configured: config::Origin,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let server = LyingOrigin::start(Manners::default()).await.unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_767_225_600_000)));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.db");
        let catalog = SqliteCatalog::open(&file, clock.clone()).await.unwrap();
        let settings = S3Settings {
            name: "lab".to_owned(),
            bucket: server.manners().bucket.clone(),
            prefix: String::new(),
            endpoint: Some(server.endpoint()),
            region: Some(server.manners().region.clone()),
            path_style: true,
            storage_class: None,
            public_url: None,
            credentials: Some(Credentials {
                access_key: LyingOrigin::ACCESS_KEY.to_owned(),
                secret_key: LyingOrigin::SECRET_KEY.to_owned(),
                session_token: None,
            }),
        };
        let kind = OriginKind::S3(settings);
        let configured = config::Origin { name: "lab".to_owned(), kind, edge: None };
        Self { catalog, server, clock, configured, _folder: folder }
    }

    async fn open(&self) -> Opened {
        Opened::open(&self.configured, &self.catalog).await.unwrap()
    }

    fn a_week_passes(&self) {
        let week = i64::try_from(PROFILE_LASTS.as_millis()).unwrap();
        self.clock.0.fetch_add(week, Ordering::Relaxed);
    }

    /// Whatever a probe asks with this in its key finds no space.
    fn is_full_for(&self, containing: &str) {
        let containing = containing.to_owned();
        self.server.lie(Lie { what: What::Full, containing, times: None });
    }
}

#[tokio::test]
async fn a_running_process_goes_by_what_another_one_found() {
    let world = World::new().await;
    let opened = world.open().await;
    opened.check(true, &world.catalog, &*world.clock).await.unwrap();
    assert_eq!(opened.origin().grade(), ProofGrade::A);

    // `headwater origin test` finds that the vendor enforces nothing any more.
    let Opened::S3(origin) = &opened else { panic!("it is S3") };
    let found = (origin.name(), identity(origin.settings()), Profile::default());
    world.catalog.keep_profile(found.0, &found.1, &found.2).await.unwrap();
    let calls = world.server.calls(Call::Put);
    opened.keep_up(&world.catalog, &*world.clock).await.unwrap();
    assert_eq!(opened.origin().grade(), ProofGrade::C);
    assert_eq!(world.server.calls(Call::Put), calls, "the origin was not asked");
}

#[tokio::test]
async fn an_old_profile_holds_as_long_as_there_is_no_newer_one() {
    let world = World::new().await;
    world.open().await.check(true, &world.catalog, &*world.clock).await.unwrap();
    world.a_week_passes();
    world.is_full_for("wrong-md5");
    let opened = world.open().await;
    opened.check(true, &world.catalog, &*world.clock).await.unwrap();
    assert_eq!(opened.origin().grade(), ProofGrade::A);
    world.server.be_honest();
    let calls = world.server.calls(Call::Put);
    opened.keep_up(&world.catalog, &*world.clock).await.unwrap();
    assert!(world.server.calls(Call::Put) > calls, "it is still old, and asked about again");
}

#[tokio::test]
async fn an_origin_of_which_nothing_is_known_has_to_be_probed() {
    let world = World::new().await;
    world.is_full_for("wrong-md5");
    let error = world.open().await.check(true, &world.catalog, &*world.clock).await.unwrap_err();
    let says = error.to_string();
    assert!(says.starts_with("origin lab: there is no space left in the bucket `media` (507"));
    assert!(says.ends_with("\nhint: free some space, or raise the quota"), "{says}");
}

/// It can be read still, titles can be deleted from it, and what is made for it waits.
#[tokio::test]
async fn an_origin_that_is_full_can_be_worked_with() {
    let world = World::new().await;
    world.is_full_for("");
    for stores in [true, false] {
        let opened = world.open().await;
        opened.check(stores, &world.catalog, &*world.clock).await.unwrap();
        assert_eq!(opened.origin().grade(), ProofGrade::C, "its word is worth nothing yet");
    }
}

#[test]
fn what_a_command_needs_is_all_that_is_asked_for() {
    let policy = Policy {
        required: vec!["b2".to_owned()],
        origins: vec!["b2".to_owned(), "local".to_owned()],
        ..Policy::of_one("b2")
    };
    let only = Need::Only("local".to_owned());
    assert!(only.concerns("local") && !only.concerns("b2"));
    assert!(only.is_met_by(&["local"], &policy) && !only.is_met_by(&["b2"], &policy));
    for need in [Need::Publishing, Need::Proving] {
        assert!(need.is_met_by(&["b2"], &policy) && !need.is_met_by(&["local"], &policy));
    }
    let some = Need::Whatever(vec!["local".to_owned()]);
    assert!(some.concerns("local") && !some.concerns("b2") && some.is_met_by(&[], &policy));
    assert!(!Need::Nothing.concerns("b2"));
}
