//! Few findings are told apart, many are one incident that ends with the last of them.

use super::*;
use crate::id::{Tenant, TitleId, Version};
use crate::incident::{At, Found, How, Look, Mended};

fn film() -> PackageId {
    let title = TitleId::from_file_name("film.mp4");
    PackageId { tenant: Tenant::default(), title, version: Version(1) }
}

fn lost(origin: &str, objects: usize) -> Vec<Finding> {
    let finding = |n| Finding {
        origin: origin.to_owned(),
        object: format!("main/film/v1/a/seg-{n:05}.m4s"),
        kind: FindingKind::Missing,
    };
    (1..=objects).map(finding).collect()
}

#[test]
fn what_can_be_looked_at_one_by_one_is_told_apart() {
    let findings = [lost("a", MOST), lost("b", 2)].concat();
    assert_eq!(told_together(&film(), &findings, |_| false), findings);
}

#[test]
fn an_origin_that_lost_everything_is_one_incident() {
    let findings = [lost("a", 18_000), lost("b", 2)].concat();
    let told = told_together(&film(), &findings, |_| false);
    let words: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "`main/film/v1/*` on origin a is wrong in 18000 objects, the first of which, \
             `main/film/v1/a/seg-00001.m4s`, is missing",
            "`main/film/v1/a/seg-00001.m4s` on origin b is missing",
            "`main/film/v1/a/seg-00002.m4s` on origin b is missing",
        ]
    );
    assert!(told[0].kind.is_loss() && !told[0].kind.is_of_edge());
    let json = serde_json::to_string(&told[0].kind).expect("it can be written");
    let read: FindingKind = serde_json::from_str(&json).expect("it can be read");
    assert_eq!(read, told[0].kind);
}

#[test]
fn what_is_open_already_stays_apart() {
    let findings = lost("a", MOST + 5);
    let open = |f: &Finding| f.object.ends_with("-00003.m4s");
    let told = told_together(&film(), &findings, open);
    assert_eq!((told.len(), &told[1]), (2, &findings[2]));
}

#[test]
fn an_incident_of_many_ends_with_the_last_of_them() {
    let open = told_together(&film(), &lost("a", MOST + 1), |_| false).remove(0);
    let mut look = Look { whole: vec!["a".to_owned()], findings: lost("a", 1), ..Look::default() };
    assert!(!look.closes(&open, Found::default()), "one is left");
    look.findings = lost("b", 1);
    assert!(look.closes(&open, Found::default()));
    look.whole.clear();
    assert!(!look.closes(&open, Found::default()), "not looked at");
    let (origin, object) = ("a".to_owned(), "main/film/v1/a/seg-00007.m4s".to_owned());
    look.mended = vec![Mended { origin, object, how: How::MadeAgain }];
    assert_eq!(look.mended("a", &open.object), Some(&How::MadeAgain));
    assert_eq!(look.mended("b", &open.object), None);
}

#[test]
fn many_that_were_found_by_reading_end_by_reading_all() {
    let kind = FindingKind::ListedButUnreadable { reason: "no data".to_owned() };
    let mut findings = lost("a", MOST + 1);
    findings[7].kind = kind;
    let open = told_together(&film(), &findings, |_| false).remove(0);
    let look = Look { whole: vec!["a".to_owned()], findings, ..Look::default() };
    let found = look.found(&open);
    assert_eq!(found, Found { by_reading: true, on_edge: false }, "one is enough");
    let mut look = Look { findings: vec![], ..look };
    assert!(!look.closes(&open, found), "as the origin says");
    look.read.insert(At::everything("a"));
    assert!(look.closes(&open, found));
}
