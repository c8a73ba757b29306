//! The servers: Garage as people run it, and the lying origin without a lie. Each is started afresh with nothing in it,
//! on a free port of the loopback interface, and ends with its value.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Lab;
use crate::{headwater, measure};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Garage on one node, metadata in LMDB.
    Garage,
    /// `headwater-lying-origin`, which keeps everything in memory.
    Lying,
}

impl Kind {
    /// Both of them.
    pub(super) const ALL: [Self; 2] = [Self::Garage, Self::Lying];

    /// What it is called in the results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Garage => "Garage",
            Self::Lying => "the in-memory server",
        }
    }
}

/// A running server with one bucket.
pub(super) struct Server {
    pub(super) kind: Kind,
    child: Child,
    /// Variables by which `headwater` and `headwater-load` know it.
    variables: Vec<(String, String)>,
    dir: PathBuf,
    /// What it would print its last words to.
    _output: Option<BufReader<ChildStdout>>,
}

/// Start of the names of these variables.
const PREFIX: &str = "HEADWATER_ORIGINS_LAB_";

impl Server {
    /// Starts a server and waits until it can be used.
    pub(super) fn start(lab: &Lab<'_>, kind: Kind) -> Result<Self> {
        Self::start_with(lab, kind, &[])
    }

    /// The same, with options of its own for the lying origin.
    pub(super) fn start_with(lab: &Lab<'_>, kind: Kind, options: &[&str]) -> Result<Self> {
        let dir = lab.dir.join("server");
        headwater::empty(&dir)?;
        // What the run before has written is on its way to the disk for a while, and would slow down whoever comes next.
        let synced = Command::new("sync").status().context("run `sync`")?;
        ensure!(synced.success(), "`sync` failed: {synced}");
        let server = match kind {
            Kind::Garage => Self::garage(&lab.tools.garage, dir)?,
            Kind::Lying => {
                Self::lying(&lab.bed.headwater.with_file_name("lying-origin"), dir, options)?
            }
        };
        let _: serde_json::Value =
            lab.load(&server, &["wait"]).with_context(|| format!("start {}", kind.name()))?;
        Ok(server)
    }

    fn garage(program: &Path, dir: PathBuf) -> Result<Self> {
        let (rpc, api) = free_ports()?;
        let config = format!(
            "metadata_dir = \"{0}/meta\"\ndata_dir = \"{0}/data\"\ndb_engine = \"lmdb\"\nreplication_factor = 1\n\
             rpc_bind_addr = \"127.0.0.1:{rpc}\"\nrpc_public_addr = \"127.0.0.1:{rpc}\"\n\
             [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{api}\"\n",
            dir.display()
        );
        let file = dir.join("garage.toml");
        fs::write(&file, config).context("write the configuration of Garage")?;
        let (access, secret) = (format!("GK{}", random(12)?), random(32)?);
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).args(["server", "--single-node", "--default-bucket"]);
        command.env("GARAGE_RPC_SECRET", random(32)?).env("RUST_LOG", "garage=warn");
        command.env("GARAGE_DEFAULT_BUCKET", "media");
        command.env("GARAGE_DEFAULT_ACCESS_KEY", &access);
        command.env("GARAGE_DEFAULT_SECRET_KEY", &secret);
        command.stdout(Stdio::null());
        let (child, _) = spawn(&mut command, &dir)?;
        let variables = [
            ("KIND", "s3".to_owned()),
            ("ENDPOINT", format!("http://127.0.0.1:{api}")),
            ("BUCKET", "media".to_owned()),
            ("REGION", "garage".to_owned()),
            ("ACCESS_KEY_ID", access),
            ("SECRET_ACCESS_KEY", secret),
        ];
        let variables = variables.map(|(name, value)| (format!("{PREFIX}{name}"), value));
        Ok(Self { kind: Kind::Garage, child, variables: variables.into(), dir, _output: None })
    }

    fn lying(program: &Path, dir: PathBuf, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--port", "0"]).args(options).stdout(Stdio::piped());
        let (child, output) = spawn(&mut command, &dir)?;
        let mut server =
            Self { kind: Kind::Lying, child, variables: Vec::new(), dir, _output: None };
        let mut output = BufReader::new(output.context("the lying origin says nothing")?);
        let mut line = String::new();
        // It says last what opens it.
        while server.variable("SECRET_ACCESS_KEY").is_empty() {
            line.clear();
            let read = output.read_line(&mut line).context("hear where the lying origin is")?;
            ensure!(read > 0, "the lying origin ended");
            let words = line.trim().strip_prefix("export ").and_then(|it| it.split_once('='));
            server.variables.extend(words.map(|(name, value)| (name.into(), value.into())));
        }
        server._output = Some(output);
        Ok(server)
    }

    /// `ENDPOINT`, `BUCKET` and so on; empty for what it does not have.
    pub(super) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(it, _)| it.strip_prefix(PREFIX) == Some(name));
        found.map_or("", |(_, value)| value)
    }

    /// Tells a command of the product where the server is: by its environment, which others cannot read.
    pub(super) fn known_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.variables.iter().cloned())
    }

    /// Processor time that it has taken so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        measure::cpu_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it holds is thrown away next, so it need not be told to finish.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(command: &mut Command, dir: &Path) -> Result<(Child, Option<ChildStdout>)> {
    let log = File::create(dir.join("server.log")).context("create the log of a server")?;
    command.stdin(Stdio::null()).stderr(log);
    let shown = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("start `{shown}`"))?;
    let output = child.stdout.take();
    Ok((child, output))
}

/// Two ports that nobody listens on. Somebody may take them a moment later; then the server says so and ends.
fn free_ports() -> Result<(u16, u16)> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (free()?, free()?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

/// As many random bytes in hexadecimal.
fn random(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .context("read random bytes")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
