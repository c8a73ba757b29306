//! The made-up library: what it is made of, and how it lies in the queue.

use std::collections::BTreeSet;

use headwater_catalog::PostgresOptions;

use super::*;

#[test]
fn a_span_makes_segments_that_follow_each_other() {
    let of = |kind| {
        let objects = objects(kind).into_iter();
        let segments = objects.map(|object| match object.role {
            ObjectRole::Segment { rendition, number, start, ticks, samples } => {
                assert!(object.path.starts_with(&rendition), "{}", object.path);
                assert!(samples > 0);
                (rendition, number, start, ticks)
            }
            role => panic!("{} is {role:?}", object.path),
        });
        segments.collect::<Vec<_>>()
    };
    let (first, second) = (of(TaskKind::Span(0)), of(TaskKind::Span(1)));
    assert_eq!(first.len(), 50);
    for (before, after) in first.iter().zip(&first[1..]) {
        if before.0 == after.0 {
            assert_eq!((before.1 + 1, before.2 + before.3), (after.1, after.2));
        }
    }
    let (_, number, start, ticks) = first.last().unwrap();
    assert_eq!((second[0].1, second[0].2), (number + 1, start + ticks));
    assert_eq!(of(TaskKind::Audio(0)).len(), 10);
}

#[tokio::test]
async fn titles_lie_in_the_lanes_of_all_tenants_and_priorities() {
    let server = Server::start_for_measuring();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let catalog = PostgresCatalog::connect(&PostgresOptions::parse(&url).unwrap()).await.unwrap();
    model(&server, database, &catalog).await.unwrap();
    copy(&server, database, 8, true);
    copy(&server, database, 16, false);
    let lanes = server.psql_in(
        database,
        "select count(distinct p.title_id) || ' titles, ' || count(*) || ' tasks' from tasks k \
             join packages p on p.id = k.package_id join lanes l on l.id = k.lane_id \
             join titles t on t.id = p.title_id and t.tenant = l.tenant and t.priority = l.priority \
         where k.finished_at is null group by k.lane_id",
    );
    assert_eq!(lanes.lines().collect::<Vec<_>>(), ["2 titles, 240 tasks"; 8]);
    let mut tenants = BTreeSet::new();
    for _ in 0..8 {
        let claimed = catalog.claim(&Offer::of("a", &[Role::Worker]), LEASE_MS).await.unwrap();
        tenants.insert(claimed.unwrap().package.tenant);
    }
    assert_eq!(tenants.len(), TENANTS.len(), "each gets its share");
    catalog.close().await;
}
