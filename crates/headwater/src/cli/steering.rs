//! What the commands that steer the queue are told: `tasks`, `task`, `title`, and how much a title is wanted.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, value_parser};
use headwater_model::id::TitleId;
use headwater_model::lane::Priority;
use headwater_model::steering::{Order, TaskOrder, TaskState};

/// Tasks that are listed unless somebody asks for more: some pages full.
const LISTED: u32 = 200;

/// `headwater tasks`.
#[derive(Debug, Args)]
pub(crate) struct TasksArgs {
    /// Those of one title
    pub(crate) title: Option<TitleId>,
    /// Only those in one of these states, with commas between them [default: all that are not over]
    #[arg(long, value_name = "STATES", value_delimiter = ',', value_parser = task_state())]
    pub(crate) state: Vec<TaskState>,
    /// Only what this worker has in hand
    #[arg(long, value_name = "NAME")]
    pub(crate) worker: Option<String>,
    /// How many are shown, the oldest first
    #[arg(long, value_name = "N", default_value_t = LISTED, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) limit: u32,
}

/// `headwater task`.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Try a task at once, with all its tries unused: one that waits for its next try, or that was given up
    Retry {
        /// Its number, as `headwater tasks` shows it
        #[arg(value_name = "N", value_parser = value_parser!(i64).range(1..))]
        task: i64,
    },
    /// Give up a task, and with it the version that is not whole without it; viewers keep what they have
    Cancel {
        /// Its number, as `headwater tasks` shows it
        #[arg(value_name = "N", value_parser = value_parser!(i64).range(1..))]
        task: i64,
    },
}

impl TaskCommand {
    /// Which task, and what is asked of it.
    pub(crate) fn order(&self) -> (i64, TaskOrder) {
        match self {
            TaskCommand::Retry { task } => (*task, TaskOrder::Retry),
            TaskCommand::Cancel { task } => (*task, TaskOrder::Cancel),
        }
    }
}

/// `headwater title`.
#[derive(Debug, Subcommand)]
pub(crate) enum TitleCommand {
    /// Begin nothing more of a title; what is under way is finished
    Hold {
        /// The title
        title: TitleId,
    },
    /// Go on with a title that is held
    Release {
        /// The title
        title: TitleId,
    },
    /// Give up the version that is being made, or the healing of the one that viewers have; viewers keep what they have
    Cancel {
        /// The title
        title: TitleId,
    },
    /// Want a title more than others, or less
    Priority {
        /// The title
        title: TitleId,
        /// How much
        #[arg(value_parser = priority())]
        priority: Priority,
    },
}

impl TitleCommand {
    /// Which title, and what is asked of it.
    pub(crate) fn order(self) -> (TitleId, Order) {
        match self {
            TitleCommand::Hold { title } => (title, Order::Hold),
            TitleCommand::Release { title } => (title, Order::Release),
            TitleCommand::Cancel { title } => (title, Order::Cancel),
            TitleCommand::Priority { title, priority } => (title, Order::Prioritise(priority)),
        }
    }
}

/// Reads a priority; the help lists them all.
pub(super) fn priority() -> impl TypedValueParser<Value = Priority> {
    PossibleValuesParser::new(Priority::ALL.map(Priority::name))
        .try_map(|word| word.parse::<Priority>())
}

/// Reads the state of a task; the help lists them all.
fn task_state() -> impl TypedValueParser<Value = TaskState> {
    PossibleValuesParser::new(TaskState::ALL.map(TaskState::name)).try_map(|word| {
        let known = TaskState::ALL.into_iter().find(|state| state.name() == word);
        known.ok_or_else(|| format!("`{word}` is not a state of a task"))
    })
}
