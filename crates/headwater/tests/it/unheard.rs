//! Whoever reads what a command says may go away, and the disk that it is written to may be full. The work goes on.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::masters;
use crate::run::Site;

#[test]
fn work_goes_on_when_nobody_listens_any_more() {
    let site = Site::new();
    let master = masters::H264_25.path();
    let mut command = site.ingest_command(&master, "film", &site.quick(4));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(site.status("film")["state"], "published");
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let site = Site::new();
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = site.command(["pipelines", "list"]);
    let told = command.stdin(Stdio::null()).stdout(full()).output().unwrap();
    let why = String::from_utf8(told.stderr).unwrap();
    assert_eq!(
        (told.status.code(), why.as_str()),
        (
            Some(1),
            "error: the result cannot be written to standard output: No space left on device (os error 28)\n"
        )
    );
    // Nobody is there to be told.
    let mut command = site.command(["pipelines", "list"]);
    let status = command.stdin(Stdio::null()).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
