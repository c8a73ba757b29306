//! `headwater tasks` and `headwater task`: what the queue has, and orders about one task of it.

use headwater_model::history::counted;
use headwater_model::id::{TitleId, Version};
use headwater_model::lane::{Needs, Priority};
use headwater_model::steering::{Answer, TaskFilter, TaskOrder, TaskRecord, TaskState};
use headwater_model::time::Timestamp;
use headwater_model::worker::WorkerRecord;
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::cli::{Outcome, TasksArgs};
use crate::commands::stuck::{lack, may_be_stuck, sentences};
use crate::commands::{tell_if_held, tell_if_nobody_works, turn_down, unknown_title};
use crate::config::Config;
use crate::origins::Need;
use crate::table::{lasting, lines};
use crate::terminal::{news, say};

/// How far beyond what is shown tasks are counted. Whoever has more left out learns nothing from the exact number.
const COUNTED_BEYOND: u32 = 1000;

/// Lists tasks, oldest first.
pub(crate) async fn tasks(config: Config, args: TasksArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Nothing).await?;
    let tenant = &app.config.tenant;
    if let Some(title) = &args.title
        && app.catalog.title(tenant, title).await?.is_none()
    {
        return unknown_title(&app, title, json).await;
    }
    let TasksArgs { title, state: states, worker, limit } = args;
    let filter =
        TaskFilter { states, title: title.map(|title| title.to_string()), worker, task: None };
    let asked = limit.saturating_add(COUNTED_BEYOND);
    let mut found = app.catalog.tasks(tenant, &filter, asked).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX).min(found.len());
    let workers = match found.iter().any(may_be_stuck) {
        true => app.catalog.workers().await?,
        false => vec![],
    };
    let stuck = sentences(&found, &workers);
    let left_out = found.split_off(shown).len();
    if json {
        for task in &found {
            say(&serde_json::to_string(&TaskReport::of(task, &workers))?);
        }
    } else if found.is_empty() {
        say(match filter.states.as_slice() {
            [] => "no open tasks (--state done,failed,cancelled shows those that are over)",
            _ => "no such tasks",
        });
    } else {
        for line in table(&found, app.clock.now()) {
            say(&line);
        }
        for line in &stuck {
            say(line);
        }
    }
    if left_out > 0 {
        news(&left_out_in_words(left_out, limit));
    }
    if let Some(worker) = filter.worker.filter(|_| found.is_empty()) {
        tell_if_unknown(&app, &worker).await?;
    }
    if !json {
        if found.iter().any(|task| task.last_words.is_some()) {
            news("hint: with --json, what the transcoder said last is told too");
        }
        if found.iter().any(|task| task.state.is_open()) {
            tell_if_nobody_works(&app, "").await?;
        }
    }
    Ok(Outcome::Done)
}

/// Says so when nobody has heard of a worker.
async fn tell_if_unknown(app: &App, name: &str) -> anyhow::Result<()> {
    let workers = app.catalog.workers().await?;
    let mut names = workers.iter().map(|record| record.worker.name.as_str());
    if names.clone().any(|known| known == name) {
        return Ok(());
    }
    let near = headwater_spec::nearest(name, &mut names);
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    news(&format!(
        "hint: no worker `{name}` was heard of within a day: {near}`headwater workers` lists those that were"
    ));
    Ok(())
}

fn left_out_in_words(left_out: usize, limit: u32) -> String {
    let more = match u32::try_from(left_out) {
        Ok(left_out) if left_out < COUNTED_BEYOND => counted(left_out.into(), "task"),
        _ => format!("{} or more", counted(COUNTED_BEYOND.into(), "task")),
    };
    format!(
        "{more} left out: --limit shows more than {limit}, --state and a title choose among them"
    )
}

/// A task as `--json` prints it.
#[derive(Debug, Serialize)]
struct TaskReport<'a> {
    task: i64,
    title: &'a TitleId,
    version: Version,
    /// In words, counted from 1: `prepare`, `span 3`.
    kind: String,
    state: TaskState,
    priority: Priority,
    /// What a worker has to have for it, while it may be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<&'a Needs>,
    /// Why no living worker may take it, though it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    /// Tries so far, those that failed, and those whose worker fell silent.
    tries: u32,
    failures: u32,
    losses: u32,
    /// Milliseconds since 1970, as all times: when it may be claimed, or when its claim ends. Absent when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    /// When it was first begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    updated: Timestamp,
    frames: u64,
    frames_done: u64,
    /// Why its last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// What the transcoder said last in that try.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_words: Option<&'a str>,
}

impl<'a> TaskReport<'a> {
    fn of(task: &'a TaskRecord, workers: &[WorkerRecord]) -> Self {
        Self {
            task: task.task,
            title: &task.package.title,
            version: task.package.version,
            kind: task.kind.to_string(),
            state: task.state,
            priority: task.priority,
            needs: task.needs.as_ref(),
            stuck: lack(task, workers).map(|lack| lack.to_string()),
            worker: task.worker.as_deref(),
            tries: task.attempts,
            failures: task.failures,
            losses: task.losses,
            due: task.state.is_open().then_some(task.due),
            started: task.started,
            updated: task.updated,
            frames: task.frames,
            frames_done: task.frames_done,
            code: task.trouble.as_ref().map(|trouble| trouble.code.as_str()),
            message: task.trouble.as_ref().map(|trouble| trouble.message.as_str()),
            last_words: task.last_words.as_deref(),
        }
    }
}

const HEADS: [&str; 11] = [
    "TASK", "TITLE", "VERSION", "KIND", "STATE", "PRIORITY", "WORKER", "TRY", "FRAMES", "SINCE",
    "TROUBLE",
];

/// Tasks for people. What is as usual is left out.
fn table(tasks: &[TaskRecord], now: Timestamp) -> Vec<String> {
    let rows: Vec<[String; HEADS.len()]> = tasks.iter().map(|task| row(task, now)).collect();
    lines(HEADS, &rows)
}

fn row(task: &TaskRecord, now: Timestamp) -> [String; HEADS.len()] {
    let unless = |usual: bool, text: String| if usual { String::new() } else { text };
    [
        task.task.to_string(),
        task.package.title.to_string(),
        task.package.version.to_string(),
        task.kind.to_string(),
        task.state.name().to_owned(),
        unless(task.priority == Priority::Normal, task.priority.to_string()),
        task.worker.clone().unwrap_or_default(),
        unless(task.attempts == 0, task.attempts.to_string()),
        unless(task.frames == 0, format!("{}/{}", task.frames_done, task.frames)),
        since(task, now),
        task.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

/// Since when a task is as it is, or until when.
fn since(task: &TaskRecord, now: Timestamp) -> String {
    match task.state {
        TaskState::Queued => format!("for {}", lasting(now.0 - task.due.0)),
        TaskState::Waiting => format!("next try in {}", lasting(task.due.0 - now.0)),
        TaskState::Silent => format!("for {}", lasting(now.0 - task.due.0)),
        TaskState::Leased => format!("for {}", lasting(now.0 - task.updated.0)),
        TaskState::Held => String::new(),
        TaskState::Done | TaskState::Failed | TaskState::Cancelled => {
            format!("{} ago", lasting(now.0 - task.updated.0))
        }
    }
}

/// Does what is asked of a task.
pub(crate) async fn steer(
    config: Config,
    (task, order): (i64, TaskOrder),
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Nothing).await?;
    let number = task.to_string();
    let no = |message: &str, hint: &str| Ok(turn_down(("task", &number), message, hint, json));
    match app.catalog.steer_task(&app.config.tenant, task, order).await? {
        Answer::Unknown => no(
            &format!("there is no task {task}"),
            "`headwater tasks` lists those that are open, with --state those that are over",
        ),
        Answer::Refused(why) => {
            let hint = match order {
                TaskOrder::Retry => {
                    "`headwater tasks --state waiting,failed,cancelled` lists those that can be tried"
                }
                TaskOrder::Cancel => "`headwater tasks` lists those that can be cancelled",
            };
            no(&format!("task {task} stays as it is: {why}"), hint)
        }
        Answer::Done => {
            let (word, text) = match order {
                TaskOrder::Retry => ("retry", "queued again, with all its tries unused"),
                TaskOrder::Cancel => ("cancel", "cancelled"),
            };
            let states = vec![TaskState::Held];
            let held = TaskFilter { states, task: Some(task), ..TaskFilter::default() };
            let held = app.catalog.tasks(&app.config.tenant, &held, 1).await?.pop();
            if json {
                let mut line = json!({ "task": task, "order": word, "done": true });
                if held.is_some() {
                    line["held"] = true.into();
                }
                say(&line.to_string());
            } else {
                say(&format!("task {task}  {text}"));
                if let Some(held) = held {
                    tell_if_held(&app, &held.package.title).await?;
                }
                if order == TaskOrder::Retry {
                    tell_if_nobody_works(&app, "").await?;
                }
            }
            Ok(Outcome::Done)
        }
    }
}

#[cfg(test)]
mod tests;
