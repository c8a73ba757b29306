//! Tests of the bare client, against a server that checks signatures.

use expect_test::expect;
use headwater_lying_origin::{LyingOrigin, Manners};

use super::*;

fn target(server: &LyingOrigin) -> Target {
    Target {
        endpoint: server.endpoint(),
        bucket: server.manners().bucket.clone(),
        region: server.manners().region.clone(),
        access_key: LyingOrigin::ACCESS_KEY.to_owned(),
        secret_key: LyingOrigin::SECRET_KEY.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_is_counted_page_by_page() {
    let manners = Manners { page: 10, ..Manners::default() };
    let server = LyingOrigin::start(manners).await.unwrap();
    let target = target(&server);
    let listed = tokio::task::spawn_blocking(move || {
        put(&target, 25, 100)?;
        list(&target, "bare/")
    });
    let listed = listed.await.unwrap().unwrap();
    assert_eq!((&listed["keys"], &listed["pages"]), (&json!(25), &json!(3)));
    assert_eq!(server.keys().len(), 25);
    assert_eq!(server.object("bare/000007").map(|body| body.len()), Some(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let target = Target { secret_key: "another".to_owned(), ..target(&server) };
    let listed = tokio::task::spawn_blocking(move || list(&target, "")).await.unwrap();
    let error = listed.unwrap_err().to_string();
    assert!(error.contains("403"), "{error}");
}

#[test]
fn times_are_written_as_signatures_want_them() {
    let dates = [0, 951_782_400, 951_868_800, 1_794_999_999, 4_107_542_399].map(date);
    expect![[r#"
        [
            "19700101T000000Z",
            "20000229T000000Z",
            "20000301T000000Z",
            "20261118T110639Z",
            "21000228T235959Z",
        ]
    "#]]
    .assert_debug_eq(&dates);
}
