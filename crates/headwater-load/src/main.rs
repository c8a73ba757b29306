//! The moving parts of `cargo xtask bench origin` that use the product's own code: each subcommand is a process of its
//! own, so that what it takes is measured as that of any other tool.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the benchmark, or to the person who tries it by hand"
)]

mod package;
mod write;

mod limiter;
mod upload;

mod bare;

mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use package::Shape;
use target::Target;

const USAGE: &str = "\
headwater-load COMMAND

  wait                                    until the bucket can be listed, for half a minute at most
  files DIR TITLES SEGMENTS BYTES         packages of random bytes as files below DIR, with inventories and pointers
  fill TENANT TITLES SEGMENTS SUMS        packages of small objects, stored; their MD5 sums go to the file SUMS
  upload DIR                              stores the package that `files` has made and proves that it is there
  limited UPLOADS IN_FLIGHT               small uploads against an origin that lets in so many a second
  list PREFIX                             lists as fast as the server can, and only counts
  put UPLOADS BYTES                       stores as fast as the server can, and proves nothing

The bucket is named by HEADWATER_ORIGINS_LAB_ENDPOINT, _BUCKET, _REGION, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY.
What was done is told as JSON, in one line. A title has as many segments in each of five renditions.
";

/// Time for a server to get ready.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    // On a worker of the runtime, as the product's own tasks are: the thread that waits for them here has no queue, and
    // waking it would cost a call of the kernel each time.
    let done = tokio::spawn(async {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(&args).await
    });
    match done.await.map_err(anyhow::Error::from).flatten() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False when the arguments make no sense.
async fn run(args: &[&str]) -> Result<bool> {
    let target = || Target::of(|name| std::env::var(name).ok());
    let told = match args {
        ["wait"] => {
            let target = target()?;
            tokio::task::spawn_blocking(move || bare::wait(&target, PATIENCE)).await??
        }
        ["files", dir, titles, segments, bytes] => {
            let shape = Shape { titles: number(titles)?, segments: number(segments)? };
            write::files(&PathBuf::from(dir), shape, number(bytes)?)?
        }
        ["fill", tenant, titles, segments, sums] => {
            let shape = Shape { titles: number(titles)?, segments: number(segments)? };
            write::fill(&target()?, tenant.parse()?, shape, &PathBuf::from(sums)).await?
        }
        ["upload", dir] => upload::upload(&target()?, &PathBuf::from(dir)).await?,
        ["limited", uploads, in_flight] => {
            limiter::run(&target()?, number(uploads)?, number(in_flight)?).await?
        }
        ["list", prefix] => {
            let (target, prefix) = (target()?, (*prefix).to_owned());
            tokio::task::spawn_blocking(move || bare::list(&target, &prefix)).await??
        }
        ["put", uploads, bytes] => {
            let (target, uploads, bytes) = (target()?, number(uploads)?, number(bytes)?);
            tokio::task::spawn_blocking(move || bare::put(&target, uploads, bytes)).await??
        }
        _ => return Ok(false),
    };
    println!("{told}");
    Ok(true)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T> {
    word.parse().ok().with_context(|| format!("`{word}` is not a number that can be used here"))
}
