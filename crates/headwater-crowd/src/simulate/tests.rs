//! Tests of the simulation, on a few titles.

use headwater_model::task::TaskKind;
use headwater_model::time::Timestamp;

use super::history::History;
use super::report::TitleLog;
use super::*;

fn few() -> Options {
    Options {
        workers: 12,
        titles: 3,
        deaths_per_hour: 40.0,
        urgent_per_hour: 4.0,
        seed: 7,
        lease_seconds: 60,
        minutes_of_real_time: None,
    }
}

#[test]
fn options_are_read() {
    let options = Options::parse(&["--workers", "3", "--deaths-per-hour", "0.5"]).unwrap();
    assert_eq!((options.workers, options.titles, options.deaths_per_hour), (3, 25_000, 0.5));
    assert_eq!(Options::parse(&["--workers", "0"]), None);
    assert_eq!(Options::parse(&["--speed", "7"]), None);
}

#[test]
fn a_task_takes_as_long_each_time_and_titles_are_as_long_as_films() {
    let history = History::read().unwrap();
    let span = TaskKind::Span(4);
    assert_eq!(history.takes_ms(1, 2, span), history.takes_ms(1, 2, span));
    assert_ne!(history.takes_ms(1, 2, span), history.takes_ms(1, 3, span));
    let spans: u64 = (0..2_000).map(|title| History::spans(1, title)).sum();
    assert!((110..130).contains(&(spans / 2_000)), "{spans}");
    // A minute of 720p at 25 fps, at the 79 ms a frame that were measured, and a title may be half as dear again.
    let mean = (0..500).map(|title| history.takes_ms(1, title, span)).sum::<i64>() / 500;
    assert!((90_000..150_000).contains(&mean), "{mean}");
}

#[tokio::test]
async fn every_title_is_published_though_workers_die() {
    let report = run(&few()).await.unwrap();
    assert_eq!(report.faults(), [""; 0], "{report}");
    assert!(report.deaths > 0, "{report}");
    assert!(report.titles.len() > 3, "an urgent title came: {report}");
    let needed = report.titles.iter().map(|title| title.work_ms).sum::<i64>();
    // Nothing is done that was not to be done, but for what the dead had in hand.
    assert!(report.busy_ms >= needed + report.wasted_ms - 1_000, "{report:?}");
    assert!(report.busy() > 0.5, "{report}");
}

#[test]
fn what_is_not_done_is_a_fault_and_idle_workers_are_not_busy() {
    let at = |seconds: i64| Timestamp(1_000_000 + seconds * 1_000);
    let mut title = TitleLog::new(at(0), false, &[(TaskKind::Span(0), 100_000)]);
    title.prepared = Some(at(90));
    let report = Report {
        options: Options { workers: 2, ..few() },
        titles: vec![title],
        idle: vec![(at(20), at(40)), (at(100), at(200))],
        dead: vec![(at(60), at(80))],
        end: at(200),
        busy_ms: 0,
        wasted_ms: 0,
        claims: 0,
        leases_lost: 0,
        deaths: 1,
        real: std::time::Duration::from_secs(1),
        cut_short: false,
        methods: vec![],
        bytes: 0,
        unpublished: 1,
        open: 2,
    };
    assert_eq!(report.faults().len(), 2);
    // Until 100 s, when nothing was left: 200 s of two workers, 20 of them dead, 20 of them idle.
    assert!((report.busy() - (1.0 - 20.0 / 180.0)).abs() < 1e-9, "{}", report.busy());
    assert!(report.to_string().contains("missed"), "{report}");
    assert!(report.to_string().contains("every third of a lease of 60 s"), "{report}");
}
