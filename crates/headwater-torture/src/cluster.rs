//! The processes of a cluster, each with a data folder and a way to the database of its own, as on machines of their own;
//! and what whoever runs them does: start again what has ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::ends::{is_excused, is_proper};
use crate::proxy::{Bearer, Ports, Proxy};
use crate::schedule::{Cut, OTHERS, WORKERS};

/// How long a process may take to end once it was told to: 20 s of draining, 5 s for giving back, and what a machine
/// takes that is busy.
const LONGEST_END: Duration = Duration::from_secs(35);

/// When a process that ended by itself is started again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long it takes after trouble until all is well: a database that crashed goes through its log first.
const AFTERMATH: Duration = Duration::from_secs(5);

/// How long transcoders may take to go once their worker is gone.
pub(crate) const LAST_BREATH: Duration = Duration::from_secs(5);

/// What commands and processes have in common.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The program under torture.
    pub(crate) headwater: PathBuf,
    /// The folder of it all.
    pub(crate) folder: PathBuf,
    /// Origins, pipelines and whatever else all have in their environment, but for the database.
    pub(crate) environment: Vec<(String, String)>,
}

impl Site {
    /// The program with these arguments and nothing of ours in its environment but what the site says.
    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = crate::program(&self.headwater);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("HEADWATER_") {
                command.env_remove(variable);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("HEADWATER_DATA_DIR", self.data(name));
        command
    }

    /// The data folder of a process.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    /// Transcoder children that work for this site.
    pub(crate) fn children(&self) -> Vec<Pid> {
        children_in(&self.folder)
    }
}

/// Transcoder children that work below a folder.
fn children_in(folder: &Path) -> Vec<Pid> {
    let here = format!("{}/", folder.display());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_ours = |folder: &Path| {
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(" transcoder-child ") && line.contains(&here)
    };
    let ours = processes.filter(|process| is_ours(&process.path()));
    ours.filter_map(|p| Pid::from_raw(p.file_name().to_str()?.parse().ok()?)).collect()
}

/// What a process is at.
#[derive(Debug)]
enum Doing {
    Works(Child),
    /// It was told to end, and when; and how long after its end it is started again.
    Ends(Child, Instant, Option<Duration>),
    /// It is down until then; for good without a time.
    Down(Option<Instant>),
}

/// One process.
#[derive(Debug)]
struct Member {
    name: &'static str,
    proxy: Proxy,
    life: u32,
    /// When its life began.
    started: Instant,
    doing: Doing,
    /// It is left alone until this is over: it stands still, or is cut off.
    is_busy: bool,
}

/// How often processes ended, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// By themselves, since they could not start while the database or origins were away.
    pub(crate) by_themselves: u64,
    /// What must not be, in sentences.
    pub(crate) wrong: Vec<String>,
}

/// All processes. They are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    site: Site,
    members: Vec<Member>,
    pub(crate) ports: Ports,
    pub(crate) ends: Ends,
    /// Who had children when they ended, and until when those have to be gone.
    orphans: Vec<(Instant, &'static str, Vec<Pid>)>,
    /// Until then, something is or was away that a process needs to start.
    trouble: Option<Instant>,
}

impl Cluster {
    /// Starts all processes on the database `name` at `port`.
    pub(crate) fn start(site: Site, runtime: &Runtime, port: u16) -> Result<Self> {
        let ports = Ports::default();
        let mut members = Vec::new();
        for name in WORKERS.into_iter().chain(OTHERS) {
            let proxy = runtime.block_on(Proxy::start(name, port, ports.clone()))?;
            let doing = Doing::Down(Some(Instant::now()));
            let started = Instant::now();
            members.push(Member { name, proxy, life: 0, started, doing, is_busy: false });
        }
        fs::create_dir_all(site.folder.join("logs")).context("make a folder for logs")?;
        let mut cluster =
            Self { site, members, ports, ends: Ends::default(), orphans: vec![], trouble: None };
        cluster.look_after()?;
        Ok(cluster)
    }

    /// Notes that something is wrong around the processes for so long.
    pub(crate) fn expect_trouble(&mut self, lasts: Duration) {
        self.trouble = self.trouble.max(Some(Instant::now() + lasts + AFTERMATH));
    }

    /// Starts what is to be started, and sees who has ended.
    pub(crate) fn look_after(&mut self) -> Result<()> {
        let Self { site, members, ends, orphans, trouble, .. } = self;
        for member in members {
            let now = Instant::now();
            member.doing = match std::mem::replace(&mut member.doing, Doing::Down(None)) {
                Doing::Down(Some(at)) if at <= now => Doing::Works(member.start(site)?),
                Doing::Works(mut child) => match child.try_wait().context("wait for a process")? {
                    None => Doing::Works(child),
                    Some(status) => {
                        let lived = now - member.started;
                        let in_trouble = trouble.is_some_and(|over| member.started < over);
                        if is_excused(status, lived, in_trouble) {
                            ends.by_themselves += 1;
                        } else {
                            let (name, last) = (member.name, last_words(site, member.name));
                            ends.wrong.push(format!(
                                "{name} ended by itself after {lived:.1?} with {status}: {last}"
                            ));
                        }
                        orphans.extend(member.leaves(site));
                        Doing::Down(Some(now + AGAIN))
                    }
                },
                Doing::Ends(mut child, told, then) => {
                    let took = told.elapsed();
                    match child.try_wait().context("wait for a process")? {
                        None if took < LONGEST_END => Doing::Ends(child, told, then),
                        None => {
                            let name = member.name;
                            ends.wrong.push(format!("{name} did not end within {took:?}"));
                            end(&mut child);
                            orphans.extend(member.leaves(site));
                            Doing::Down(then.map(|then| now + then))
                        }
                        Some(status) => {
                            let age = told.saturating_duration_since(member.started);
                            ends.wrong.extend(improper(site, member.name, status, age));
                            orphans.extend(member.leaves(site));
                            Doing::Down(then.map(|then| now + then))
                        }
                    }
                }
                down @ Doing::Down(_) => down,
            };
        }
        self.see_orphans_go();
        Ok(())
    }

    /// Sees that transcoders have gone whose worker has.
    fn see_orphans_go(&mut self) {
        let now = Instant::now();
        for (_, name, children) in self.orphans.extract_if(.., |(until, ..)| *until <= now) {
            let there = children_in(&self.site.data(name));
            let left = children.iter().filter(|child| there.contains(child));
            let told = |child| format!("{name} ended, and its transcoder {child:?} did not");
            self.ends.wrong.extend(left.map(told));
        }
    }

    /// The process of that name or, where that is not to be had, the next one of the same kind that is.
    fn find(&mut self, name: &str) -> Option<&mut Member> {
        let names: &[&str] = if WORKERS.contains(&name) { &WORKERS } else { &OTHERS };
        let at = names.iter().position(|n| *n == name)?;
        let (before, from) = names.split_at(at);
        let order: Vec<&str> = from.iter().chain(before).copied().collect();
        let free = |name: &&str| {
            let is =
                |m: &&Member| m.name == *name && !m.is_busy && matches!(m.doing, Doing::Works(_));
            self.members.iter().any(|member| is(&member))
        };
        let name = order.into_iter().find(free)?;
        self.members.iter_mut().find(|member| member.name == name)
    }

    /// Kills a process and starts it again after `then`. The name of the one, if one was to be had.
    pub(crate) fn kill(&mut self, name: &str, then: Duration) -> Option<&'static str> {
        let site = self.site.clone();
        let member = self.find(name)?;
        if let Doing::Works(child) = &mut member.doing {
            end(child);
            member.doing = Doing::Down(Some(Instant::now() + then));
        }
        let (name, orphans) = (member.name, member.leaves(&site));
        self.orphans.extend(orphans);
        Some(name)
    }

    /// Tells a process to end, and starts it again `then` after it has.
    pub(crate) fn terminate(&mut self, name: &str, then: Duration) -> Option<&'static str> {
        let member = self.find(name)?;
        member.tell_to_end(Some(then));
        Some(member.name)
    }

    /// Cuts a process off from the database, or has it stand still without a way to cut it.
    pub(crate) fn hinder(&mut self, name: &str, cut: Option<Cut>) -> Option<&'static str> {
        let member = self.find(name)?;
        match cut {
            Some(_) => member.proxy.set(cut),
            None => member.signal(Signal::STOP),
        }
        member.is_busy = true;
        Some(member.name)
    }

    /// Ends that.
    pub(crate) fn release(&mut self, name: &str) {
        if let Some(member) = self.members.iter_mut().find(|member| member.name == name) {
            member.proxy.set(None);
            member.signal(Signal::CONT);
            member.is_busy = false;
        }
    }

    /// Kills one of the transcoder children, if there are any.
    pub(crate) fn kill_child(&self, dice: u64) -> bool {
        let children = self.site.children();
        let Some(at) = usize::try_from(dice).ok().and_then(|d| d.checked_rem(children.len()))
        else {
            return false;
        };
        kill_process(children[at], Signal::KILL).is_ok()
    }

    /// Tells all to end and waits until they have.
    pub(crate) fn end_all(&mut self) -> Result<()> {
        for member in &mut self.members {
            member.tell_to_end(None);
        }
        let is_down = |member: &Member| matches!(member.doing, Doing::Down(None));
        while !self.members.iter().all(is_down) || !self.orphans.is_empty() {
            self.look_after()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Files that are left in the folders of transcoders.
    pub(crate) fn left_in_spools(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        for member in &self.members {
            // `jobs` has the list of plugins, and a few kilobytes for each look at a master that was killed.
            for folder in ["spool", "retrieved"] {
                files(&self.site.data(member.name).join(folder), &mut left);
            }
        }
        left
    }

    /// Who had a port of the database at a time.
    pub(crate) fn whose(&self, port: u16, at: i64) -> Option<Bearer> {
        let ports = self.ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = ports.get(&port)?;
        known.iter().rev().find(|(since, _)| *since <= at).map(|(_, bearer)| bearer.clone())
    }
}

impl Member {
    fn start(&mut self, site: &Site) -> Result<Child> {
        self.life += 1;
        self.started = Instant::now();
        self.proxy.next_life();
        let log = site.folder.join("logs").join(self.name);
        let log = File::options().create(true).append(true).open(log).context("open a log")?;
        let name = format!("--name={}", self.name);
        let roles = match self.name {
            "verify-1" | "verify-2" => "--roles=verify".to_owned(),
            name => format!("--roles={name}"),
        };
        let arguments = match WORKERS.contains(&self.name) {
            true => vec!["worker", &name, "--slots=1"],
            false => vec!["up", &name, &roles],
        };
        let mut command = site.command(self.name, &arguments);
        let database = format!("postgres://postgres@127.0.0.1:{}/torture", self.proxy.port);
        command.env("HEADWATER_DATABASE", database).stdout(Stdio::null()).stderr(log);
        command.spawn().with_context(|| format!("start {}", self.name))
    }

    /// The children that it leaves behind, which has just ended and is not started again yet.
    fn leaves(&self, site: &Site) -> Option<(Instant, &'static str, Vec<Pid>)> {
        let children = children_in(&site.data(self.name));
        (!children.is_empty()).then(|| (Instant::now() + LAST_BREATH, self.name, children))
    }

    fn signal(&self, signal: Signal) {
        if let Doing::Works(child) | Doing::Ends(child, ..) = &self.doing {
            // Gone already is as good as signalled.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn tell_to_end(&mut self, then: Option<Duration>) {
        self.signal(Signal::TERM);
        let doing = std::mem::replace(&mut self.doing, Doing::Down(None));
        self.doing = match doing {
            Doing::Works(child) => Doing::Ends(child, Instant::now(), then),
            Doing::Ends(child, told, _) => Doing::Ends(child, told, then),
            Doing::Down(_) => Doing::Down(then.map(|then| Instant::now() + then)),
        };
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Doing::Works(child) | Doing::Ends(child, ..) = &mut self.doing {
            end(child);
        }
    }
}

/// Kills a process, whose children have to go by themselves.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// What is wrong with the end of a process that was told to end at this age.
fn improper(site: &Site, name: &str, status: ExitStatus, age: Duration) -> Option<String> {
    let last = || last_words(site, name);
    (!is_proper(status, age)).then(|| {
        format!("{name} was told to end after {age:.1?} and ended with {status}: {}", last())
    })
}

/// The last line that a process has logged.
fn last_words(site: &Site, name: &str) -> String {
    let log = fs::read(site.folder.join("logs").join(name)).unwrap_or_default();
    String::from_utf8_lossy(&log).lines().last().unwrap_or_default().to_owned()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if entry.file_name() != ".lock" {
            found.push(path);
        }
    }
}
