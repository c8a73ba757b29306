//! Tests of the measurement, on a few titles.

use super::*;

#[test]
fn options_are_read() {
    let options = Options::parse(&["--titles", "7", "--seconds", "1"]).unwrap();
    assert_eq!((options.titles, options.finished, options.seconds), (7, 25_000, 1));
    assert_eq!(Options::parse(&["--titles"]), None);
    assert_eq!(Options::parse(&["--speed", "7"]), None);
}

#[tokio::test]
async fn a_few_titles_are_claimed_and_completed() {
    let options = Options { titles: 60, finished: 10, seconds: 1, rounds: 1, connections: 4 };
    let measured = run(&options).await.unwrap();
    assert_eq!(measured.tables.len(), 2);
    for table in &measured.tables {
        assert!(table.bare[0].tasks_per_second > 0.0, "{table:?}");
        let turns = [&table.with_objects[0], &table.without_objects[0]];
        assert!(turns.iter().all(|turn| turn.tasks_per_second > 0.0), "{table:?}");
    }
}
