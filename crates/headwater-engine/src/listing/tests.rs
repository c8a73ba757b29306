//! The merge of listing and inventory, at every page size.

use expect_test::{Expect, expect};
use headwater_model::id::{Tenant, Version};
use headwater_model::inventory::ObjectRole;
use headwater_ports::origin::ProofGrade;
use headwater_testkit::digest::{md5, put, sha256};
use headwater_testkit::memory_origin::MemoryOrigin;

use super::*;

fn package() -> PackageId {
    let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
    PackageId { tenant, title, version: Version(1) }
}

fn object(path: &str, body: &str) -> Object {
    let body = body.as_bytes();
    Object {
        path: path.to_owned(),
        bytes: body.len() as u64,
        sha256: sha256(body),
        md5: md5(body),
        version: None,
        role: ObjectRole::Manifest,
    }
}

/// `stored` and `expected` are lines `PATH CONTENT`.
async fn check(grade: ProofGrade, stored: &str, expected: &str, result: Expect) {
    let lines = |text: &'static str| text.lines().filter_map(|l| l.trim().split_once(' '));
    let (stored, expected) = (stored.to_owned().leak(), expected.to_owned().leak());
    let objects: Vec<Object> = lines(expected).map(|(path, body)| object(path, body)).collect();
    for page in [1, 2, 3, 1000] {
        let origin = MemoryOrigin::new("lab").with_grade(grade).with_page(page);
        for (path, body) in lines(stored) {
            let body = if body == "-" { "" } else { body };
            origin.put(put(&format!("main/film/v1/{path}"), body)).await.unwrap();
        }
        // Its neighbours are not the package's.
        origin.put(put("main/film/v10/a", "x")).await.unwrap();
        origin.put(put("main/film/index.m3u8", "x")).await.unwrap();
        let verdicts = compare(&origin, &package(), &objects).await.unwrap();
        assert_eq!(verdicts.len(), objects.len());
        let told: String =
            objects.iter().zip(verdicts).map(|(o, v)| format!("{}: {v:?}\n", o.path)).collect();
        result.assert_eq(&told);
    }
}

#[tokio::test]
async fn every_kind_of_wrong_is_told_apart() {
    check(
        ProofGrade::B,
        "
        b 12345
        c -
        d 123
        e 1234567
        f 54321
        g 12345
        ",
        "
        a 12345
        b 12345
        c 12345
        d 12345
        e 12345
        f 12345
        h 12345
        ",
        expect![[r#"
            a: NotListed
            b: Sound
            c: Wrong(Empty { expected: Some(5) })
            d: Wrong(Truncated { expected: 5, found: 3 })
            e: Wrong(TooLong { expected: 5, found: 7 })
            f: Differs
            h: NotListed
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_origin_without_md5_leaves_it_open() {
    let stored = "a 54321\nb 1";
    let expected = "a 12345\nb 12345";
    let result = expect![[r#"
        a: Unsure
        b: Wrong(Truncated { expected: 5, found: 1 })
    "#]];
    check(ProofGrade::C, stored, expected, result).await;
}

#[tokio::test]
async fn a_package_without_any_object_is_missing_whole() {
    let result = expect![[r#"
        a: NotListed
        b/c: NotListed
    "#]];
    check(ProofGrade::B, "", "a 1\nb/c 2", result).await;
}
