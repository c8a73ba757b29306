//! Where things are in this repository, and how the product is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::shell;

/// The folder of the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The folder for everything that can be made again.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// A command of cargo in the root folder, with the cargo that started xtask.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args).current_dir(root());
    cargo
}

/// Builds the product for release and says where it is.
pub(crate) fn build_release() -> Result<PathBuf> {
    build_packages(&["headwater"])
}

/// Builds these packages for release, and says where `headwater` is or would be: their programs are beside it.
pub(crate) fn build_packages(packages: &[&str]) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--release", "--locked"]);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    shell::run(&mut build)?;
    Ok(target().join("release/headwater"))
}
