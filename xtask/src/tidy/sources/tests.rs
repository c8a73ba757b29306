//! Tests of the rules about source text.

use expect_test::{Expect, expect};

use super::*;

fn check(file: &str, text: &str, expected: Expect) {
    expected.assert_eq(&findings_in(file, text).join("\n"));
}

#[test]
fn a_file_says_what_it_is_for() {
    check("crates/a/src/b.rs", "//! Cuts bread.\nuse std::fs;\n", expect![""]);
    check(
        "crates/a/src/b.rs",
        "use std::fs;\n",
        expect![
            "crates/a/src/b.rs: start the file with `//!` and one sentence that says what it is for"
        ],
    );
}

#[test]
fn a_long_file_is_cut() {
    let text = format!("//! Long.\n{}", "\n".repeat(MAX_LINES));
    check(
        "a.rs",
        &text,
        expect!["a.rs: 701 lines: move a part that has a name of its own to its own file"],
    );
}

#[test]
fn unfinished_work_is_named_and_look_alikes_are_not() {
    let word = UNFINISHED[0];
    let found = findings_in("a.rs", &format!("//! A.\n// {word} later\nlet {word}LIST = 1;\n"));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(&format!("a.rs:2: `{word}`: do it now")), "{found:?}");
}

#[test]
fn a_lint_is_switched_off_with_a_reason_only() {
    let open = concat!("#[all", "ow(");
    check(
        "a.rs",
        &format!(
            "//! A.\n{open}dead_code)]\n{open}dead_code, reason = \"x\")]\n{open}\n dead_code,\n reason = \"x\"\n)]\n"
        ),
        expect![[r#"a.rs:2: say why the lint does not apply here: `reason = "…"`"#]],
    );
}

#[test]
fn a_pure_crate_does_not_ask_the_world() {
    let text = "//! A.\n// std::fs in words is fine\nuse std::fs;\n";
    check(
        "crates/headwater-model/src/a.rs",
        text,
        expect![
            "crates/headwater-model/src/a.rs:3: `std::fs` in a pure crate: take it as an argument"
        ],
    );
    check("crates/headwater-origin/src/a.rs", text, expect![""]);
    check("crates/headwater-model/src/a/tests.rs", text, expect![""]);
}
