//! `headwater retranscode`: makes published titles again, whole or in part.

mod choice;

use headwater_model::cost::{Cost, Past, cost};
use headwater_model::history::counted;
use headwater_model::id::Version;
use headwater_model::key::PackageId;
use headwater_model::lane::DEFAULT_POOL;
use headwater_model::life::{Making, TitleRecord};
use headwater_model::plan::{Base, Plan, again, video_renditions};
use headwater_model::task::{NewTitle, Remake};
use headwater_ports::catalog::Submitted;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::choice::Senseless;
use crate::app::{self, App};
use crate::cli::{Outcome, RetranscodeArgs};
use crate::commands::ingest::see_through;
use crate::commands::{
    OR_WAIT, misuse, named, tell_if_held, tell_if_nobody_works, turn_down, unknown_title,
};
use crate::config::Config;
use crate::origins::Need;
use crate::report::length;
use crate::stopping::stop_signal;
use crate::terminal::{news, say};

/// Queues one title or all that match; with `dry_run`, says what that would take.
pub(crate) async fn retranscode(
    config: Config,
    mut args: RetranscodeArgs,
    json: bool,
) -> anyhow::Result<Outcome> {
    if let Some(pipeline) = args.pipeline.take() {
        match named(&config, pipeline, json)? {
            Ok(pipeline) => args.pipeline = Some(pipeline),
            Err(outcome) => return Ok(outcome),
        }
    }
    if let Some(name) = &args.pipeline
        && let Err(refusal) = app::pipeline(config.pipelines_dir.as_deref(), name)
    {
        let hint = "`headwater pipelines list` shows what there is";
        return Ok(turn_down(("pipeline", name), &refusal.message, hint, json));
    }
    let from = args.from.unwrap_or(0);
    if let Some(to) = args.to.filter(|to| *to <= from) {
        let (from, end) = (from as f64 / 1000.0, to as f64 / 1000.0);
        let message =
            format!("that time ends at {end} s, which is not behind its start at {from} s");
        let hint = "`--to` has to be later than `--from`";
        return Ok(misuse(("option", "to"), &message, hint, json));
    }
    let senseless =
        |it: Senseless| Ok(misuse(("where", &it.condition), &it.message, &it.hint, json));
    let conditions = match choice::conditions(&args.filter) {
        Ok(conditions) => conditions,
        Err(problem) => return senseless(problem),
    };
    let app = match args.wait {
        true => App::open_patiently(config, Need::Publishing).await?,
        false => App::open(config, Need::Nothing).await?,
    };
    let titles = match &args.title {
        Some(title) => match app.catalog.title(&app.config.tenant, title).await? {
            Some(record) => vec![record],
            None => return unknown_title(&app, title, json).await,
        },
        None => match choice::matching(&app, &conditions).await? {
            Ok(titles) => titles,
            Err(problem) => return senseless(problem),
        },
    };
    if titles.is_empty() {
        let asked = ("where", args.filter.join(" "));
        let hint = "`headwater status` lists the titles";
        return Ok(turn_down((asked.0, &asked.1), "no published title matches", hint, json));
    }
    let stop = stop_signal()?;
    let (mut outcome, mut sum, mut is_queued) = (Outcome::Done, None, false);
    for record in &titles {
        if stop.is_cancelled() {
            news(&format!(
                "stopped before {}: it and what comes behind it is as it was",
                record.title
            ));
            return Ok(Outcome::Refused);
        }
        let ended = match Request::new(&app, &args, record, json).await? {
            Err(refused) => refused,
            Ok(request) if args.dry_run => {
                let cost = request.estimate().await?;
                tell(record.title.as_str(), &cost, json);
                sum = Some(sum.map_or(cost, |sum: Cost| sum.and(cost)));
                Outcome::Done
            }
            Ok(request) => {
                let ended = request.queue(&stop).await?;
                is_queued |= ended == Outcome::Done;
                ended
            }
        };
        if ended != Outcome::Done {
            outcome = ended;
        }
    }
    if let Some(sum) = sum.filter(|_| titles.len() > 1) {
        tell("all of them", &sum, json);
    }
    if is_queued && !args.wait && !json {
        tell_if_nobody_works(&app, OR_WAIT).await?;
    }
    Ok(outcome)
}

fn package_of(record: &TitleRecord, version: Version) -> PackageId {
    PackageId { tenant: record.tenant.clone(), title: record.title.clone(), version }
}

fn tell(title: &str, cost: &Cost, json: bool) {
    let Cost { spans, audio_tracks, cpu_ms, bytes } = cost;
    let cpu_seconds = cpu_ms.map(|ms| ms as f64 / 1000.0);
    if json {
        let mut line = json!({
            "title": title, "spans": spans, "audio_tracks": audio_tracks, "bytes": bytes,
        });
        if let Some(seconds) = cpu_seconds {
            line["cpu_seconds"] = seconds.into();
        }
        return say(&line.to_string());
    }
    let cpu = match cpu_seconds {
        Some(seconds) => format!("about {} of processor time", length(seconds)),
        None => "nobody knows how much processor time".to_owned(),
    };
    say(&format!(
        "{title}  {}, {}, {cpu} and about {} on each origin",
        counted(*spans, "span"),
        counted(*audio_tracks, "audio track"),
        counted(*bytes, "byte")
    ));
}

/// One title that is to be made again, and can be.
struct Request<'a> {
    app: &'a App,
    args: &'a RetranscodeArgs,
    record: &'a TitleRecord,
    json: bool,
    /// What viewers get.
    live: Version,
    /// How that came about.
    making: Making,
    /// Its plan.
    plan: Plan,
    /// Bytes of it.
    bytes: u64,
    /// What is to be made again, when it is not everything.
    remake: Option<Remake>,
    /// What stays then.
    base: Option<Base>,
}

impl<'a> Request<'a> {
    /// What can be known before anything is queued is looked at here: what ends up in the queue and fails there is read
    /// about by nobody.
    async fn new(
        app: &'a App,
        args: &'a RetranscodeArgs,
        record: &'a TitleRecord,
        json: bool,
    ) -> anyhow::Result<Result<Self, Outcome>> {
        let title = record.title.as_str();
        let no =
            |message: &str, hint: &str| Ok(Err(turn_down(("title", title), message, hint, json)));
        let Some(live) = record.live else {
            let hint = "make it by ingesting its master: `headwater ingest FILE`";
            return no(&format!("title `{title}` is not published"), hint);
        };
        let package = package_of(record, live);
        let known = app.catalog.package(&package).await?;
        let making = app.catalog.making(&package).await?;
        let (Some((plan, bytes)), Some(making)) =
            (known.and_then(|known| Some((known.plan?, known.bytes))), making)
        else {
            let hint = "ingest its master anew: `headwater ingest FILE --again`";
            return no(&format!("nothing is known about how {live} of `{title}` was made"), hint);
        };
        let RetranscodeArgs { rendition, from, to, reason, .. } = args;
        let in_part = !rendition.is_empty() || from.is_some() || to.is_some();
        let remake = in_part.then(|| Remake {
            base: live,
            renditions: rendition.clone(),
            from_ms: *from,
            to_ms: *to,
            reason: reason.clone(),
            heals: false,
        });
        let base = match remake.as_ref().map(|remake| again(&plan, remake)).transpose() {
            Ok(base) => base,
            Err(problem) => {
                let hint = "correct `--rendition`, `--from` or `--to`: `--dry-run` shows what would be made";
                return no(&format!("{problem} (title `{title}`)"), hint);
            }
        };
        let request = Self { app, args, record, json, live, making, plan, bytes, remake, base };
        if !args.dry_run && request.master_path().is_empty() && !request.has_copy().await? {
            let message = format!(
                "the catalog was rebuilt and does not know where the master of `{title}` is"
            );
            return no(&message, "ingest the master again to tell");
        }
        Ok(Ok(request))
    }

    /// The master that viewers have, and where that is not known, the newest that there is.
    fn master_path(&self) -> &str {
        match self.making.master_path.as_str() {
            "" => &self.record.master_path,
            path => path,
        }
    }

    async fn queue(&self, stop: &CancellationToken) -> anyhow::Result<Outcome> {
        let title = &self.record.title;
        let new = NewTitle {
            tenant: self.record.tenant.clone(),
            title: title.clone(),
            master_path: self.master_path().to_owned(),
            pipeline: self.args.pipeline.as_ref().unwrap_or(&self.making.pipeline).clone(),
            pool: DEFAULT_POOL.to_owned(),
            priority: self.args.priority,
            again: true,
            remake: self.remake.clone(),
            reason: self.args.reason.clone().filter(|_| self.remake.is_none()),
        };
        let (version, queued) = match self.app.engine.submit(&new).await? {
            Submitted::Queued(version) => (version, true),
            Submitted::InProgress(version) if self.is_made_as(version).await? => (version, false),
            Submitted::InProgress(version) => {
                let message = format!(
                    "{version} of `{title}` is being made, and it is something else: nothing was queued"
                );
                let hint =
                    format!("ask again once it is published: `headwater status {title} --follow`");
                return Ok(turn_down(("title", title.as_str()), &message, &hint, self.json));
            }
        };
        if self.args.wait {
            return see_through(self.app, title, version, self.json, stop).await;
        }
        if self.json {
            say(&json!({ "title": title, "version": version, "queued": queued }).to_string());
        } else if queued {
            say(&format!(
                "{title}  queued as {version}; viewers keep {} until it is proven",
                self.live
            ));
        } else {
            say(&format!("{title}  is being made already, as {version}"));
        }
        tell_if_held(self.app, title).await?;
        Ok(Outcome::Done)
    }

    /// Whether that version, which is being made, is what is asked for.
    async fn is_made_as(&self, version: Version) -> anyhow::Result<bool> {
        let what = |remake: &Remake| Remake { reason: None, heals: false, ..remake.clone() };
        let making = self.app.catalog.making(&package_of(self.record, version)).await?;
        let made = making.and_then(|making| making.remake);
        Ok(made.as_ref().map(what) == self.remake.as_ref().map(what))
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

    /// What it would take, going by what viewers have and by the versions that this goes back to.
    async fn estimate(&self) -> anyhow::Result<Cost> {
        let mut plan = Plan { base: self.base.clone(), ..self.plan.clone() };
        if let Some(name) = &self.args.pipeline
            && let Ok(pipeline) = app::pipeline(self.app.config.pipelines_dir.as_deref(), name)
            && let Some(track) = self.record.facts.as_ref().and_then(|facts| facts.video.first())
        {
            // Its spans may be cut otherwise; what they take in all depends on the ladder.
            plan.video = video_renditions(&pipeline, track, self.plan.cadence.rate());
            plan.pipeline = pipeline;
        }
        let mut past = vec![(self.plan.clone(), self.making.spent.clone())];
        while let Some(before) = past.last().and_then(|(plan, _)| plan.base.as_ref()) {
            let package = package_of(self.record, before.version);
            let known = self.app.catalog.package(&package).await?.and_then(|known| known.plan);
            let making = self.app.catalog.making(&package).await?;
            let (Some(plan), Some(making)) = (known, making) else { break };
            past.push((plan, making.spent));
        }
        let past: Vec<Past<'_>> = past.iter().map(|(plan, spent)| Past { plan, spent }).collect();
        Ok(cost(&plan, &past, self.bytes))
    }
}
