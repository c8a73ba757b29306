//! `headwater retranscode`: makes published titles again, whole or in part.

use anyhow::Context;
use headwater_model::id::{TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::life::TitleRecord;
use headwater_model::plan::{Plan, again};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{NewTitle, Remake};
use headwater_ports::catalog::Submitted;
use serde_json::json;

use crate::app::App;
use crate::cli::{Outcome, RetranscodeArgs};
use crate::commands::ingest::{refuse, see_through};
use crate::config::Config;
use crate::report::length;
use crate::terminal::{complain, news, say};

/// Titles that one call goes through. More are a migration, and that is better done in parts.
const TITLES: u32 = 1_000_000;

/// Queues one title or all that match; with `dry_run`, says what that would take.
pub(crate) async fn retranscode(
    config: Config,
    args: RetranscodeArgs,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = if args.wait { App::open_checked(config).await? } else { App::open(config).await? };
    let titles = match &args.title {
        Some(title) => match app.catalog.title(&app.config.tenant, title).await? {
            Some(record) => vec![record],
            None => {
                let message = format!("there is no title `{title}`");
                return refuse(title, &Refusal::new(Code::NoSuchFile, message), json);
            }
        },
        None => match matching(&app, &args.filter).await? {
            Ok(records) => records,
            Err(problem) => {
                complain(&problem);
                return Ok(Outcome::Refused);
            }
        },
    };
    if titles.is_empty() && !json {
        say("no title matches");
    }
    let mut outcome = Outcome::Done;
    let mut sum = Cost::default();
    for record in &titles {
        let one = Request { app: &app, args: &args, record, json };
        let ended = if args.dry_run { one.estimate(&mut sum).await? } else { one.queue().await? };
        if ended == Outcome::Refused {
            outcome = Outcome::Refused;
        }
    }
    if args.dry_run && titles.len() > 1 {
        sum.tell("all of them", json);
    }
    Ok(outcome)
}

/// The titles whose fields match, of those that are published.
async fn matching(
    app: &App,
    filter: &[String],
) -> anyhow::Result<Result<Vec<TitleRecord>, String>> {
    let mut conditions = Vec::new();
    for condition in filter {
        match condition.split_once('=') {
            Some((field, value)) if FIELDS.contains(&field) => conditions.push((field, value)),
            Some((field, _)) => {
                return Ok(Err(format!(
                    "there is no field `{field}`: there are {}",
                    FIELDS.join(", ")
                )));
            }
            None => return Ok(Err(format!("`{condition}` is not FIELD=VALUE"))),
        }
    }
    let mut records = Vec::new();
    for record in app.catalog.titles(&app.config.tenant, TITLES).await? {
        let Some(live) = record.live else { continue };
        let package = package_of(&record, live);
        let plan = app.catalog.package(&package).await?.and_then(|package| package.plan);
        let matches =
            |(field, value): &(&str, &str)| field_of(&record, plan.as_ref(), field) == *value;
        if conditions.iter().all(matches) {
            records.push(record);
        }
    }
    Ok(Ok(records))
}

/// What `--where` can ask for.
const FIELDS: [&str; 6] = ["title", "state", "pipeline", "engine", "height", "master"];

/// A field of a title as text, empty where it is not known.
fn field_of(record: &TitleRecord, plan: Option<&Plan>, field: &str) -> String {
    match field {
        "title" => record.title.to_string(),
        "state" => record.state.name().to_owned(),
        "pipeline" => plan.map_or(record.pipeline.clone(), |plan| plan.pipeline.name.clone()),
        "engine" => plan.map(|plan| plan.engine.clone()).unwrap_or_default(),
        "height" => {
            let best = plan.and_then(|plan| plan.video.first());
            best.map(|video| video.width.min(video.height).to_string()).unwrap_or_default()
        }
        "master" => record.master.map(|sha256| sha256.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn package_of(record: &TitleRecord, version: Version) -> PackageId {
    PackageId { tenant: record.tenant.clone(), title: record.title.clone(), version }
}

/// What work takes, going by what it took before.
#[derive(Debug, Default)]
struct Cost {
    spans: u64,
    audio: u64,
    cpu_ms: u64,
    bytes: u64,
}

impl Cost {
    fn tell(&self, title: &str, json: bool) {
        let Cost { spans, audio, cpu_ms, bytes } = self;
        if json {
            say(&json!({
                "title": title, "spans": spans, "audio_tracks": audio, "cpu_seconds": *cpu_ms as f64 / 1000.0,
                "bytes": bytes,
            })
            .to_string());
        } else {
            let cpu = length(*cpu_ms as f64 / 1000.0);
            say(&format!(
                "{title}  {spans} spans, {audio} audio tracks, about {cpu} of processor time and {bytes} bytes on each origin"
            ));
        }
    }
}

/// One title that is to be made again.
struct Request<'a> {
    app: &'a App,
    args: &'a RetranscodeArgs,
    record: &'a TitleRecord,
    json: bool,
}

impl Request<'_> {
    fn title(&self) -> &TitleId {
        &self.record.title
    }

    /// What is to be made again, when it is not everything.
    fn remake(&self, live: Version) -> Option<Remake> {
        let RetranscodeArgs { rendition, from, to, reason, .. } = self.args;
        let in_part = !rendition.is_empty() || from.is_some() || to.is_some();
        in_part.then(|| Remake {
            base: live,
            renditions: rendition.clone(),
            from_ms: *from,
            to_ms: *to,
            reason: reason.clone(),
            heals: false,
        })
    }

    fn refuse(&self, code: Code, message: String) -> anyhow::Result<Outcome> {
        refuse(self.title(), &Refusal::new(code, message), self.json)
    }

    async fn queue(&self) -> anyhow::Result<Outcome> {
        let Some(live) = self.record.live else {
            return self.refuse(
                Code::NotProven,
                format!("title `{}` is not published: ingest its master", self.title()),
            );
        };
        if self.record.master_path.is_empty() && !self.has_copy().await? {
            let text = "the catalog was rebuilt and does not know where the master is: ingest it again to tell";
            return self.refuse(Code::MasterGone, text.to_owned());
        }
        let new = NewTitle {
            tenant: self.record.tenant.clone(),
            title: self.title().clone(),
            master_path: self.record.master_path.clone(),
            pipeline: self.args.pipeline.clone().unwrap_or_else(|| self.record.pipeline.clone()),
            again: true,
            remake: self.remake(live),
        };
        let submitted = self.app.engine.submit(&new).await?;
        let (Submitted::Queued(version) | Submitted::InProgress(version)) = submitted;
        if self.args.wait {
            return see_through(self.app, self.title(), version, self.json).await;
        }
        if self.json {
            say(&json!({ "title": self.title(), "version": version }).to_string());
        } else {
            say(&format!(
                "{}  queued as {version}; viewers keep {live} until it is proven",
                self.title()
            ));
        }
        Ok(Outcome::Done)
    }

    /// Whether the archive has a copy of the master.
    async fn has_copy(&self) -> anyhow::Result<bool> {
        let (Some(archive), Some(sha256)) =
            (self.app.config.policy.archive.as_deref(), self.record.master)
        else {
            return Ok(false);
        };
        let known = self.app.catalog.master(&self.record.tenant, sha256).await?;
        Ok(known.is_some_and(|known| known.copy_on(archive).is_some()))
    }

    /// What it would take: the share of spans and renditions that are made, of what the live version took.
    async fn estimate(&self, sum: &mut Cost) -> anyhow::Result<Outcome> {
        let Some(live) = self.record.live else {
            news(&format!("{}  is not published", self.title()));
            return Ok(Outcome::Refused);
        };
        let package = self.app.catalog.package(&package_of(self.record, live)).await?;
        let package = package.context("the package vanished from the catalog")?;
        let Some(plan) = &package.plan else {
            news(&format!("{}  nothing is known about {live} to go by", self.title()));
            return Ok(Outcome::Refused);
        };
        let base = match self.remake(live).map(|remake| again(plan, &remake)) {
            Some(Ok(base)) => Some(base),
            Some(Err(problem)) => return self.refuse(Code::PipelineMismatch, problem),
            None => None,
        };
        let plan = Plan { base, ..plan.clone() };
        let made = plan.to_make();
        let spans = if made.video.is_empty() { 0 } else { plan.spans.len() };
        let copied = plan.base.as_ref().map_or(0, |base| base.copied.len()).min(spans);
        let audio = plan.audio.iter().filter(|audio| !plan.keeps(&audio.name)).count();
        let pixels = |plan: &Plan| -> f64 {
            plan.video.iter().map(|v| f64::from(v.width) * f64::from(v.height)).sum()
        };
        let of_picture = pixels(&made) / pixels(&plan).max(1.0);
        let of_time = (spans - copied) as f64 / plan.spans.len().max(1) as f64;
        let share = of_picture * of_time;
        let cost = Cost {
            spans: (spans - copied) as u64,
            audio: audio as u64,
            cpu_ms: (self.record.progress.cpu_ms as f64 * share) as u64,
            bytes: (package.bytes as f64 * of_picture) as u64,
        };
        cost.tell(self.title().as_str(), self.json);
        sum.spans += cost.spans;
        sum.audio += cost.audio;
        sum.cpu_ms += cost.cpu_ms;
        sum.bytes += cost.bytes;
        Ok(Outcome::Done)
    }
}
