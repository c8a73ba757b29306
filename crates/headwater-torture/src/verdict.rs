//! What is left when it is over: everything is finished in peace, and then judged.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::Settings;
use crate::cluster::LAST_BREATH;
use crate::ledger::{self, Entry, Tally};
use crate::masters::Master;
use crate::ordeal::{DATABASE, Scene};
use crate::schedule::{self, Kind};

/// How often is looked whether all is finished.
const LOOK: Duration = Duration::from_millis(500);

/// Audits that heal, until one finds nothing: what is healed from another origin may turn out to be lost there too.
const HEALINGS: usize = 5;

/// What came of a torture.
#[derive(Debug)]
pub struct Verdict {
    /// What must not be, in sentences; nothing when the cluster stood it.
    pub wrong: Vec<String>,
    /// The folder with logs and data, kept when something is wrong.
    pub kept: Option<PathBuf>,
    /// The summary: what it is about, and how much.
    table: Vec<(String, String)>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, how_much) in &self.table {
            writeln!(f, "{what:<34}{how_much}")?;
        }
        for wrong in &self.wrong {
            writeln!(f, "WRONG: {wrong}")?;
        }
        if let Some(kept) = &self.kept {
            writeln!(f, "logs and data are kept in {}", kept.display())?;
        }
        match self.wrong.len() {
            0 => writeln!(f, "the cluster stood it"),
            n => writeln!(f, "{n} wrong"),
        }
    }
}

/// Tells whoever watches.
#[expect(clippy::print_stderr, reason = "a torture takes minutes and is watched")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Lets everything finish, and judges.
pub(crate) fn reach(mut scene: Scene, settings: &Settings) -> Result<Verdict> {
    let mut wrong = Vec::new();
    scene.tell("peace");
    let tortured = scene.began.elapsed();
    let until = Instant::now() + settings.peace;
    wrong.extend(scene.finish(until)?);
    for left in (0..HEALINGS).rev() {
        let healed = scene.audit(&["--heal"])?;
        wrong.extend(scene.finish(until)?);
        if healed.status.success() {
            break;
        }
        if left == 0 {
            wrong.push(format!("{HEALINGS} audits in a row found something to heal"));
        }
    }
    scene.tell("healed");
    let audited = scene.audit(&[])?;
    if !audited.status.success() {
        let said = String::from_utf8_lossy(&audited.stdout);
        wrong.push(format!("the last audit is not clean: {}", said.trim()));
    }
    let open = scene.ask("select count(*) from incidents where closed_at is null");
    if open != "0" {
        wrong.push(format!("{open} incidents are open"));
    }
    let before = scene.cluster.ends.by_themselves;
    scene.cluster.end_all()?;
    wrong.append(&mut scene.cluster.ends.wrong);
    wrong.extend(scene.left_behind());
    wrong.extend(scene.compare());
    let tally = scene.ledger()?;
    wrong.extend(tally.wrong.iter().cloned());
    wrong.extend(tally.unaccounted(&scene.done()?));
    wrong.extend(schedule::never_met(settings.rounds, &scene.met, scene.overtaken));
    let mut table = scene.summary(settings, &tally);
    table.push(("processes that could not start".to_owned(), before.to_string()));
    let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
    let whole = scene.began.elapsed();
    table.push((
        "time".to_owned(),
        format!("{}, {} of peace", seconds(whole), seconds(whole - tortured)),
    ));
    Ok(Verdict { wrong, kept: None, table })
}

impl Scene {
    fn ask(&self, sql: &str) -> String {
        self.server.psql_in(DATABASE, sql)
    }

    /// Waits until nothing is in the queue any more and every title that was queued is known; says what does not come to an
    /// end. Nobody waits for another try: the longest back-off is longer than the torture.
    fn finish(&mut self, until: Instant) -> Result<Option<String>> {
        loop {
            self.cluster.look_after()?;
            self.ask(
                "update tasks set due_at = cast(extract(epoch from clock_timestamp()) * 1000 as bigint) \
                 where state = 'queued' and due_at > cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + 2000",
            );
            let open = self.ask("select count(*) from tasks where finished_at is null");
            let known = self.ask("select count(*) from titles");
            let all = self.titles.len().to_string();
            if open == "0" && known == all {
                return Ok(None);
            }
            if Instant::now() > until {
                let tasks = self.ask(
                    "select string_agg(distinct kind || ' ' || state || ' ' || coalesce(message, ''), '; ') \
                     from tasks where finished_at is null",
                );
                return Ok(Some(format!(
                    "it did not come to an end: {known} of {all} titles are known, {open} tasks are left: {tasks}"
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// An audit of everything by a command, read to the last byte.
    fn audit(&self, more: &[&str]) -> Result<Output> {
        let all = ["audit", "--all", "--policy", "read", "--from-start"];
        let mut command = self.site.command("by-hand", &[&all[..], more].concat());
        command.output().context("start headwater")
    }

    /// What should be gone: transcoders and their files.
    fn left_behind(&self) -> Vec<String> {
        let since = Instant::now();
        while !self.site.children().is_empty() && since.elapsed() < LAST_BREATH {
            std::thread::sleep(Duration::from_millis(50));
        }
        let children = self.site.children();
        let children = children.iter().map(|pid| format!("transcoder {pid:?} was left behind"));
        let files = self.cluster.left_in_spools().into_iter();
        let files = files.map(|path| format!("`{}` was left behind", path.display()));
        children.chain(files).collect()
    }

    /// Every title against what comes of its master when nothing goes wrong, on every origin.
    fn compare(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (title, which) in &self.titles {
            let state = self.ask(&format!(
                "select p.state || coalesce(': ' || p.code || ': ' || p.message, '') from titles t \
                 join packages p on p.title_id = t.id and p.version = t.newest where t.title = '{title}'"
            ));
            if state != "published" {
                wrong.push(format!("{title} is not published but {state}"));
                continue;
            }
            for origin in &self.origins {
                let differs = self.masters[*which].differs(&origin.package(title));
                let told = |why| format!("{title} on {} is not as undisturbed: {why}", origin.name);
                wrong.extend(differs.map(told));
            }
            let archived = self.archived(title, &self.masters[*which]);
            wrong.extend(archived.err().map(|why| format!("the archive has not {title}: {why}")));
        }
        wrong
    }

    /// Whether the archive has a title's master, byte by byte, where the catalog says.
    fn archived(&self, title: &str, master: &Master) -> Result<(), String> {
        let key = self.ask(&format!(
            "select a.key from titles t join packages p on p.title_id = t.id and p.version = t.newest \
             join archived_masters a on a.tenant = t.tenant and a.sha256 = p.master and a.origin = 'vault' \
             where t.title = '{title}'"
        ));
        if key.is_empty() {
            return Err("nothing is known of a copy of its master".to_owned());
        }
        let copy =
            fs::read(self.vault().join(&key)).map_err(|error| format!("`{key}`: {error}"))?;
        match master.is(title, &copy) {
            true => Ok(()),
            false => Err(format!("`{key}` has other bytes than its master")),
        }
    }

    /// The numbers of the tasks that the database says are done.
    fn done(&self) -> Result<Vec<i64>> {
        let tasks = self.ask("select id from tasks where state = 'done'");
        tasks.lines().map(|id| id.parse().context("read the number of a task")).collect()
    }

    /// Reads the ledger and judges it.
    fn ledger(&self) -> Result<Tally> {
        let text = self.ask(ledger::ALL);
        let whose = |port, at| self.cluster.whose(port, at);
        let entries: Result<Vec<Entry>> =
            text.lines().map(|line| Entry::read(line, whose)).collect();
        Ok(ledger::judge(&entries?))
    }

    fn summary(&self, settings: &Settings, tally: &Tally) -> Vec<(String, String)> {
        let mut table = vec![
            ("seed".to_owned(), settings.seed.to_string()),
            ("rounds".to_owned(), settings.rounds.to_string()),
        ];
        for kind in Kind::ALL {
            let times = self.met.get(&kind).copied().unwrap_or_default();
            table.push((format!("  {}", kind.name()), times.to_string()));
        }
        let states = self.ask(
            "select string_agg(state || ' ' || n, ', ') from (select p.state, count(*) as n from titles t \
             join packages p on p.title_id = t.id and p.version = t.newest group by 1 order by 1) s",
        );
        let healed = self.ask(
            "select (select count(*) from incidents) || ' incidents, ' || \
             (select count(*) from incidents where closed_at is not null) || ' of them closed'",
        );
        let tasks = self.ask("select count(*) || ', ' || count(*) filter (where state = 'done') || ' done' from tasks");
        let Tally { attempts, results, lost, given_back, failures, .. } = tally;
        let failures: Vec<String> =
            failures.iter().map(|(code, n)| format!("{code} {n}")).collect();
        table.extend([
            ("titles".to_owned(), format!("{}: {states}", self.titles.len())),
            ("tasks".to_owned(), tasks),
            (
                "attempts".to_owned(),
                format!("{attempts}, {results} results, {given_back} given back"),
            ),
            (
                "leases lost".to_owned(),
                format!(
                    "{lost}, {} of them to one that was at it when their holder came back",
                    self.overtaken
                ),
            ),
            ("failures".to_owned(), failures.join(", ")),
            ("healed".to_owned(), healed),
        ]);
        table
    }
}
