//! Duties: one process does the work, another takes over, and at no time do two of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_model::worker::{BEAT_MS, DUTY_MS, Duty};

use super::gated_catalog::{Gate, GatedCatalog};
use super::*;

const BEAT: Duration = Duration::from_millis(BEAT_MS.unsigned_abs());
const LASTS: Duration = Duration::from_millis(DUTY_MS.unsigned_abs());

/// Work that shows how many do it.
#[derive(Clone, Default)]
struct Work {
    now: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
}

/// Somebody at work; gone when it is dropped.
struct AtWork(Work);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Work {
    fn begin(&self) -> AtWork {
        let others = self.now.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "another does it still");
        self.begun.fetch_add(1, Ordering::SeqCst);
        AtWork(self.clone())
    }

    fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// A process that wants to watch.
struct Process {
    engine: Engine,
    stop: CancellationToken,
    running: JoinHandle<Option<()>>,
}

impl Process {
    fn start(engine: Engine, work: &Work) -> Self {
        let (stop, work) = (CancellationToken::new(), work.clone());
        let (told, on_duty) = (stop.clone(), engine.clone());
        let running = tokio::spawn(async move {
            let watching = || async {
                let _at_work = work.begin();
                told.cancelled().await;
            };
            let duty = on_duty.on_duty(Duty::Watch, &told, watching);
            on_duty.pulse().beating("watch", duty).await
        });
        Self { engine, stop, running }
    }

    async fn stop(self) -> Option<()> {
        self.stop.cancel();
        self.running.await.unwrap()
    }

    /// As SIGKILL would.
    async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(start_paused = true)]
async fn one_process_does_what_two_are_there_for() {
    let (lab, work) = (Lab::new(), Work::default());
    let first = Process::start(lab.engine(), &work);
    sleep(Duration::from_millis(1)).await;
    let second = Process::start(lab.engine(), &work);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!((work.now(), work.begun()), (1, 1));
    let [(name, since)] = second.engine.pulse().read()[..] else { panic!("one loop") };
    assert!(name == "watch" && since < Duration::from_secs(2), "who stands by is alive");

    // It goes, and says so.
    assert_eq!(first.stop().await, Some(()));
    sleep(BEAT + Duration::from_millis(1)).await;
    assert_eq!((work.now(), work.begun()), (1, 2));
    assert_eq!(second.stop().await, Some(()));
    assert_eq!(work.now(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_falls_silent_is_relieved() {
    let (lab, work) = (Lab::new(), Work::default());
    let first = Process::start(lab.engine(), &work);
    sleep(Duration::from_secs(60)).await;
    let second = Process::start(lab.engine(), &work);
    sleep(BEAT).await;
    first.kill().await;
    sleep(LASTS - BEAT - Duration::from_millis(1)).await;
    assert_eq!(work.now(), 0, "it might be there still");
    sleep(2 * BEAT + Duration::from_millis(2)).await;
    assert_eq!((work.now(), work.begun()), (1, 2));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_say_so_stops_before_another_takes_over() {
    for gate in [Gate::FailsFrom("take_duty", 1), Gate::HangsFrom("take_duty", 1)] {
        let (lab, work) = (Lab::new(), Work::default());
        let catalog = GatedCatalog::new(lab.catalog.clone(), gate);
        let cut_off = Process::start(lab.engine_by(catalog, lab.origin.clone()), &work);
        sleep(BEAT / 2).await;
        let other = Process::start(lab.engine(), &work);
        sleep(LASTS - BEAT / 2 - Duration::from_millis(1)).await;
        assert_eq!((work.now(), work.begun()), (1, 1), "it has it for certain until then");
        sleep(Duration::from_millis(2)).await;
        assert_eq!(work.now(), 0);
        sleep(BEAT).await;
        assert_eq!((work.now(), work.begun()), (1, 2));
        assert_eq!(cut_off.stop().await, None);
        other.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_away_for_a_moment_costs_no_duty() {
    let (lab, work) = (Lab::new(), Work::default());
    let catalog = GatedCatalog::new(lab.catalog.clone(), Gate::Fails("take_duty", 3));
    let process = Process::start(lab.engine_by(catalog, lab.origin.clone()), &work);
    sleep(3 * BEAT + Duration::from_millis(1)).await;
    assert_eq!(work.now(), 1, "it asks until it is answered");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(work.begun(), 1);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_was_relieved_stands_by_and_comes_back() {
    let (lab, work) = (Lab::new(), Work::default());
    let process = Process::start(lab.engine(), &work);
    sleep(BEAT / 2).await;
    // As another would that found it silent.
    let instance = process.engine.presence().instance().to_owned();
    lab.catalog.leave_duty(Duty::Watch, &instance).await.unwrap();
    assert!(lab.catalog.take_duty(Duty::Watch, "another", 60_000).await.unwrap());
    sleep(BEAT).await;
    assert_eq!(work.now(), 0);
    sleep(Duration::from_secs(50)).await;
    assert_eq!(work.now(), 0, "the other is there still");
    sleep(Duration::from_secs(20)).await;
    assert_eq!((work.now(), work.begun()), (1, 2));
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_stands_by_goes_when_it_is_told() {
    let (lab, work) = (Lab::new(), Work::default());
    assert!(lab.catalog.take_duty(Duty::Watch, "another", 3_600_000).await.unwrap());
    let process = Process::start(lab.engine(), &work);
    sleep(Duration::from_secs(60)).await;
    let began = Instant::now();
    assert_eq!(process.stop().await, None);
    assert_eq!((work.begun(), began.elapsed()), (0, Duration::ZERO));
    assert!(!lab.catalog.take_duty(Duty::Watch, "a third", 1).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_by_itself_leaves_its_duty() {
    let lab = Lab::new();
    let stop = CancellationToken::new();
    let failed = lab.engine().on_duty(Duty::Audit, &stop, || async { "no such folder" }).await;
    assert_eq!(failed, Some("no such folder"));
    assert!(lab.catalog.take_duty(Duty::Audit, "another", 1).await.unwrap());
}
