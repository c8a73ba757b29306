//! A catalog with a clock, and the steps of a title's life in few words.

use std::sync::Arc;

use headwater_model::archive::MasterCopy;
use headwater_model::colour::Colour;
use headwater_model::id::{Md5, Sha256, Tenant, TitleId, Version};
use headwater_model::index::{Basis, Index, Unit};
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{ObjectKey, PackageId};
use headwater_model::lane::{DEFAULT_POOL, Offer};
use headwater_model::life::{TitleRecord, TitleState};
use headwater_model::master::{AudioTrack, MasterFacts, Orientation, VideoTrack};
use headwater_model::pipeline::Pipeline;
use headwater_model::plan::{Plan, plan};
use headwater_model::quality::{Seen, Verdict};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, NewTitle, Outcome, Retry, Role, TaskKind};
use headwater_model::time::FrameRate;
use headwater_ports::catalog::{Catalog, CatalogError, Submitted};

use crate::clock::ManualClock;
use crate::scripted_transcoder::ScriptedTranscoder;

/// How long a lease lasts in these cases, in milliseconds.
pub const LEASE_MS: i64 = 30_000;

/// Longer than any back-off.
pub const LONG_MS: i64 = 3_600_000;

/// Frames of a span in these cases: 2 segments of 6 s at 25 frames per second.
pub const SPAN_FRAMES: u64 = 300;

/// All there are.
pub const ALL: [Role; 4] = [Role::Worker, Role::Verifier, Role::Publisher, Role::Archiver];

/// A catalog under test and the clock that it goes by.
pub struct Scene {
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
}

/// The name of a title, from a literal.
pub fn title(name: &str) -> TitleId {
    name.parse().expect("titles in these cases have usable names")
}

/// A package of the default tenant.
pub fn package(name: &str, version: u32) -> PackageId {
    PackageId { tenant: Tenant::default(), title: title(name), version: Version(version) }
}

/// A submission from `/drop/{name}.mp4`.
pub fn new_title(name: &str) -> NewTitle {
    NewTitle {
        tenant: Tenant::default(),
        title: title(name),
        master_path: format!("/drop/{name}.mp4"),
        pipeline: "vod-h264".to_owned(),
        pool: DEFAULT_POOL.to_owned(),
        priority: None,
        again: false,
        remake: None,
        reason: None,
    }
}

/// A failure that another try may mend.
pub fn passing(code: Code) -> Failure {
    Failure {
        refusal: Refusal::new(code, "it did not work"),
        retry: Retry::Later,
        last_words: None,
    }
}

/// A failure that no other try can mend.
pub fn lasting(code: Code) -> Failure {
    Failure { retry: Retry::Never, ..passing(code) }
}

/// An object of some size at `path`.
pub fn object(path: &str, bytes: u64) -> Object {
    let sha256 = Sha256([bytes as u8; 32]);
    let md5 = Md5([bytes as u8; 16]);
    let rendition = path.split('/').next().unwrap_or(path).to_owned();
    Object {
        path: path.to_owned(),
        bytes,
        sha256,
        md5,
        version: None,
        role: ObjectRole::Init { rendition },
    }
}

/// What the probe finds in every master of these cases: 25 frames per second, one audio track.
pub fn facts() -> MasterFacts {
    MasterFacts {
        container: "Quicktime".to_owned(),
        bytes: 1_000_000,
        modified_ns: 0,
        video: vec![VideoTrack {
            stream: "001".to_owned(),
            codec: "H.264".to_owned(),
            media_type: "video/x-h264".to_owned(),
            width: 1280,
            height: 720,
            sample_aspect: (1, 1),
            orientation: Orientation::Upright,
            stated_rate: Some(FrameRate::PAL),
            interlaced: false,
            fields: None,
            bit_depth: Some(8),
            chroma: None,
            colour: Colour::UNSPECIFIED,
            mastering: None,
            light: None,
            end_ns: 0,
            language: None,
            decoder: Some("avdec_h264".to_owned()),
            captions: false,
        }],
        audio: vec![AudioTrack {
            stream: "002".to_owned(),
            codec: "AAC".to_owned(),
            media_type: "audio/mpeg".to_owned(),
            channels: 2,
            sample_rate: 48_000,
            language: None,
            layout: None,
            start_ns: 0,
            end_ns: 0,
            decoder: Some("avdec_aac".to_owned()),
            delivered: None,
        }],
        text: vec![],
        other: vec![],
        timecode: None,
        edit_lists: vec![],
        delivery: None,
        sources: vec![],
        flaws: vec![],
    }
}

/// The pipeline of these cases: spans of 2 segments of 6 s.
pub fn pipeline() -> Pipeline {
    ScriptedTranscoder::pipeline("vod-h264")
}

/// A plan of one audio track and `spans` spans of [`SPAN_FRAMES`] frames each, for the master `[seed; 32]`.
pub fn plan_of(seed: u8, spans: u64) -> Plan {
    let pipeline = pipeline();
    let units = (0..spans * SPAN_FRAMES)
        .map(|n| Unit {
            open: false,
            pts_ns: FrameRate::PAL.frame_ns(n),
            size: 1_000,
            key: n.is_multiple_of(50),
            shown: true,
        })
        .collect();
    let index = Index { basis: Basis::Parsed, units, last_duration_ns: None };
    plan(Sha256([seed; 32]), &pipeline, "engine 1", &facts(), &index, 0)
        .expect("an even master can be planned")
}

/// What a task of this kind hands in when all is well. Its package is a master of [`plan_of`] with one span.
pub fn good(kind: TaskKind) -> Outcome {
    let made = |rendition: &str, n: u32| Outcome::Made {
        objects: vec![object(&format!("{rendition}/seg-{n}.m4s"), u64::from(n) + 1)],
        codecs: vec![(rendition.to_owned(), "avc1.64001f".to_owned())],
        cpu_ms: 2_500,
        seen: Seen::default(),
    };
    match kind {
        TaskKind::Prepare => prepared(1, 1),
        TaskKind::Span(n) => made("video-360p", n),
        TaskKind::Audio(n) => made("audio-1", n),
        TaskKind::Text(n) => made("text-1", n),
        TaskKind::Pictures => made("pictures", 0),
        TaskKind::Seal => sealed(Sha256([9; 32])),
        TaskKind::Verify => Outcome::Proven { origins: vec!["local".to_owned()] },
        TaskKind::Publish => Outcome::Published { pointers: vec![object("index.m3u8", 7)] },
        TaskKind::Heal => Outcome::Healed { pointers: vec![] },
        TaskKind::Archive => Outcome::Archived { copy: copy_of(1) },
    }
}

/// What `Seal` hands in.
pub fn sealed(inventory: Sha256) -> Outcome {
    Outcome::Sealed { inventory, objects: 12, bytes: 3_456, verdict: Verdict::default() }
}

/// What `Prepare` hands in for the master `[seed; 32]` cut into `spans` spans.
pub fn prepared(seed: u8, spans: u64) -> Outcome {
    Outcome::Prepared {
        facts: Box::new(facts()),
        plan: Box::new(plan_of(seed, spans)),
        cpu_ms: 400,
        archives: false,
        verdict: Verdict::default(),
    }
}

/// What `Prepare` hands in for the master `[seed; 32]` where masters are archived.
pub fn prepared_to_archive(seed: u8) -> Outcome {
    Outcome::Prepared {
        facts: Box::new(facts()),
        plan: Box::new(plan_of(seed, 1)),
        cpu_ms: 400,
        archives: true,
        verdict: Verdict::default(),
    }
}

/// A copy of the master `[seed; 32]` in an archive.
pub fn copy_of(seed: u8) -> MasterCopy {
    let sha256 = Sha256([seed; 32]);
    MasterCopy {
        origin: "glacier".to_owned(),
        key: ObjectKey::new(format!("main/masters/{sha256}.mp4")).expect("a digest is a name"),
        bytes: 1_000_000,
        sha256,
        etag: Some("\"e-2\"".to_owned()),
        storage_class: Some("DEEP_ARCHIVE".to_owned()),
    }
}

impl Scene {
    /// Submits a title of the default tenant.
    pub async fn submit(&self, name: &str) -> Result<Submitted, CatalogError> {
        self.catalog.submit(&new_title(name)).await
    }

    /// Claims what is due for anybody, or nothing.
    pub async fn try_claim(&self) -> Result<Option<Claimed>, CatalogError> {
        self.catalog.claim(&Offer::of("w1", &ALL), LEASE_MS).await
    }

    /// Claims what must be due.
    pub async fn claim(&self) -> Result<Claimed, CatalogError> {
        Ok(self.try_claim().await?.expect("a task is due"))
    }

    /// Claims what must be due, which must be `kind`.
    pub async fn claim_kind(&self, kind: TaskKind) -> Result<Claimed, CatalogError> {
        let claimed = self.claim().await?;
        assert_eq!(claimed.kind, kind);
        Ok(claimed)
    }

    /// Claims the next task, which must be `kind`, and hands in `outcome`.
    pub async fn finish(&self, kind: TaskKind, outcome: &Outcome) -> Result<(), CatalogError> {
        let claimed = self.claim_kind(kind).await?;
        self.catalog.complete(&claimed.lease, outcome).await
    }

    /// Claims and finishes tasks until there is one of `kind`, which is claimed.
    pub async fn work_until(&self, kind: TaskKind) -> Result<Claimed, CatalogError> {
        loop {
            let claimed = self.claim().await?;
            if claimed.kind == kind {
                return Ok(claimed);
            }
            self.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
        }
    }

    /// Finishes everything that is due.
    pub async fn work(&self) -> Result<(), CatalogError> {
        while let Some(claimed) = self.try_claim().await? {
            self.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
        }
        Ok(())
    }

    /// Submits a title and prepares it with `spans` spans.
    pub async fn prepare(&self, name: &str, spans: u64) -> Result<(), CatalogError> {
        self.submit(name).await?;
        self.finish(TaskKind::Prepare, &prepared(1, spans)).await
    }

    /// Claims `kind` and fails it so that its title ends with `code`.
    pub async fn end(&self, kind: TaskKind, code: Code) -> Result<(), CatalogError> {
        let claimed = self.work_until(kind).await?;
        self.catalog.fail(&claimed.lease, &lasting(code)).await
    }

    /// A title that must be there.
    pub async fn title(&self, name: &str) -> Result<TitleRecord, CatalogError> {
        let record = self.catalog.title(&Tenant::default(), &title(name)).await?;
        Ok(record.expect("the title is known"))
    }

    /// The state of a title that must be there.
    pub async fn state(&self, name: &str) -> Result<TitleState, CatalogError> {
        Ok(self.title(name).await?.state)
    }

    /// The history of a title, a line each.
    pub async fn history(&self, name: &str) -> Result<Vec<String>, CatalogError> {
        let events = self.catalog.events(&Tenant::default(), &title(name)).await?;
        Ok(events.into_iter().map(|event| event.text).collect())
    }
}

/// That a result, a heartbeat or a failure was refused since the lease is not held.
pub fn assert_lost<T: std::fmt::Debug>(answer: Result<T, CatalogError>) {
    assert!(matches!(answer, Err(CatalogError::LeaseLost { .. })), "{answer:?}");
}

/// That a demand was refused since it contradicts what is stored.
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, CatalogError>) {
    assert!(matches!(answer, Err(CatalogError::Database { .. })), "{answer:?}");
}
