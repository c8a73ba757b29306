//! The command line: what can be asked for, and which exit code an answer gets.

pub(crate) mod steering;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgGroup, Parser, Subcommand};
use headwater_model::id::{TitleId, Version};
use headwater_model::lane::Priority;
use headwater_model::origin::Verify;
use headwater_model::process::{Role, Roles, is_pool_name, is_worker_name};

use crate::commands::{
    audit, gc, heal, incidents, ingest, origin, pipelines, probe, rebuild, retranscode, rollback,
    status, tasks, title, up, verify, workers,
};
use crate::config::{Config, DRAIN_SECONDS, Flags, NAME_RULE, POOL_RULE, SLOTS};
use crate::{env_vars, terminal};

pub(crate) use self::steering::TasksArgs;
use self::steering::{TaskCommand, TitleCommand, priority};

/// Turns source masters into HLS and DASH packages, and never publishes one with a hole in it.
#[derive(Debug, Parser)]
#[command(
    name = "headwater",
    version,
    after_help = "Exit codes: 0 done, 1 the work failed or was refused, or the answer is no, 2 usage or configuration; 130 or 143 if a second SIGINT or SIGTERM ended it at once."
)]
struct Cli {
    /// Configuration file [default: headwater.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for everything that the service keeps [default: headwater-data]
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: drop folder, workers, verifier, publisher and web page
    Up(UpArgs),
    /// Run transcoders only, beside a service that does the rest
    Worker(WorkerArgs),
    /// Queue a master
    Ingest(IngestArgs),
    /// Show titles and what happened to them
    Status {
        /// One title, with its history
        title: Option<TitleId>,
        /// Go on showing until nothing more will happen
        #[arg(long)]
        follow: bool,
    },
    /// Show what the queue has
    Tasks(TasksArgs),
    /// Try a task at once, or give it up
    #[command(subcommand)]
    Task(TaskCommand),
    /// Hold a title, let it go on, give it up, or say how much it is wanted
    #[command(subcommand)]
    Title(TitleCommand),
    /// Show who works on the queue
    Workers,
    /// Prove again that the origin holds every object of a published title
    Verify {
        /// The title
        title: TitleId,
        /// What counts as proof [default: as configured for publishing]
        #[arg(long, value_enum)]
        policy: Option<ProofPolicy>,
    },
    /// Compare what origins hold with what they should, for all titles or some, and note what is wrong
    Audit(AuditArgs),
    /// Put right what origins have lost of a published title: from another origin, or from the master
    Heal(HealArgs),
    /// Show what was found wrong with objects on origins, and how it ended
    Incidents {
        /// One title
        title: Option<TitleId>,
        /// Those that are over too
        #[arg(long)]
        all: bool,
    },
    /// Make published titles again, whole or in part, while viewers keep what they have
    Retranscode(RetranscodeArgs),
    /// Give viewers an older version of a title again, once it is proven anew
    Rollback {
        /// The title
        title: TitleId,
        /// The version: v1
        #[arg(long, value_name = "VERSION", value_parser = version)]
        to: Version,
    },
    /// Delete versions that viewers have not got for some time, on every origin
    Gc {
        /// Only list what would be deleted
        #[arg(long)]
        dry_run: bool,
        /// Days since viewers got them last
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        older_than: u32,
        /// Versions of each title to keep all the same, for a rollback
        #[arg(long, value_name = "N", default_value_t = 1)]
        keep: usize,
    },
    /// Look after the catalog
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Look at the origins that the configuration names
    #[command(subcommand)]
    Origin(OriginCommand),
    /// Look at pipeline files
    #[command(subcommand)]
    Pipelines(PipelinesCommand),
    /// Show what is in a master
    Probe {
        /// The master: a path, `s3://bucket/key`, or an address that begins with `https://` or `http://`
        file: PathBuf,
    },
    /// What a worker starts for each piece of work
    #[command(name = headwater_media::SUBCOMMAND, hide = true)]
    TranscoderChild {
        /// Folder with the job
        spool: PathBuf,
    },
}

/// `headwater up`.
#[derive(Debug, clap::Args)]
struct UpArgs {
    /// What this process is there for: some of watch, worker, verify (which seals, heals and publishes too), archive, audit and http, with commas between them [default: all of them]
    #[arg(long, value_name = "ROLES")]
    roles: Option<Roles>,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// `headwater worker`.
#[derive(Debug, Default, clap::Args)]
struct WorkerArgs {
    /// Pool of workers that this one belongs to [default: cpu, unless configured otherwise]
    #[arg(long, value_name = "NAME", value_parser = pool)]
    pool: Option<String>,
    /// Transcoders at a time [default: what cores and memory allow, unless configured otherwise]
    #[arg(long, value_name = "N", value_parser = slots)]
    slots: Option<NonZeroUsize>,
    /// What it is called in the catalog [default: another name at every start, unless configured otherwise]
    #[arg(long, value_name = "NAME", value_parser = worker_name)]
    name: Option<String>,
    /// How long work under way may go on after SIGTERM before it is given back [default: 20, unless configured otherwise]
    #[arg(long, value_name = "SECONDS", value_parser = drain_seconds)]
    drain_timeout: Option<Duration>,
    /// Answer /livez and /readyz here too, whatever the roles
    #[arg(long, value_name = "ADDRESS")]
    health: Option<SocketAddr>,
}

impl WorkerArgs {
    /// What goes over the configuration.
    fn over(&self, flags: Flags) -> Flags {
        Flags {
            slots: self.slots,
            pool: self.pool.clone(),
            name: self.name.clone(),
            drain: self.drain_timeout,
            health_listen: self.health,
            ..flags
        }
    }
}

fn pool(text: &str) -> Result<String, String> {
    if is_pool_name(text) { Ok(text.to_owned()) } else { Err(POOL_RULE.to_owned()) }
}

fn worker_name(text: &str) -> Result<String, String> {
    if is_worker_name(text) { Ok(text.to_owned()) } else { Err(NAME_RULE.to_owned()) }
}

fn slots(text: &str) -> Result<NonZeroUsize, String> {
    let (least, most) = (SLOTS.start(), SLOTS.end());
    let number = text.parse::<u32>().ok().filter(|n| SLOTS.contains(n));
    let number = number.and_then(|n| NonZeroUsize::new(usize::try_from(n).ok()?));
    number.ok_or_else(|| format!("`{text}` is not a whole number from {least} to {most}"))
}

fn drain_seconds(text: &str) -> Result<Duration, String> {
    let (least, most) = (DRAIN_SECONDS.start(), DRAIN_SECONDS.end());
    let number = text.parse::<f64>().ok().filter(|n| DRAIN_SECONDS.contains(n));
    let number = number.map(Duration::from_secs_f64);
    number.ok_or_else(|| format!("`{text}` is not a number of seconds from {least} to {most}"))
}

/// `headwater ingest`.
#[derive(Debug, clap::Args)]
pub(crate) struct IngestArgs {
    /// The master: a path, `s3://bucket/key`, or an address that begins with `https://` or `http://`
    pub(crate) file: PathBuf,
    /// Title to make of it [default: the file's name]
    #[arg(long, value_name = "ID")]
    pub(crate) title: Option<TitleId>,
    /// Pipeline: a name, or a path to a .toml file [default: vod-h264, unless configured otherwise]
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// How much the title is wanted [default: as before, and normal for a new one]
    #[arg(long, value_name = "HOW", value_parser = priority())]
    pub(crate) priority: Option<Priority>,
    /// Wait until it is published or refused; with no service running, do the work right here
    #[arg(long)]
    pub(crate) wait: bool,
    /// Transcode even if this master has been transcoded before
    #[arg(long)]
    pub(crate) again: bool,
}

/// That one of two ways to say which titles are meant is there, and not both. Where neither is, both are told.
fn one_of(ways: [&'static str; 2]) -> ArgGroup {
    ArgGroup::new("which").args(ways).required(true)
}

/// `headwater audit`.
#[derive(Debug, clap::Args)]
#[command(group = one_of(["titles", "all"]))]
pub(crate) struct AuditArgs {
    /// Titles
    pub(crate) titles: Vec<TitleId>,
    /// Every title, and objects that belong to none
    #[arg(long)]
    pub(crate) all: bool,
    /// Only this origin [default: all that hold packages]
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Vec<String>,
    /// What counts [default: listing, or read with --sample]
    #[arg(long, value_enum)]
    pub(crate) policy: Option<ProofPolicy>,
    /// Read only a share of the objects, another one every time: 1%
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub(crate) sample: Option<f64>,
    /// Have what is found put right, as the service does by itself
    #[arg(long)]
    pub(crate) heal: bool,
    /// Start over instead of going on where an audit of everything was stopped
    #[arg(long, conflicts_with = "titles")]
    pub(crate) from_start: bool,
}

/// How closely is looked at what origins hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProofPolicy {
    /// Sizes and hashes from listings, HEAD where they cannot tell
    Listing,
    /// Every byte read back and hashed
    Read,
    /// Every byte through the CDN too: past its cache, and as viewers get it
    Edge,
}

impl From<ProofPolicy> for Verify {
    fn from(policy: ProofPolicy) -> Self {
        match policy {
            ProofPolicy::Listing => Verify::Listing,
            ProofPolicy::Read => Verify::Read,
            ProofPolicy::Edge => Verify::Edge,
        }
    }
}

/// A version as it is printed: `v3`; `3` is understood too.
fn version(text: &str) -> Result<Version, String> {
    let number = text.strip_prefix('v').unwrap_or(text).parse().ok().filter(|n| *n > 0);
    number.map(Version).ok_or_else(|| format!("`{text}` is not a version such as v1"))
}

/// A share as people write it: `1%`, `0.5 %`, `100%`.
fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').map(str::trim_end).unwrap_or(text).parse::<f64>();
    match number {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(format!("`{text}` is not a percentage above 0% and up to 100%")),
    }
}

/// `headwater retranscode`.
#[derive(Debug, clap::Args)]
#[command(group = one_of(["title", "filter"]))]
pub(crate) struct RetranscodeArgs {
    /// The title
    pub(crate) title: Option<TitleId>,
    /// All titles that match instead: FIELD=VALUE, such as pipeline=vod-h264, state=published, height=1080, engine=…; several have to match all
    #[arg(long = "where", id = "filter", value_name = "FIELD=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Another pipeline [default: the one that the title was made by]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["rendition", "from", "to"])]
    pub(crate) pipeline: Option<String>,
    /// Only this rendition, such as video-720p; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) rendition: Vec<String>,
    /// Only from this time on: 90, 90.5 or 1:30
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<u64>,
    /// Only until this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<u64>,
    /// Why, for the title's history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// How much the title is wanted from now on [default: as before]
    #[arg(long, value_name = "HOW", value_parser = priority())]
    pub(crate) priority: Option<Priority>,
    /// Only say what it would take
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until it is published or refused; with no service running, do the work right here
    #[arg(long)]
    pub(crate) wait: bool,
}

/// A moment of a presentation in milliseconds: seconds, or hours, minutes and seconds with colons between them.
fn moment(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is not a time such as 90, 90.5 or 1:02:30");
    let mut seconds = 0.0;
    for part in text.split(':') {
        let part: f64 = part.parse().map_err(|_| bad())?;
        if !(0.0..1e6).contains(&part) {
            return Err(bad());
        }
        seconds = seconds * 60.0 + part;
    }
    Ok((seconds * 1000.0).round() as u64)
}

/// `headwater heal`.
#[derive(Debug, clap::Args)]
#[command(group = one_of(["title", "all"]))]
pub(crate) struct HealArgs {
    /// The title
    pub(crate) title: Option<TitleId>,
    /// Every title with an open incident
    #[arg(long)]
    pub(crate) all: bool,
    /// Only say what is wrong and what would be done about it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Fill an empty catalog with what an origin holds: titles, packages, inventories and pointers
    Rebuild {
        /// Name of the origin
        #[arg(long, value_name = "NAME")]
        origin: String,
    },
}

#[derive(Debug, Subcommand)]
enum OriginCommand {
    /// Find out whether an origin can be used, and what it does with what it is told; leaves nothing behind
    Test {
        /// Its name in the configuration
        name: String,
    },
    /// List the origins
    List,
}

#[derive(Debug, Subcommand)]
enum PipelinesCommand {
    /// Check a pipeline file and show what it resolves to
    Check {
        /// The file
        file: PathBuf,
    },
    /// List the pipelines that can be named
    List,
}

/// How a command ended, when it ended as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: the answer was printed, and it is no.
    Refused,
    /// Exit code 2: it was said what of the command line makes no sense.
    Misused,
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Command::TranscoderChild { spool } = &cli.command {
        return headwater_media::child::main(spool);
    }
    let flags = Flags { config: cli.config, data_dir: cli.data_dir, ..Flags::default() };
    let flags = match &cli.command {
        Command::Up(UpArgs { worker, .. }) | Command::Worker(worker) => worker.over(flags),
        _ => flags,
    };
    let config = env_vars::ours(std::env::vars_os())
        .map_err(|name| format!("the environment variable `{name}` is not UTF-8"))
        .and_then(|environment| Config::load(&flags, &environment).map_err(|e| e.to_string()));
    let config = match config {
        Ok(config) => config,
        Err(message) => {
            terminal::complain(&message);
            return ExitCode::from(2);
        }
    };
    for warning in &config.warnings {
        terminal::news(&format!("warning: {warning}"));
    }
    let answer = answer(cli.command, config, cli.json);
    if let Some(error) = terminal::unwritten() {
        terminal::complain(&format!("the result cannot be written to standard output: {error}"));
        return ExitCode::FAILURE;
    }
    match answer {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::FAILURE,
        Ok(Outcome::Misused) => ExitCode::from(2),
        Err(error) => {
            terminal::complain(&in_full(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each said once: many a library's error has its cause in its own text as well.
fn in_full(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}

fn answer(command: Command, config: Config, json: bool) -> anyhow::Result<Outcome> {
    // A service is read about later; a command is watched, and says itself what matters.
    // What keeps the SDK of S3 from its credentials is said by us, and once.
    let filter = match command {
        Command::Up(_) | Command::Worker(_) => "warn,aws=error,headwater=info",
        _ => "warn,aws=error",
    };
    terminal::start_log(&config.log, filter)?;
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Up(args) => up::up(config, args.roles.unwrap_or_else(Roles::all)).await,
            Command::Worker(_) => up::up(config, Roles::only(Role::Worker)).await,
            Command::Ingest(args) => ingest::ingest(config, args, json).await,
            Command::Status { title, follow } => status::status(config, title, follow, json).await,
            Command::Tasks(args) => tasks::tasks(config, args, json).await,
            Command::Task(command) => tasks::steer(config, command.order(), json).await,
            Command::Title(command) => title::steer(config, command.order(), json).await,
            Command::Workers => workers::workers(config, json).await,
            Command::Verify { title, policy } => {
                verify::verify(config, title, policy.map(Verify::from), json).await
            }
            Command::Audit(args) => audit::audit(config, args, json).await,
            Command::Heal(args) => heal::heal(config, args, json).await,
            Command::Incidents { title, all } => {
                incidents::incidents(config, title, all, json).await
            }
            Command::Retranscode(args) => retranscode::retranscode(config, args, json).await,
            Command::Rollback { title, to } => rollback::rollback(config, title, to, json).await,
            Command::Gc { dry_run, older_than, keep } => {
                gc::gc(config, dry_run, older_than, keep, json).await
            }
            Command::Catalog(CatalogCommand::Rebuild { origin }) => {
                rebuild::rebuild(config, &origin, json).await
            }
            Command::Origin(OriginCommand::Test { name }) => {
                origin::test(config, &name, json).await
            }
            Command::Origin(OriginCommand::List) => origin::list(config, json).await,
            Command::Pipelines(PipelinesCommand::Check { file }) => pipelines::check(&file, json),
            Command::Pipelines(PipelinesCommand::List) => pipelines::list(&config, json),
            Command::Probe { file } => probe::probe(config, &file, json).await,
            Command::TranscoderChild { .. } => Ok(Outcome::Refused),
        }
    });
    // Files that are being hashed or written on other threads are abandoned: nothing relies on them.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests;
