//! Tests of how command lines are shown and how failures read.

use super::*;

#[test]
fn a_shown_command_can_be_typed_into_a_shell() {
    let mut command = Command::new("ffmpeg");
    command.args(["-i", "my film.mp4", "-vf", "scale=2:2;it's", ""]);
    assert_eq!(line(&command), r"ffmpeg -i 'my film.mp4' -vf 'scale=2:2;it'\''s' ''");
}

#[test]
fn a_failing_command_is_named_with_its_status() {
    let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
    assert_eq!(error.to_string(), "`sh -c 'exit 3'` failed: exit status: 3");
}

#[test]
fn a_missing_program_is_named() {
    let error = read(&mut Command::new("no-such-program")).unwrap_err();
    assert_eq!(error.to_string(), "start `no-such-program`");
    assert!(!succeeds(&mut Command::new("no-such-program")));
}
