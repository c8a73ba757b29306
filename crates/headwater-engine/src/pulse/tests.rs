//! Loops that wait beat, one that blocks does not, and one that ended is not missed.

use std::thread;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_loop_that_waits_for_something_beats() {
    let pulse = Pulse::default();
    let waits = pulse.beating("worker", std::future::pending::<()>());
    let looks = async {
        for _ in 0..100 {
            sleep(Duration::from_millis(700)).await;
            let [(name, ago)] = pulse.read()[..] else { panic!("{:?}", pulse.read()) };
            assert!(name == "worker" && ago <= BEAT, "{name} {ago:?}");
        }
    };
    tokio::select! { () = waits => {}, () = looks => {} }
    assert_eq!(pulse.read(), [], "what was dropped is off the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_blocks_its_thread_does_not() {
    let pulse = Pulse::default();
    let blocked = pulse.clone();
    let running = tokio::spawn(async move {
        let blocks = async { thread::sleep(Duration::from_millis(1500)) };
        blocked.beating("worker", blocks).await;
    });
    thread::sleep(Duration::from_millis(1300));
    let [("worker", ago)] = pulse.read()[..] else { panic!("{:?}", pulse.read()) };
    assert!(ago >= Duration::from_millis(1100), "{ago:?}");
    running.await.unwrap();
    assert_eq!(pulse.read(), []);
}
