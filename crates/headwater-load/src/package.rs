//! Packages as the product would make them of masters that there are not: a plan by the default pipeline, its objects
//! with their sizes and hashes, playlists, MPD, inventory and pointers. Only what is in the segments is made up.

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use headwater_model::colour::Colour;
use headwater_model::id::{Md5, Sha256, Tenant, Version};
use headwater_model::index::{Basis, Index, Unit};
use headwater_model::inventory::{FORMAT, Header, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{
    HLS_NAME, INIT_NAME, INVENTORY_NAME, MEDIA_PLAYLIST_NAME, MPD_NAME, ObjectKey, PLAN_NAME,
    PackageId, segment_name,
};
use headwater_model::life::{PackageRecord, Restored, RestoredPackage};
use headwater_model::master::{AudioTrack, MasterFacts, Orientation, VideoTrack};
use headwater_model::pipeline::{Pipeline, Video};
use headwater_model::plan::{AAC_FRAME, Plan, plan};
use headwater_model::quality::Seen;
use headwater_model::time::{FrameRate, NS};
use headwater_packaging::view::{PackageView, Place};
use headwater_packaging::{dash, hls, inventory};
use md5::Digest;

use crate::target::NAME;

/// How many titles, and how many segments each rendition of one has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) titles: u32,
    pub(crate) segments: u32,
}

/// Frames of a segment: 6 s at 25 a second, as the default pipeline cuts them.
const FRAMES: u64 = 150;

/// Seconds of a segment.
const SECONDS: i64 = 6;

/// Frames from key to key, as masters have them.
const MASTER_GOP: u64 = 50;

/// A sealed package, but for the bytes of its segments.
pub(crate) struct Package {
    pub(crate) id: PackageId,
    /// What is written when a package is sealed, and the pointers: everything but init and media segments.
    pub(crate) texts: Vec<(ObjectKey, Object, Bytes)>,
    /// As a catalog has it that was rebuilt from an origin.
    pub(crate) restored: Restored,
}

/// Object of these bytes.
pub(crate) fn object(path: &str, bytes: &[u8], role: ObjectRole) -> Object {
    Object {
        path: path.to_owned(),
        bytes: bytes.len() as u64,
        sha256: Sha256(sha2::Sha256::digest(bytes).into()),
        md5: Md5(md5::Md5::digest(bytes).into()),
        version: None,
        role,
    }
}

/// The first version of title `n`.
pub(crate) fn id(tenant: &Tenant, n: u32) -> Result<PackageId> {
    let title = format!("title-{n:05}").parse().context("name a title")?;
    Ok(PackageId { tenant: tenant.clone(), title, version: Version(1) })
}

/// What is planned for a title with so many segments.
pub(crate) fn planned(segments: u32) -> Result<Plan> {
    let shipped = headwater_spec::SHIPPED.iter().find(|it| it.name() == "vod-h264");
    let shipped = shipped.context("the default pipeline is not shipped")?;
    let mut pipeline: Pipeline = headwater_spec::pipeline(shipped.file, shipped.text)
        .map_err(|problems| anyhow!("the default pipeline is not valid: {problems:?}"))?;
    // Segments of picture and sound are what a library is large by.
    if let Video::Encode(encode) = &mut pipeline.video {
        (encode.trick, encode.pictures) = (false, false);
    }
    let frames = u64::from(segments) * FRAMES;
    let unit = |n: u64| Unit {
        open: false,
        pts_ns: FrameRate::PAL.frame_ns(n),
        size: 10_000,
        key: n.is_multiple_of(MASTER_GOP),
        shown: true,
    };
    let index = Index {
        basis: Basis::Parsed,
        units: (0..frames).map(unit).collect(),
        last_duration_ns: None,
    };
    let master = Sha256(sha2::Sha256::digest(b"no master").into());
    let plan = plan(master, &pipeline, "load", &facts(segments), &index, 0);
    plan.map_err(|refusal| anyhow!("no plan can be made: {refusal}"))
}

/// A film of 1280×720 with one stereo track.
fn facts(segments: u32) -> MasterFacts {
    MasterFacts {
        container: "Quicktime".to_owned(),
        bytes: 0,
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
            codec: "MPEG-4 AAC".to_owned(),
            media_type: "audio/mpeg".to_owned(),
            channels: 2,
            sample_rate: 48_000,
            language: Some("en".to_owned()),
            layout: None,
            start_ns: 0,
            end_ns: i64::from(segments) * SECONDS * NS,
            decoder: Some("avdec_aac".to_owned()),
            delivered: None,
        }],
        text: Vec::new(),
        other: Vec::new(),
        timecode: None,
        edit_lists: vec![],
        delivery: None,
        sources: vec![],
        flaws: vec![],
    }
}

/// Every init and media segment of a plan: its path, and what it is.
pub(crate) fn media(plan: &Plan) -> Vec<(String, ObjectRole)> {
    let mut all = Vec::new();
    let init = |name: &str| {
        let role = ObjectRole::Init { rendition: name.to_owned() };
        (format!("{name}/{INIT_NAME}"), role)
    };
    let segment = |name: &str, number: u32, start, ticks, samples| {
        let rendition = name.to_owned();
        let role = ObjectRole::Segment { rendition, number, start, ticks, samples };
        (format!("{name}/{}", segment_name(number)), role)
    };
    for video in &plan.video {
        all.push(init(&video.name));
        for (n, it) in (0..).zip(&plan.segments) {
            all.push(segment(&video.name, n, it.start, it.ticks, video.frames_of(it.frames)));
        }
    }
    for audio in &plan.audio {
        all.push(init(&audio.name));
        for (n, at) in (0..).zip(0..plan.segments.len()) {
            let frames = audio.frames_of(at);
            let length = frames.end.saturating_sub(frames.start);
            let (start, ticks) =
                (frames.start * u64::from(AAC_FRAME), length * u64::from(AAC_FRAME));
            let samples = u32::try_from(length).unwrap_or(u32::MAX);
            all.push(segment(&audio.name, n, start, ticks, samples));
        }
    }
    all
}

impl Package {
    /// Seals a package whose init and media segments are `objects`, and publishes it.
    pub(crate) fn seal(id: PackageId, plan: &Plan, mut objects: Vec<Object>) -> Result<Self> {
        let video = plan.video.iter().map(|it| (it.name.clone(), "avc1.64001f".to_owned()));
        let audio = plan.audio.iter().map(|it| (it.name.clone(), "mp4a.40.2".to_owned()));
        let codecs: Vec<(String, String)> = video.chain(audio).collect();
        let view = PackageView::new(plan, &objects, &codecs)?;
        let playlists = view.tracks().map(|track| {
            let path = format!("{}/{MEDIA_PLAYLIST_NAME}", track.name);
            (path, hls::media_playlist(&view, track), ObjectRole::Manifest)
        });
        let sealed = playlists.chain([
            (HLS_NAME.to_owned(), hls::multivariant(&view, Place::Package), ObjectRole::Manifest),
            (MPD_NAME.to_owned(), dash::mpd(&view, Place::Package), ObjectRole::Manifest),
            (PLAN_NAME.to_owned(), serde_json::to_string(plan)?, ObjectRole::Plan),
        ]);
        let mut texts: Vec<(ObjectKey, Object, Bytes)> = sealed
            .map(|(path, text, role)| {
                (id.key(&path), object(&path, text.as_bytes(), role), text.into())
            })
            .collect();
        objects.extend(texts.iter().map(|(_, object, _)| object.clone()));
        let renditions = view.tracks().map(|track| RenditionHeader {
            name: track.name.clone(),
            codec: track.codec.clone(),
            timescale: track.timescale,
            delay: track.delay,
            trick: false,
            version: id.version,
        });
        let header = Header {
            format: FORMAT.to_owned(),
            package: id.clone(),
            master: plan.master,
            pipeline: plan.pipeline.name.clone(),
            pipeline_sha256: plan.pipeline.sha256,
            engine: plan.engine.clone(),
            renditions: renditions.collect(),
            objects: objects.len() as u64,
        };
        let lines = inventory::write(&header, &objects);
        let own = object(INVENTORY_NAME, &lines, ObjectRole::Manifest);
        let inventory = own.sha256;
        texts.push((id.key(INVENTORY_NAME), own, lines.into()));
        let [hls_key, mpd_key] = id.pointers();
        let place = Place::Title(id.version);
        let mut pointers = Vec::new();
        for (key, text) in
            [(hls_key, hls::multivariant(&view, place)), (mpd_key, dash::mpd(&view, place))]
        {
            let pointer = object(key.name(), text.as_bytes(), ObjectRole::Manifest);
            pointers.push(pointer.clone());
            texts.push((key, pointer, text.into()));
        }
        let record = PackageRecord {
            plan: Some(plan.clone()),
            codecs,
            seen: Seen::default(),
            inventory: Some(inventory),
            objects: objects.len() as u64,
            bytes: objects.iter().map(|o| o.bytes).sum(),
            proven_on: vec![NAME.to_owned()],
            pointers,
        };
        let package = RestoredPackage {
            package: id.clone(),
            master: plan.master,
            pipeline: plan.pipeline.name.clone(),
            pipeline_sha256: plan.pipeline.sha256,
            record,
        };
        let restored = Restored {
            tenant: id.tenant.clone(),
            title: id.title.clone(),
            live: Some(id.version),
            packages: vec![package],
        };
        Ok(Self { id, texts, restored })
    }
}

#[cfg(test)]
mod tests;
