//! Settling as tables: what the folder has at each second, and what is handed on.

use expect_test::{Expect, expect};

use super::*;

/// Each line is one look: `SECOND NAME=SIZE@TIME …`. With `settle` 3 s, lists what is handed on at each look.
fn check(script: &str, expected: Expect) {
    let mut settling = Settling::new(Duration::from_secs(3));
    let mut told = String::new();
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let second = words.next().unwrap();
        let folder = words.map(sighting).collect();
        let whole = settling.look(Duration::from_secs(second.parse().unwrap()), folder);
        let names: Vec<_> = whole.iter().map(|s| s.path.to_str().unwrap()).collect();
        whole.iter().for_each(|s| settling.hand_on(&s.path));
        let due = settling.next_due().map_or("-".to_owned(), |d| d.as_secs().to_string());
        told.push_str(&format!("{second}: [{}] due {due}\n", names.join(" ")));
    }
    expected.assert_eq(&told);
}

fn sighting(word: &str) -> Sighting {
    let (path, stamp) = word.split_once('=').unwrap();
    let (bytes, modified) = stamp.split_once('@').unwrap();
    let (bytes, modified_ns) = (bytes.parse().unwrap(), modified.parse().unwrap());
    Sighting { path: path.into(), stamp: Stamp { bytes, modified_ns } }
}

#[test]
fn a_file_counts_after_it_stood_still() {
    check(
        "
        0 a=5@1
        2 a=5@1
        3 a=5@1
        9 a=5@1
        ",
        expect![[r#"
            0: [] due 3
            2: [] due 3
            3: [a] due -
            9: [] due -
        "#]],
    );
}

#[test]
fn growth_and_rewriting_start_the_wait_again() {
    check(
        "
        0 a=5@1
        2 a=6@2
        4 a=6@3
        5 a=6@3
        7 a=6@3
        ",
        expect![[r#"
            0: [] due 3
            2: [] due 5
            4: [] due 7
            5: [] due 7
            7: [a] due -
        "#]],
    );
}

#[test]
fn a_delivery_over_an_old_one_counts_anew() {
    check(
        "
        0 a=5@1
        3 a=5@1
        4 a=5@9
        7 a=5@9
        ",
        expect![[r#"
            0: [] due 3
            3: [a] due -
            4: [] due 7
            7: [a] due -
        "#]],
    );
}

#[test]
fn what_leaves_is_forgotten() {
    check(
        "
        0 a=5@1 b=5@1
        2 b=5@1
        3 a=5@1 b=5@1
        6 a=5@1 b=5@1
        ",
        expect![[r#"
            0: [] due 3
            2: [] due 3
            3: [b] due 6
            6: [a] due -
        "#]],
    );
}

#[test]
fn what_could_not_be_handed_on_is_due_at_every_look() {
    let mut settling = Settling::new(Duration::from_secs(3));
    let look = |settling: &mut Settling, s| {
        settling.look(Duration::from_secs(s), vec![sighting("a=5@1")]).len()
    };
    let seen: Vec<_> = [0, 3, 4, 5].map(|s| look(&mut settling, s)).into();
    assert_eq!(seen, [0, 1, 1, 1]);
    settling.hand_on(Path::new("a"));
    assert_eq!(look(&mut settling, 6), 0);
}

#[test]
fn unfinished_transfers_and_hidden_files_are_ignored() {
    let names = [
        "film.mp4",
        "film.mp4.part",
        "film.PARTIAL",
        "film.tmp",
        "a.crdownload",
        "film.mp4.aspx",
        "film.FilePart",
        ".film.mp4",
        ".DS_Store",
        "tmp",
        "part.mp4",
        "film.partial.mp4",
    ];
    let kept: Vec<_> = names.into_iter().filter(|n| !ignored(n)).collect();
    expect![[r#"
        [
            "film.mp4",
            "tmp",
            "part.mp4",
            "film.partial.mp4",
        ]
    "#]]
    .assert_debug_eq(&kept);
}
