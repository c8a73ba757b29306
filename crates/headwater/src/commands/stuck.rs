//! What waits in vain: tasks that nobody who is alive can take, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_model::history::counted;
use headwater_model::id::TitleId;
use headwater_model::steering::{TaskFilter, TaskRecord, TaskState};
use headwater_model::worker::{Lack, WorkerRecord, WorkerState};
use tokio::time::Instant;

use crate::app::App;
use crate::commands;
use crate::terminal::news;

/// Tasks of a title among which is looked for such. What nobody can take of the oldest of them, nobody can of others.
const LOOKED_AT: u32 = 1000;

/// Whether somebody may take it at once, if there is anybody.
pub(crate) fn may_be_stuck(task: &TaskRecord) -> bool {
    matches!(task.state, TaskState::Queued | TaskState::Silent) && task.needs.is_some()
}

/// Why none of `workers` may take a task that is free.
pub(crate) fn lack(task: &TaskRecord, workers: &[WorkerRecord]) -> Option<Lack> {
    let needs = task.needs.as_ref().filter(|_| may_be_stuck(task))?;
    Lack::of(task.kind.role(), needs, workers)
}

/// Tasks that are free and that no living worker may take, by what is lacking. None where nobody is alive: the one hint
/// about that is enough.
fn stuck(tasks: &[TaskRecord], workers: &[WorkerRecord]) -> BTreeMap<Lack, u64> {
    let mut groups = BTreeMap::new();
    if workers.iter().any(|record| record.state == WorkerState::Alive) {
        for lack in tasks.iter().filter_map(|task| lack(task, workers)) {
            *groups.entry(lack).or_default() += 1;
        }
    }
    groups
}

/// A sentence for each thing that is lacking.
pub(crate) fn sentences(tasks: &[TaskRecord], workers: &[WorkerRecord]) -> Vec<String> {
    stuck(tasks, workers).iter().map(|(lack, tasks)| sentence(lack, *tasks)).collect()
}

fn sentence(lack: &Lack, tasks: u64) -> String {
    let (tasks, waits) = (counted(tasks, "task"), if tasks == 1 { "waits" } else { "wait" });
    format!("{tasks} {waits} in vain, since {lack}: {}", lack.next_step())
}

/// Looks now and then whether what a command waits for can be done at all.
pub(crate) struct Lookout {
    told: BTreeSet<Lack>,
    /// Whether it was held when looked at last.
    held: bool,
    next: Instant,
}

impl Lookout {
    /// Between two looks; and until the first, for this process may be just about to do the work itself.
    const EVERY: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        Self { told: BTreeSet::new(), held: false, next: Instant::now() + Self::EVERY }
    }

    /// Says so if the title is held already: whoever waits for it would not see why nothing happens.
    pub(crate) async fn begin(app: &App, title: &TitleId) -> anyhow::Result<Self> {
        let mut lookout = Self::new();
        lookout.tell_if_held(app, title).await?;
        Ok(lookout)
    }

    /// The same when it is held while somebody waits for it.
    async fn tell_if_held(&mut self, app: &App, title: &TitleId) -> anyhow::Result<()> {
        let before = std::mem::take(&mut self.held);
        let record = app.catalog.title(&app.config.tenant, title).await?;
        self.held = record.is_some_and(|record| record.held);
        if self.held && !before {
            commands::tell_held(title);
        }
        Ok(())
    }

    /// Says what is lacking for a title, each thing once; does nothing when it has looked just before.
    pub(crate) async fn look(&mut self, app: &App, title: &TitleId) -> anyhow::Result<()> {
        if Instant::now() >= self.next {
            self.tell_if_held(app, title).await?;
            self.tell(app, title).await?;
            self.next = Instant::now() + Self::EVERY;
        }
        Ok(())
    }

    /// The same at once.
    pub(crate) async fn tell(&mut self, app: &App, title: &TitleId) -> anyhow::Result<()> {
        let states = vec![TaskState::Queued, TaskState::Silent];
        let of_title =
            TaskFilter { states, title: Some(title.to_string()), ..TaskFilter::default() };
        let tasks = app.catalog.tasks(&app.config.tenant, &of_title, LOOKED_AT).await?;
        if tasks.is_empty() {
            return Ok(());
        }
        for (lack, tasks) in stuck(&tasks, &app.catalog.workers().await?) {
            if !self.told.contains(&lack) {
                news(&format!("hint: {}", sentence(&lack, tasks)));
                self.told.insert(lack);
            }
        }
        Ok(())
    }
}
