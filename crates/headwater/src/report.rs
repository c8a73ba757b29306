//! What commands print about a title: for people and as JSON.

use headwater_model::finding::Finding;
use headwater_model::flaw::Flaw;
use headwater_model::history::counted;
use headwater_model::id::{TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::lane::Priority;
use headwater_model::life::{Event, TitleRecord, TitleState};
use headwater_model::quality::{Loudness, Seen};
use headwater_model::refusal::Refusal;
use serde::Serialize;

use crate::app::App;
use crate::archived::ArchiveReport;

/// Incidents that are shown of one title. A person reads no more; `headwater incidents` has them all.
const INCIDENTS: u32 = 1000;

/// A title as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct TitleReport {
    /// The title.
    pub(crate) title: String,
    /// `queued`, `transcoding`, `sealing`, `verifying`, `publishing`, `published`, `rejected`, `failed`.
    pub(crate) state: &'static str,
    /// Version that the state is about.
    pub(crate) version: Version,
    /// Version that viewers get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<Version>,
    /// Where players find the HLS multivariant playlist, once something is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hls: Option<String>,
    /// Where players find the MPD, once something is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mpd: Option<String>,
    /// Stable code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Sentence of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// What can be done about a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_step: Option<&'static str>,
    /// Whether nothing more of it is begun until it is released.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) held: bool,
    /// How much it is wanted, when it is not as much as others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<Priority>,
    /// Path of the master.
    pub(crate) master: String,
    /// Name of the pipeline.
    pub(crate) pipeline: String,
    /// Spans in the plan.
    pub(crate) spans: u32,
    /// Spans done.
    pub(crate) spans_done: u32,
    /// Frames of every video rendition.
    pub(crate) frames: u64,
    /// Frames done.
    pub(crate) frames_done: u64,
    /// Length of the presentation in seconds.
    pub(crate) seconds: f64,
    /// Seconds that the work took, or has taken so far.
    pub(crate) working_seconds: f64,
    /// Processor seconds that the transcoder took so far.
    pub(crate) cpu_seconds: f64,
    /// Where its master stands in the archive, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<ArchiveReport>,
    /// What is odd about the master and about what is made of it, in the order of the film.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) flaws: Vec<Flaw>,
    /// How loud its tracks are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) loudness: Vec<Loudness>,
    /// Open incidents: what is wrong with objects on origins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<Finding>,
    /// The last words of the transcoder, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_words: Option<String>,
    /// What happened so far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Event>,
}

/// The last line of `ingest --wait --json`: what a script decides by. It has these fields and no others; those without
/// a value are left out, but for numbers, which are 0 until the master was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// The title.
    pub(crate) title: String,
    /// `published`, `rejected` or `failed`; any other state when the wait was interrupted.
    pub(crate) state: &'static str,
    /// Version that the state is about; none for a master that never got into the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Version>,
    /// Where players find the HLS multivariant playlist, once something is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hls: Option<String>,
    /// Where players find the MPD, once something is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mpd: Option<String>,
    /// Stable code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Sentence of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Spans in the plan.
    pub(crate) spans: u32,
    /// Frames of every video rendition.
    pub(crate) frames: u64,
    /// Length of the presentation in seconds.
    pub(crate) seconds: f64,
}

impl Verdict {
    /// About a master that was refused at the door.
    pub(crate) fn at_the_door(title: &TitleId, refusal: &Refusal) -> Self {
        Self {
            title: title.to_string(),
            state: TitleState::refused(refusal.clone()).name(),
            version: None,
            hls: None,
            mpd: None,
            code: Some(refusal.code.as_str()),
            message: Some(refusal.message.clone()),
            spans: 0,
            frames: 0,
            seconds: 0.0,
        }
    }
}

impl From<TitleReport> for Verdict {
    fn from(report: TitleReport) -> Self {
        Self {
            title: report.title,
            state: report.state,
            version: Some(report.version),
            hls: report.hls,
            mpd: report.mpd,
            code: report.code,
            message: report.message,
            spans: report.spans,
            frames: report.frames,
            seconds: report.seconds,
        }
    }
}

impl TitleReport {
    /// The report without history.
    pub(crate) fn brief(app: &App, record: &TitleRecord) -> Self {
        let package = package_of(record);
        let address = |key| record.live.and_then(|_| app.address(&key));
        let [hls, mpd] = package.pointers().map(address);
        let refusal = record.state.refusal();
        let p = record.progress;
        Self {
            title: record.title.to_string(),
            state: record.state.name(),
            version: record.version,
            live: record.live,
            hls,
            mpd,
            code: refusal.map(|r| r.code.as_str()),
            message: refusal.map(|r| r.message.clone()),
            next_step: refusal.map(|r| r.code.next_step()),
            held: record.held,
            priority: Some(record.priority).filter(|priority| *priority != Priority::Normal),
            master: record.master_path.clone(),
            pipeline: record.pipeline.clone(),
            spans: p.spans,
            spans_done: p.spans_done,
            frames: p.frames,
            frames_done: p.frames_done,
            seconds: p.duration_ms as f64 / 1000.0,
            working_seconds: p.working_ms as f64 / 1000.0,
            cpu_seconds: p.cpu_ms as f64 / 1000.0,
            archive: None,
            flaws: vec![],
            loudness: vec![],
            findings: vec![],
            last_words: None,
            events: vec![],
        }
    }

    /// The report with history, findings and last words.
    pub(crate) async fn whole(app: &App, record: &TitleRecord) -> anyhow::Result<Self> {
        let package = package_of(record);
        let mut report = Self::brief(app, record);
        let open =
            app.catalog.incidents(&record.tenant, Some(&record.title), false, INCIDENTS).await?;
        report.findings = open.into_iter().map(|incident| incident.finding).collect();
        if let Some(made) = app.catalog.package(&package).await?
            && let Some(plan) = made.plan
        {
            let of_master = record
                .facts
                .iter()
                .map(|facts| Seen { flaws: facts.flaws.clone(), ..Seen::default() });
            let seen = Seen::of(of_master.chain([made.seen]));
            report.flaws = plan.pipeline.quality.told(&seen);
            report.loudness = seen.loudness;
        }
        report.archive = ArchiveReport::of(app, record).await?;
        report.events = app.catalog.events(&record.tenant, &record.title).await?;
        if matches!(record.state, TitleState::Failed(_)) {
            report.last_words = app.catalog.last_words(&package).await?;
        }
        Ok(report)
    }

    /// One line for a list.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{:<32} {:<12}", self.title, self.state);
        match (self.state, &self.code, &self.message) {
            (_, Some(code), Some(message)) => line += &format!(" {code}: {message}"),
            ("transcoding", ..) => {
                line += &format!(" {} of {}", self.spans_done, counted(self.spans.into(), "span"))
            }
            ("published", ..) => {
                line +=
                    &format!(" {} of {}", self.live.unwrap_or(self.version), length(self.seconds))
            }
            _ => {}
        }
        let marks = [self.held.then_some("held"), self.priority.map(Priority::name)];
        let marks: Vec<&str> = marks.into_iter().flatten().collect();
        if !marks.is_empty() {
            line = format!("{}  [{}]", line.trim_end(), marks.join(", "));
        }
        line.trim_end().to_owned()
    }

    /// Everything, for somebody who looks at one title.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("{}  {} {}", self.title, self.version, self.state)];
        let mut row = |name: &str, value: &str| lines.push(format!("  {name:<11} {value}"));
        if let (Some(code), Some(message)) = (self.code, &self.message) {
            row("why", &format!("{code}: {message}"));
        }
        if let Some(next_step) = self.next_step {
            row("next step", next_step);
        }
        if self.held {
            let release = format!("`headwater title release {}` lets it go on", self.title);
            row("held", &format!("nothing more of it is begun: {release}"));
        }
        if let Some(priority) = self.priority {
            row("priority", priority.name());
        }
        if self.master.is_empty() {
            row(
                "master",
                "not known where, since the catalog was rebuilt; ingest it again to tell",
            );
        } else {
            row("master", &self.master);
        }
        if let Some(archive) = &self.archive {
            row("archive", &archive.message);
        }
        row("pipeline", &self.pipeline);
        if self.spans > 0 {
            row(
                "video",
                &format!(
                    "{}, {}, {} of {} done",
                    counted(self.frames, "frame"),
                    length(self.seconds),
                    self.spans_done,
                    counted(self.spans.into(), "span")
                ),
            );
        }
        if self.working_seconds > 0.0 {
            let (took, cpu) = (length(self.working_seconds), length(self.cpu_seconds));
            row("work", &format!("{took}, {cpu} of processor time"));
        }
        if let Some(live) = self.live {
            row("viewers get", &live.to_string());
        }
        for (name, address) in [("hls", &self.hls), ("mpd", &self.mpd)] {
            if let Some(address) = address {
                row(name, address);
            }
        }
        for flaw in &self.flaws {
            row("flaw", &flaw.to_string());
        }
        for track in &self.loudness {
            let Loudness { track, integrated, range, true_peak } = track;
            row(
                "loudness",
                &format!(
                    "track {track}: {integrated:.1} LUFS, range {range:.1} LU, true peak {true_peak:.1} dBTP"
                ),
            );
        }
        for finding in &self.findings {
            row("finding", &finding.to_string());
        }
        if let Some(words) = &self.last_words {
            row("last words", &words.replace('\n', "\n              "));
        }
        if !self.events.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.events.iter().map(|e| format!("  {}  {}", clock(e.at.0), e.text)));
        lines.join("\n")
    }
}

/// The package that a title's state is about.
pub(crate) fn package_of(record: &TitleRecord) -> PackageId {
    PackageId {
        tenant: record.tenant.clone(),
        title: record.title.clone(),
        version: record.version,
    }
}

/// Seconds as people say them: `1 h 02 min 03 s`, `42 s`.
pub(crate) fn length(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, s) => format!("{h} h {m:02} min {s:02} s"),
    }
}

/// A moment as `2026-11-21 22:41:07Z`.
pub(crate) fn clock(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil from days: Howard Hinnant's algorithm, valid for all dates of the Gregorian calendar.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
