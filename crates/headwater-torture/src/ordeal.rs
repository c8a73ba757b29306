//! The torture itself: one loop that begins rounds, ends what is over, looks after the processes and keeps titles coming.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_testkit::postgres::Server;
use tokio::runtime::Runtime;

use crate::Settings;
use crate::cluster::{Cluster, Site};
use crate::ledger;
use crate::masters::{self, Master};
use crate::origins::{self, Origin};
use crate::schedule::{Kind, LEASE_SECONDS, Round, rounds};
use crate::verdict::{self, Verdict};

/// How often the loop turns.
const TURN: Duration = Duration::from_millis(50);

/// How often the database is asked how much there is to do.
const ASK: Duration = Duration::from_secs(1);

/// How long a transcoder is waited for that is to be killed.
const CHILD: Duration = Duration::from_secs(5);

/// How long after a worker was hindered it is first asked whether another has its tasks: it may have renewed its leases
/// some seconds before.
const FIRST_LOOK: Duration = Duration::from_secs(LEASE_SECONDS - 5);

/// How often that is asked.
const LOOK: Duration = Duration::from_millis(100);

/// Titles that may be unfinished altogether, those included that wait for another try: memory holds their objects.
const MOST_OPEN: usize = 60;

/// The database's name on its server.
pub(crate) const DATABASE: &str = "torture";

/// What is tortured, and what it needs to live.
pub(crate) struct Scene {
    pub(crate) site: Site,
    pub(crate) masters: Vec<Master>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) cluster: Cluster,
    pub(crate) server: Server,
    /// Names of titles, with the number of their master.
    pub(crate) titles: BTreeMap<String, usize>,
    feeding: Option<Feeding>,
    agenda: Vec<(Instant, End)>,
    /// What happened: rounds that found somebody to meet.
    pub(crate) met: BTreeMap<Kind, usize>,
    /// How often a worker came back while another was at its task.
    pub(crate) overtaken: usize,
    tells: bool,
    pub(crate) began: Instant,
}

/// A title that is being queued by command: it is said again until it is heard.
struct Feeding {
    title: String,
    child: Child,
}

/// What a worker had in hand when it was hindered for longer than its leases.
struct Had {
    /// Its tasks with their tokens, as rows of SQL, once it was asked for them: it may hand in one more before it is cut.
    tasks: Option<String>,
    /// When it is asked next who has them.
    look: Instant,
}

/// Something that ends.
enum End {
    Release(&'static str, Option<Had>),
    StartDatabase,
    BeHonest(usize),
    KillChild { dice: u64, until: Instant },
}

pub(crate) fn run(settings: &Settings) -> Result<Verdict> {
    let runtime = Runtime::new().context("start a runtime")?;
    let folder = tempfile::Builder::new().prefix("headwater-torture-").tempdir()?;
    let mut verdict = {
        let path = fs::canonicalize(folder.path()).context("find the folder")?;
        let mut scene = Scene::set(settings, &runtime, path)?;
        scene.ordeal(settings)?;
        verdict::reach(scene, settings)?
    };
    if !verdict.wrong.is_empty() {
        // Logs and data of whoever failed are worth more than the room they take.
        verdict.kept = Some(folder.keep());
    }
    Ok(verdict)
}

fn vault(site: &Site) -> PathBuf {
    site.folder.join("vault")
}

impl Scene {
    fn set(settings: &Settings, runtime: &Runtime, folder: PathBuf) -> Result<Self> {
        let began = Instant::now();
        let headwater = fs::canonicalize(&settings.headwater)
            .with_context(|| format!("find `{}`", settings.headwater.display()))?;
        let mut site = Site { headwater, folder, environment: Vec::new() };
        fs::create_dir_all(site.folder.join("pipelines"))?;
        let pipeline = site.folder.join(format!("pipelines/{}.toml", masters::PIPELINE));
        fs::write(pipeline, masters::PIPELINE_FILE)?;
        let masters = masters::make(&site)?;
        let server = Server::start_durable();
        server.psql(&format!("create database {DATABASE}"));
        let origins = origins::start(runtime)?;
        site.environment = masters::pipelines(&site);
        site.environment.extend(origins.iter().flat_map(Origin::variables));
        let vault = vault(&site).display().to_string();
        let lease = LEASE_SECONDS.to_string();
        for (variable, value) in [
            ("HEADWATER_DATABASE", server.url(DATABASE)),
            ("HEADWATER_ORIGINS_VAULT_KIND", "directory".to_owned()),
            ("HEADWATER_ORIGINS_VAULT_PATH", vault),
            ("HEADWATER_PUBLISH_ARCHIVE", "vault".to_owned()),
            ("HEADWATER_WORKER_LEASE_SECONDS", lease),
            ("HEADWATER_HTTP_LISTEN", "127.0.0.1:0".to_owned()),
            ("HEADWATER_WATCH_SETTLE_SECONDS", "0.3".to_owned()),
            ("HEADWATER_WATCH_RESCAN_SECONDS", "2".to_owned()),
            ("HEADWATER_AUDIT_LIST_DAYS", "0.01".to_owned()),
        ] {
            site.environment.push((variable.to_owned(), value));
        }
        // Whoever opens the catalog first makes its tables.
        let ran = site.command("by-hand", &["status"]).output().context("start headwater")?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "the catalog cannot be opened: {said}");
        server.psql_in(DATABASE, ledger::SETUP);
        let cluster = Cluster::start(site.clone(), runtime, server.port())?;
        Ok(Self {
            site,
            masters,
            origins,
            cluster,
            server,
            titles: BTreeMap::new(),
            feeding: None,
            agenda: Vec::new(),
            met: BTreeMap::new(),
            overtaken: 0,
            tells: settings.tells,
            began,
        })
    }

    /// All rounds, and the end of what they began.
    fn ordeal(&mut self, settings: &Settings) -> Result<()> {
        let mut next = Instant::now();
        let mut asked = Instant::now();
        let mut to_come = rounds(settings.seed, settings.rounds, settings.pace).into_iter();
        let mut round = to_come.next();
        let mut number = 0;
        while round.is_some() || !self.agenda.is_empty() || self.feeding.is_some() {
            let now = Instant::now();
            self.end_what_is_over(now);
            if let Some(due) = round.take_if(|round| next + round.after <= now) {
                next = now;
                number += 1;
                self.begin(number, &due);
                round = to_come.next();
            }
            self.cluster.look_after()?;
            self.feed()?;
            // A database that is down is told so by the agenda.
            if round.is_some() && asked.elapsed() > ASK && self.server.pid().is_some() {
                asked = now;
                if self.is_hungry(settings.titles_at_once) {
                    self.queue_another()?;
                }
            }
            std::thread::sleep(TURN);
        }
        Ok(())
    }

    /// The folder of the archive.
    pub(crate) fn vault(&self) -> PathBuf {
        vault(&self.site)
    }

    /// Says what happens.
    pub(crate) fn tell(&self, what: &str) {
        if self.tells {
            verdict::say(&format!("{:>7.1} s  {what}", self.began.elapsed().as_secs_f64()));
        }
    }

    fn begin(&mut self, number: usize, round: &Round) {
        let now = Instant::now();
        let Round { kind, target, lasts, cut, dice, .. } = *round;
        let mut ends = None;
        let met = match kind {
            Kind::KillWorker | Kind::KillOther => {
                self.cluster.kill(target, lasts).map(str::to_owned)
            }
            Kind::Terminate => self.cluster.terminate(target, lasts).map(str::to_owned),
            Kind::KillChild => {
                ends = Some((now, End::KillChild { dice, until: now + CHILD }));
                // Counted when it is done.
                None
            }
            Kind::KillDatabase => match self.server.pid() {
                Some(_) => {
                    self.server.kill();
                    ends = Some((now + lasts, End::StartDatabase));
                    Some(format!("for {lasts:?}"))
                }
                None => None,
            },
            Kind::Cut | Kind::CutForLong | Kind::Freeze => {
                let how = (kind != Kind::Freeze).then_some(cut);
                let name = self.cluster.hinder(target, how);
                let had = (kind != Kind::Cut).then(|| Had { tasks: None, look: now + FIRST_LOOK });
                ends = name.map(|name| (now + lasts, End::Release(name, had)));
                name.map(|name| format!("{name} for {lasts:?}, {how:?}"))
            }
            Kind::Fault => self.origins.iter().position(|o| o.name == target).map(|at| {
                ends = Some((now + lasts, End::BeHonest(at)));
                format!("{target} for {lasts:?}: {}", self.origins[at].begin_fault(dice))
            }),
            Kind::Loss => {
                let origin = self.origins.iter().find(|origin| origin.name == target);
                let lost = origin.map_or(0, |origin| origin.lose(dice));
                (lost > 0).then(|| format!("{target}: {lost}"))
            }
        };
        if matches!(
            kind,
            Kind::KillDatabase | Kind::Cut | Kind::CutForLong | Kind::Freeze | Kind::Fault
        ) {
            self.cluster.expect_trouble(lasts);
        }
        self.agenda.extend(ends);
        if let Some(whom) = &met {
            *self.met.entry(kind).or_default() += 1;
            self.tell(&format!("round {number}: {}: {whom}", kind.name()));
        } else if kind != Kind::KillChild {
            self.tell(&format!("round {number}: {}: nobody was there", kind.name()));
        }
    }

    fn end_what_is_over(&mut self, now: Instant) {
        for (at, mut end) in std::mem::take(&mut self.agenda) {
            if at > now && !self.is_time(&mut end, now) {
                self.agenda.push((at, end));
                continue;
            }
            match end {
                End::Release(name, _) => self.cluster.release(name),
                End::StartDatabase => self.server.start_again(),
                End::BeHonest(at) => self.origins[at].be_honest(),
                End::KillChild { dice, until } => {
                    if self.cluster.kill_child(dice) {
                        *self.met.entry(Kind::KillChild).or_default() += 1;
                        self.tell(Kind::KillChild.name());
                    } else if now < until {
                        self.agenda.push((now, End::KillChild { dice, until }));
                    }
                }
            }
        }
    }

    /// Whether the end of something has come early: a worker that was hindered goes on at the very moment at which another
    /// has its task, when a result of its own can do most harm.
    fn is_time(&mut self, end: &mut End, now: Instant) -> bool {
        let End::Release(name, Some(Had { tasks, look })) = end else { return false };
        if now < *look || self.server.pid().is_none() {
            return false;
        }
        *look = now + LOOK;
        let Some(tasks) = tasks else {
            let sql = format!(
                "select string_agg('(' || id || ',' || token || ')', ',') from tasks \
                 where state = 'leased' and worker = '{name}'"
            );
            *tasks = Some(self.server.psql_in(DATABASE, &sql)).filter(|tasks| !tasks.is_empty());
            return false;
        };
        let sql = format!(
            "select count(*) from tasks k join (values {tasks}) as had (id, token) on had.id = k.id \
             where k.state = 'leased' and k.token > had.token"
        );
        let is_lost = self.server.psql_in(DATABASE, &sql) != "0";
        if is_lost {
            self.overtaken += 1;
            self.tell(&format!("another has a task of {name}, which goes on"));
        }
        is_lost
    }

    /// Whether those who are alive run out of work.
    fn is_hungry(&self, at_once: usize) -> bool {
        let sql = "select count(distinct k.package_id) filter (where k.kind <> 'archive' and (k.state = 'leased' \
             or k.due_at <= cast(extract(epoch from clock_timestamp()) * 1000 as bigint))), count(distinct k.package_id) \
             from tasks k where k.finished_at is null";
        let answer = self.server.psql_in(DATABASE, sql);
        let mut counts = answer.split('|').map(|n| n.parse().unwrap_or(usize::MAX));
        let (busy, open) = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        // The drop folder takes its time.
        self.feeding.is_none() && busy < at_once && open < MOST_OPEN
    }

    /// Queues one more title: two by command, then one through the drop folder.
    fn queue_another(&mut self) -> Result<()> {
        let number = self.titles.len();
        let which = number % self.masters.len();
        let title = format!("m{which}-{number:04}");
        let name = format!("{title}.mp4");
        self.titles.insert(title.clone(), which);
        if number % 3 == 2 {
            let drop = self.site.data("watch").join("drop");
            fs::create_dir_all(&drop).context("make the drop folder")?;
            let arriving = drop.join(format!("{name}.part"));
            self.masters[which].write(&title, &arriving)?;
            return fs::rename(arriving, drop.join(name)).context("finish a transfer");
        }
        self.masters[which].write(&title, &self.site.folder.join("masters").join(&name))?;
        let child = self.ingest(&title).spawn().context("start headwater")?;
        self.feeding = Some(Feeding { title, child });
        Ok(())
    }

    fn ingest(&self, title: &str) -> Command {
        let master = format!("masters/{title}.mp4");
        let mut command = self.site.command("by-hand", &["ingest", &master]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Says again what the database did not hear.
    fn feed(&mut self) -> Result<()> {
        let Some(feeding) = &mut self.feeding else { return Ok(()) };
        match feeding.child.try_wait().context("wait for a command")? {
            None => {}
            Some(status) if status.success() => self.feeding = None,
            Some(_) => {
                let title = feeding.title.clone();
                let child = self.ingest(&title).spawn().context("start headwater")?;
                self.feeding = Some(Feeding { title, child });
            }
        }
        Ok(())
    }
}
