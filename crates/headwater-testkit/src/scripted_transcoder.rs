//! A transcoder that makes tiny but real CMAF segments out of nothing, and goes wrong when its script says so.
//!
//! Like the real one, it is a function of master, plan and part (R1): the same call gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use headwater_model::colour::Colour;
use headwater_model::id::Sha256;
use headwater_model::index::{Basis, Index, Unit};
use headwater_model::inventory::ObjectRole;
use headwater_model::key::{
    INIT_NAME, WHOLE_TEXT_NAME, picture_name, segment_name, text_segment_name,
};
use headwater_model::ladder::VideoRendition;
use headwater_model::master::{AudioTrack, MasterFacts, Orientation, VideoTrack};
use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{
    Audio, AudioEncode, Codec, Pipeline, Rung, USUAL_PEAK, Video, VideoEncode,
};
use headwater_model::plan::{AAC_FRAME, AudioRendition, Pictures, Plan, SpanPlan};
use headwater_model::quality::{QualityRules, Seen};
use headwater_model::refusal::Refusal;
use headwater_model::time::{FrameRate, NS};
use headwater_packaging::cmaf::{
    AudioInit, Sample, VideoConfig, VideoInit, codec_string_aac, segment_head,
};
use headwater_ports::masters::Input;
use headwater_ports::transcoder::{
    Done, Inspection, Made, Part, Report, TranscodeError, Transcoder,
};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// AVCDecoderConfigurationRecord of constrained baseline 3.0, as an encoder would give it.
const AVCC: [u8; 19] = [
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80,
];

/// AudioSpecificConfig of AAC-LC, 48 kHz, stereo.
const ASC: [u8; 2] = [0x11, 0x90];

/// What goes wrong in one call of `make`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// The child dies after that many files.
    CrashAfter(usize),
    /// The child makes that many files and then neither ends nor says anything.
    HangAfter(usize),
    /// The child says that it cannot do it.
    Refuse(Refusal),
    /// The master is deleted while the child reads it, which the child takes for this.
    MasterVanishes(Refusal),
    /// Its init segments are not those of the other spans.
    OtherInit,
    /// Segments come out as they never did before, although nothing has changed.
    OtherBytes,
    /// The first segment lacks its last frame.
    FrameMissing,
    /// The first file has no bytes.
    EmptyFile,
    /// The first file is said to be this one.
    NamesFile(PathBuf),
    /// The child leaves out the last file and says that all went well.
    LeavesOutLast,
    /// The child takes this long for every file.
    Slow(Duration),
}

/// A transcoder that follows a script.
pub struct ScriptedTranscoder {
    seconds: u32,
    script: Mutex<Vec<(Part, Mishap)>>,
    failing: Mutex<Vec<TranscodeError>>,
    calls: Mutex<Vec<Part>>,
    inspected: AtomicU32,
    build: AtomicU32,
    key_distance: AtomicU32,
}

impl ScriptedTranscoder {
    /// Finds 25 frames a second for `seconds` and a stereo track in every master.
    pub fn new(seconds: u32) -> Self {
        Self {
            seconds,
            script: Mutex::default(),
            failing: Mutex::default(),
            calls: Mutex::default(),
            inspected: AtomicU32::new(0),
            build: AtomicU32::new(1),
            key_distance: AtomicU32::new(50),
        }
    }

    /// The next call for `part` goes wrong like this; said twice, so does the one after.
    pub fn goes_wrong(&self, part: Part, mishap: Mishap) {
        lock(&self.script).push((part, mishap));
    }

    /// The next look at a master fails.
    pub fn inspection_fails(&self, error: TranscodeError) {
        lock(&self.failing).push(error);
    }

    /// From now on it is the next build, which makes other bytes of everything.
    pub fn upgrade(&self) {
        self.build.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on it finds a key in every so many frames of a master, and no longer in every 50.
    pub fn finds_keys_every(&self, frames: u32) {
        self.key_distance.store(frames, Ordering::Relaxed);
    }

    /// The parts that were asked for, in order.
    pub fn calls(&self) -> Vec<Part> {
        lock(&self.calls).clone()
    }

    /// How often a master was looked at.
    pub fn inspected(&self) -> u32 {
        self.inspected.load(Ordering::Relaxed)
    }

    /// A pipeline that suits it: two renditions, segments of 6 s, spans of two segments.
    pub fn pipeline(name: &str) -> Pipeline {
        let rung = |name: &str, long_side, short_side| Rung {
            name: name.to_owned(),
            codec: Codec::H264,
            long_side,
            short_side,
            crf: 23.0,
            max_kbps: 800,
            buffer_kbit: 1600,
            max_fps: None,
            hdr: false,
            copy: false,
        };
        Pipeline {
            name: name.to_owned(),
            sha256: crate::digest::sha256(name.as_bytes()),
            segment_ms: 6_000,
            gop_ms: 2_000,
            span_segments: 2,
            video: Video::Encode(VideoEncode {
                encoders: vec!["x264enc".to_owned()],
                preset: "fast".to_owned(),
                others: BTreeMap::new(),
                trick: false,
                pictures: false,
                ladder: vec![rung("360p", 640, 360), rung("234p", 416, 234)],
            }),
            audio: Audio::Encode(AudioEncode {
                encoders: vec!["avenc_aac".to_owned()],
                kbps: 128,
                sample_rate: 48_000,
                channels: 2,
                surround_kbps: None,
                loudness: None,
                true_peak: USUAL_PEAK,
            }),
            pool: None,
            publish: PublishRules::default(),
            quality: QualityRules::default(),
            transport: false,
        }
    }

    fn mishap(&self, part: Part) -> Option<Mishap> {
        let mut script = lock(&self.script);
        let next = script.iter().position(|(p, _)| *p == part)?;
        Some(script.remove(next).1)
    }

    fn facts(&self) -> MasterFacts {
        let seconds = i64::from(self.seconds);
        MasterFacts {
            container: "Quicktime".to_owned(),
            bytes: 0,
            modified_ns: 0,
            video: vec![VideoTrack {
                stream: "001".to_owned(),
                codec: "H.264".to_owned(),
                media_type: "video/x-h264".to_owned(),
                width: 640,
                height: 360,
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
                end_ns: seconds * NS,
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

    fn index(&self) -> Index {
        let key_distance = u64::from(self.key_distance.load(Ordering::Relaxed));
        let unit = |n: u64| Unit {
            open: false,
            pts_ns: FrameRate::PAL.frame_ns(n),
            size: 1_000,
            key: n.is_multiple_of(key_distance),
            shown: true,
        };
        let units = (0..u64::from(self.seconds) * 25).map(unit).collect();
        Index { basis: Basis::Parsed, units, last_duration_ns: None }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transcoder for ScriptedTranscoder {
    async fn engine(&self) -> Result<String, TranscodeError> {
        Ok(format!("scripted {}", self.build.load(Ordering::Relaxed)))
    }

    async fn encoders(&self) -> Result<BTreeSet<String>, TranscodeError> {
        Ok(["x264enc", "avenc_aac"].map(str::to_owned).into())
    }

    async fn inspect(&self, _master: &Input) -> Result<Inspection, TranscodeError> {
        self.inspected.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = lock(&self.failing).pop() {
            return Err(error);
        }
        Ok(Inspection { facts: self.facts(), index: self.index(), zero_ns: 0, cpu_ms: 400 })
    }

    async fn make(
        &self,
        master: &Input,
        plan: &Plan,
        part: Part,
        spool: &Path,
        reports: mpsc::Sender<Report>,
    ) -> Result<Done, TranscodeError> {
        let call = {
            let mut calls = lock(&self.calls);
            calls.push(part);
            calls.len()
        };
        let mishap = self.mishap(part);
        match mishap {
            Some(Mishap::Refuse(refusal)) => return Err(TranscodeError::Refused(refusal)),
            Some(Mishap::MasterVanishes(refusal)) => {
                if let Input::File(path) = master {
                    tokio::fs::remove_file(path).await.map_err(TranscodeError::Start)?;
                }
                return Err(TranscodeError::Refused(refusal));
            }
            _ => {}
        }
        let mut build = self.build.load(Ordering::Relaxed).to_string();
        if mishap == Some(Mishap::OtherBytes) {
            build += &format!(" at call {call}");
        }
        let (mut files, codecs) =
            files_of(plan, part, &build, &mishap).map_err(|e| crash(e.to_string()))?;
        match mishap {
            Some(Mishap::EmptyFile) => files[0].bytes.clear(),
            Some(Mishap::LeavesOutLast) => drop(files.pop()),
            _ => {}
        }
        let mut frames = 0;
        for (n, File { path, role, bytes }) in files.into_iter().enumerate() {
            match mishap {
                Some(Mishap::CrashAfter(files)) if n == files => {
                    return Err(crash("was killed by signal 11".to_owned()));
                }
                Some(Mishap::HangAfter(files)) if n == files => std::future::pending().await,
                Some(Mishap::Slow(time)) => sleep(time).await,
                _ => {}
            }
            let mut file = spool.join(&path);
            let folder = file.parent().unwrap_or(spool);
            tokio::fs::create_dir_all(folder).await.map_err(TranscodeError::Start)?;
            tokio::fs::write(&file, bytes).await.map_err(TranscodeError::Start)?;
            if let (0, Some(Mishap::NamesFile(other))) = (n, &mishap) {
                file.clone_from(other);
            }
            // The first rendition stands for all: a real one encodes them side by side.
            if let ObjectRole::Segment { rendition, samples, .. } = &role
                && plan.video.first().is_some_and(|first| first.name == *rendition)
            {
                frames += u64::from(*samples);
            }
            // The receiver is gone when it stopped because of an error of its own.
            let _ = reports.send(Report::Made(Made { file, path, role })).await;
            let _ = reports.send(Report::Progress { frames }).await;
        }
        Ok(Done { codecs, cpu_ms: 2_500, seen: Seen::default() })
    }
}

fn crash(how: String) -> TranscodeError {
    TranscodeError::Crashed { how, last_words: "decoder: the last frame was 17".to_owned() }
}

/// A file that the child is going to write.
struct File {
    path: String,
    role: ObjectRole,
    bytes: Vec<u8>,
}

type Files = (Vec<File>, Vec<(String, String)>);

fn files_of(
    plan: &Plan,
    part: Part,
    build: &str,
    mishap: &Option<Mishap>,
) -> Result<Files, headwater_packaging::cmaf::Error> {
    let (mut files, mut codecs) = (Vec::new(), Vec::new());
    match part {
        Part::Span(n) => {
            let span = &plan.spans[n as usize];
            for rendition in &plan.video {
                video(plan, span, rendition, build, mishap, &mut files)?;
                codecs.push((rendition.name.clone(), VideoConfig::Avc(&AVCC).codec_string(None)?));
            }
        }
        Part::Pictures => {
            let sheets = plan.pictures.as_ref().map_or(0, Pictures::sheets);
            for number in (0..sheets).map(Some).chain([None]) {
                let path = format!("{}/{}", Pictures::FOLDER, picture_name(number));
                let role = ObjectRole::Picture { number };
                files.push(File { path, role, bytes: vec![0xff, 0xd8, 0xff, 0xd9] });
            }
        }
        Part::Text(n) => {
            let name = &plan.text[n as usize].name;
            let mut add = |file: &str, number| {
                let role = ObjectRole::Text { rendition: name.clone(), number };
                let bytes = b"WEBVTT\n".to_vec();
                files.push(File { path: format!("{name}/{file}"), role, bytes });
            };
            add(WHOLE_TEXT_NAME, None);
            for (number, _) in (0u32..).zip(plan.text_segments()) {
                add(&text_segment_name(number), Some(number));
            }
        }
        Part::Audio(n) => {
            let rendition = &plan.audio[n as usize];
            audio(plan, rendition, build, &mut files)?;
            codecs.push((rendition.name.clone(), codec_string_aac(&ASC)?));
        }
    }
    Ok((files, codecs))
}

fn init(rendition: &str, bytes: Vec<u8>) -> File {
    let role = ObjectRole::Init { rendition: rendition.to_owned() };
    File { path: format!("{rendition}/{INIT_NAME}"), role, bytes }
}

fn video(
    plan: &Plan,
    span: &SpanPlan,
    rendition: &VideoRendition,
    build: &str,
    mishap: &Option<Mishap>,
    files: &mut Vec<File>,
) -> Result<(), headwater_packaging::cmaf::Error> {
    let mut avcc = AVCC;
    if *mishap == Some(Mishap::OtherInit) {
        *avcc.last_mut().unwrap_or(&mut 0) ^= 1;
    }
    let VideoRendition { name, width, height, .. } = rendition;
    let (width, height, timescale) = (*width, *height, plan.timescale);
    let head = VideoInit {
        width,
        height,
        timescale,
        delay: plan.delay,
        config: VideoConfig::Avc(&avcc),
        colour: None,
        mastering: None,
        light: None,
    };
    files.push(init(name, head.to_bytes()?));
    let gop = rendition.frames_of(plan.gop_frames());
    for (number, segment) in (span.first_segment..).zip(plan.segments_of(span)) {
        let first = segment.first_frame - plan.segments[span.first_segment as usize].first_frame;
        let length = |n: u32| {
            let frames = match rendition.trick {
                true => 0..segment.frames,
                false => n * rendition.every..((n + 1) * rendition.every).min(segment.frames),
            };
            frames.map(|n| span.ticks.of(first + u64::from(n))).sum()
        };
        let missing = *mishap == Some(Mishap::FrameMissing) && number == span.first_segment;
        let frames = rendition.frames_of(segment.frames);
        let samples: Vec<Sample> = (0..frames - u32::from(missing))
            .map(|n| Sample {
                size: 20,
                duration: length(n),
                composition_offset: i32::try_from(plan.delay).expect("a short delay"),
                key: n % gop == 0,
            })
            .collect();
        files.push(media(plan.master, build, name, number, segment.start, &samples)?);
    }
    Ok(())
}

fn audio(
    plan: &Plan,
    rendition: &AudioRendition,
    build: &str,
    files: &mut Vec<File>,
) -> Result<(), headwater_packaging::cmaf::Error> {
    let AudioRendition { name, channels, sample_rate, language, .. } = rendition;
    let head = AudioInit {
        sample_rate: *sample_rate,
        channels: *channels,
        timescale: *sample_rate,
        language: language.as_deref(),
        asc: &ASC,
        bitrate: 128_000,
    };
    files.push(init(name, head.to_bytes()?));
    for (number, segment) in (0u32..).zip(0..plan.segments.len()) {
        let frames = rendition.frames_of(segment);
        let start = frames.start * u64::from(AAC_FRAME);
        let sample = Sample { size: 10, duration: AAC_FRAME, composition_offset: 0, key: true };
        let samples: Vec<Sample> = frames.map(|_| sample).collect();
        files.push(media(plan.master, build, name, number, start, &samples)?);
    }
    Ok(())
}

/// A media segment whose samples are the digest of what it stands for, over and over.
fn media(
    master: Sha256,
    build: &str,
    rendition: &str,
    number: u32,
    start: u64,
    samples: &[Sample],
) -> Result<File, headwater_packaging::cmaf::Error> {
    let mut bytes = segment_head(number + 1, start, samples)?;
    let filler = crate::digest::sha256(format!("{master} {build} {rendition} {number}").as_bytes());
    let payload: usize = samples.iter().map(|s| s.size as usize).sum();
    bytes.extend(filler.0.iter().cycle().take(payload));
    let role = ObjectRole::Segment {
        rendition: rendition.to_owned(),
        number,
        start,
        ticks: samples.iter().map(|s| u64::from(s.duration)).sum(),
        samples: samples.len() as u32,
    };
    Ok(File { path: format!("{rendition}/{}", segment_name(number)), role, bytes })
}
