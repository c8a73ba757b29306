//! Scale-out: a title of ten minutes by one worker on one core, and by two workers on a core each, as a cluster on
//! PostgreSQL.
//!
//! `headwater-crowd` has the server. The process that seals, proves and publishes may run on either core.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::measure::Cost;
use crate::origin::figures::{Goal, judged};
use crate::results::{self, Run, median};
use crate::{Bed, Rounds, headwater, hls, machine, measure};

/// Length of the master in minutes, and where it only has to work.
const MINUTES: u32 = 10;
const QUICK_MINUTES: u32 = 2;

/// What two workers may take of one worker's time: half of it, and a tenth more for what nobody can share.
const OF_ONE: f64 = 0.55;

const PIPELINE: &str = "vod-h264";

/// How long processes may take to come up.
const COMES_UP: Duration = Duration::from_secs(60);

/// What takes turns, by the number of workers.
const CLUSTERS: [(&str, usize); 2] = [("one worker", 1), ("two workers", 2)];

/// Measures, and writes the section of the results.
pub(super) fn run(bed: &Bed<'_>, options: &Rounds) -> Result<String> {
    let minutes = if options.quick { QUICK_MINUTES } else { MINUTES };
    let master = headwater::minutes(bed, minutes)?;
    let names = CLUSTERS.map(|(name, _)| name);
    let tools = results::take_turns(&names, options.rounds, |name| {
        let workers =
            CLUSTERS.iter().find(|(it, _)| *it == name).map_or(1, |(_, workers)| *workers);
        let cluster = Cluster::start(bed, workers)?;
        let (index, cost) = cluster.ingest(&master)?;
        let bytes = hls::renditions(&index)?.iter().map(|rendition| rendition.bytes).sum();
        Ok(Run { cost, bytes })
    })?;
    let mut rows = String::new();
    let mut medians = Vec::new();
    for tool in &tools {
        let each: Vec<String> =
            tool.runs.iter().map(|run| format!("{:.1}", run.cost.wall.as_secs_f64())).collect();
        rows += &format!("| {} | {:.1} | {} |\n", tool.name, tool.wall(), each.join(" · "));
        medians.push(tool.runs.iter().map(|run| run.cost.wall.as_secs_f64()).collect::<Vec<_>>());
    }
    let [one, two] = medians.as_slice() else { unreachable!("two clusters took turns") };
    let ratios = one.iter().zip(two).map(|(one, two)| two / one).collect();
    let tools_used = [(Path::new("psql"), "--version")];
    Ok(format!(
        "## Scale-out: a title of {minutes} min, workers pinned to a core each\n\n{}\n\
         | cluster | wall s | wall s of each round |\n|---|---|---|\n{rows}\n- Two workers / one worker: {}\n",
        machine::describe(bed.root, &tools_used),
        judged(median(ratios), Goal::AtMost(OF_ONE)),
    ))
}

/// Processes that share a database and, on this one machine, a data folder.
struct Cluster<'b> {
    bed: &'b Bed<'b>,
    /// Ended in the order in which they were started but for the first, the database, which goes last.
    processes: Vec<Child>,
    database: String,
}

impl<'b> Cluster<'b> {
    fn start(bed: &'b Bed<'b>, workers: usize) -> Result<Self> {
        headwater::empty(&bed.dir.join("scale"))?;
        let mut crowd = Command::new(bed.headwater.with_file_name("headwater-crowd"));
        // It serves for as long as its standard input is open.
        crowd.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut crowd = crowd.spawn().context("start a database server")?;
        let mut database = String::new();
        let output = crowd.stdout.take().context("the database server says nothing")?;
        let mut cluster = Self { bed, processes: vec![crowd], database: String::new() };
        BufReader::new(output).read_line(&mut database).context("hear where the database is")?;
        cluster.database = database.trim().to_owned();
        ensure!(!cluster.database.is_empty(), "the database server ended");

        let mut up = cluster.command(None);
        up.args(["up", "--roles", "verify"]);
        cluster.spawn(up, "up")?;
        for core in 0..workers {
            let mut worker = cluster.command(Some(core));
            worker.args(["worker", "--slots", "1", "--name", &format!("core-{core}")]);
            cluster.spawn(worker, &format!("worker-{core}"))?;
        }
        cluster.wait_for(workers + 1)?;
        Ok(cluster)
    }

    /// A command of the product on this cluster, pinned to a core or not.
    fn command(&self, core: Option<usize>) -> Command {
        let mut command = match core {
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["--cpu-list", &core.to_string()]).arg(self.bed.headwater);
                pinned
            }
            None => Command::new(self.bed.headwater),
        };
        command.current_dir(self.bed.root).env("HEADWATER_DATABASE", &self.database);
        command.env("HEADWATER_DATA_DIR", self.bed.dir.join("scale"));
        command
    }

    fn spawn(&mut self, mut command: Command, name: &str) -> Result<()> {
        let log = self.bed.dir.join(format!("scale-{name}.log"));
        let log = File::create(&log).with_context(|| format!("create `{}`", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.processes.push(command.spawn().with_context(|| format!("start `{name}`"))?);
        Ok(())
    }

    /// Until the database knows of all processes.
    fn wait_for(&self, processes: usize) -> Result<()> {
        let since = Instant::now();
        loop {
            let mut workers = self.command(None);
            let output = workers.args(["workers", "--json"]).output().context("ask who works")?;
            let heard = String::from_utf8_lossy(&output.stdout).matches("\"heard_of\"").count();
            if heard >= processes {
                return Ok(());
            }
            ensure!(since.elapsed() < COMES_UP, "{heard} of {processes} processes have come up");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn ingest(&self, master: &Path) -> Result<(std::path::PathBuf, Cost)> {
        let mut ingest = self.command(None);
        ingest.arg("ingest").arg(master).args(["--wait", "--json", "--pipeline", PIPELINE]);
        let (output, cost) = measure::run(&mut ingest, &self.bed.dir.join("scale-ingest.log"))?;
        Ok((headwater::published(&output)?.index, cost))
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        let mut processes = self.processes.drain(..);
        let database = processes.next();
        for mut process in processes {
            // Nothing is under way any more, or the measurement has failed.
            let _ = process.kill();
            let _ = process.wait();
        }
        if let Some(mut database) = database {
            drop(database.stdin.take());
            let _ = database.wait();
        }
    }
}
