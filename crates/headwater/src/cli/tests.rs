//! What is printed of errors, and how arguments are read.

use anyhow::anyhow;

use super::*;

#[test]
fn a_cause_is_said_once() {
    let library = anyhow!("connection refused").context("failed to list: connection refused");
    assert_eq!(in_full(&library.context("audit")), "audit: failed to list: connection refused");
    let plain = anyhow!("no such file").context("read the log filter");
    assert_eq!(in_full(&plain), "read the log filter: no such file");
}

#[test]
fn times_and_shares_are_read_as_people_write_them() {
    assert_eq!(moment("1:02:30"), Ok(3_750_000));
    assert_eq!(moment("90.5"), Ok(90_500));
    assert!(moment("-1").is_err() && moment("1:").is_err() && moment("NaN").is_err());
    assert_eq!(share("0.5 %"), Ok(0.005));
    assert!(share("0%").is_err() && share("101%").is_err());
    assert_eq!(version("v3"), Ok(Version(3)));
    assert!(version("v0").is_err());
}
