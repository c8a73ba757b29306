//! Cases of steering: titles and tasks that people hold, hurry and give up, and the workers that they see.

use std::sync::Arc;

use headwater_model::flaw::{Flaw, FlawKind};
use headwater_model::id::{Tenant, Version};
use headwater_model::lane::Priority;
use headwater_model::life::TitleState;
use headwater_model::quality::{Loudness, Seen, Verdict};
use headwater_model::refusal::Code;
use headwater_model::steering::{Answer, Order, TaskFilter, TaskOrder, TaskRecord, TaskState};
use headwater_model::task::{Outcome, Role, TaskKind};
use headwater_model::worker::{Duty, FORGOTTEN_MS, SILENT_MS, Worker, WorkerState};
use headwater_ports::catalog::{CatalogError, Submitted};

use super::scene::{
    LEASE_MS, Scene, assert_lost, good, lasting, package, passing, prepared, title,
};

type Case = Result<(), CatalogError>;

async fn steer(s: &Scene, name: &str, order: Order) -> Result<Answer, CatalogError> {
    s.catalog.steer(&Tenant::default(), &title(name), order).await
}

async fn steer_task(s: &Scene, task: i64, order: TaskOrder) -> Result<Answer, CatalogError> {
    s.catalog.steer_task(&Tenant::default(), task, order).await
}

async fn tasks(s: &Scene, states: &[TaskState]) -> Result<Vec<TaskRecord>, CatalogError> {
    let filter = TaskFilter { states: states.to_vec(), ..TaskFilter::default() };
    s.catalog.tasks(&Tenant::default(), &filter, 100).await
}

fn is_refused(answer: Answer) -> bool {
    matches!(answer, Answer::Refused(_))
}

/// Before anything is made of it, and once more before anybody sees what was made.
pub async fn what_has_to_be_looked_at_is_held(s: Scene) -> Case {
    let told = |text: &str| Verdict { told: vec![text.to_owned()], hold: true };
    let loud = Loudness { track: "002".to_owned(), integrated: -9.5, range: 3.0, true_peak: 0.5 };
    let black = Flaw { kind: FlawKind::Black, track: None, from_ms: 40, to_ms: 9_000 };
    s.submit("film").await?;
    let Outcome::Prepared { facts, plan, cpu_ms, archives, .. } = prepared(1, 1) else {
        unreachable!("that is what it hands in")
    };
    let verdict = told("3 frames missing at 0:00:04.000");
    let odd = Outcome::Prepared { facts, plan, cpu_ms, archives, verdict };
    s.finish(TaskKind::Prepare, &odd).await?;
    assert!(s.title("film").await?.held);
    assert_eq!(s.try_claim().await?, None);
    steer(&s, "film", Order::Release).await?;

    let made = |kind, of: Seen| match good(kind) {
        Outcome::Made { objects, codecs, cpu_ms, .. } => {
            Outcome::Made { objects, codecs, cpu_ms, seen: of }
        }
        other => other,
    };
    let (audio, span) = (TaskKind::Audio(0), TaskKind::Span(0));
    let heard = Seen { flaws: vec![], loudness: vec![loud.clone()] };
    let seen = Seen { flaws: vec![black.clone()], loudness: vec![] };
    s.finish(audio, &made(audio, heard)).await?;
    s.finish(span, &made(span, seen)).await?;
    let all = Seen { flaws: vec![black], loudness: vec![loud] };
    let v1 = package("film", 1);
    assert_eq!(s.catalog.package(&v1).await?.map(|record| record.seen), Some(all.clone()));
    let sealed = match good(TaskKind::Seal) {
        Outcome::Sealed { inventory, objects, bytes, .. } => {
            Outcome::Sealed { inventory, objects, bytes, verdict: told("it is black") }
        }
        other => other,
    };
    s.finish(TaskKind::Seal, &sealed).await?;
    assert_eq!(s.try_claim().await?, None, "nobody proves or publishes it");
    steer(&s, "film", Order::Release).await?;
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.catalog.package(&v1).await?.map(|record| record.seen), Some(all), "for good");
    let history = s.history("film").await?;
    let found: Vec<&String> = history.iter().filter(|line| line.starts_with("found: ")).collect();
    assert_eq!(found, ["found: 3 frames missing at 0:00:04.000", "found: it is black"]);
    assert_eq!(history.iter().filter(|line| line.starts_with("held for")).count(), 2);
    Ok(())
}

/// What is under way is finished, and what follows from it waits; a released title goes on.
pub async fn a_held_title_begins_nothing(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    assert_eq!(steer(&s, "film", Order::Hold).await?, Answer::Done);
    assert_eq!(s.try_claim().await?, None);
    assert!(s.title("film").await?.held);
    let lease = s.catalog.renew(&audio.lease, LEASE_MS, 0).await?;
    s.catalog.complete(&lease, &good(audio.kind)).await?;
    assert_eq!(tasks(&s, &[TaskState::Held]).await?.len(), 2);
    // A worker that dies meanwhile does not bring it back either, nor does a second order.
    assert!(is_refused(steer(&s, "film", Order::Hold).await?));
    assert_eq!(steer(&s, "film", Order::Release).await?, Answer::Done);
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    assert_eq!(steer(&s, "film", Order::Hold).await?, Answer::Done);
    s.clock.advance_ms(LEASE_MS);
    assert_eq!(s.try_claim().await?, None);
    assert_lost(s.catalog.complete(&span.lease, &good(span.kind)).await);
    steer(&s, "film", Order::Release).await?;
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    let history = s.history("film").await?;
    assert_eq!(history.iter().filter(|line| line.starts_with("held")).count(), 2);
    Ok(())
}

/// Its tasks are gone, those under way included; ingesting it goes on with what is done.
pub async fn a_title_that_is_cancelled_ends_and_can_be_ingested_again(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    assert_eq!(steer(&s, "film", Order::Cancel).await?, Answer::Done);
    assert_lost(s.catalog.complete(&span.lease, &good(span.kind)).await);
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.state("film").await?.refusal().map(|r| r.code), Some(Code::Cancelled));
    assert!(is_refused(steer(&s, "film", Order::Cancel).await?));
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(1)));
    s.claim_kind(TaskKind::Span(0)).await?;
    Ok(())
}

/// And says so in the history.
pub async fn cancelling_healing_leaves_viewers_what_they_have(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    s.catalog.heal(&package("film", 1)).await?;
    assert_eq!(steer(&s, "film", Order::Cancel).await?, Answer::Done);
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.title("film").await?.live, Some(Version(1)));
    let last = s.history("film").await?.pop().unwrap_or_default();
    assert!(last.contains("cancelled by hand"), "{last}");
    Ok(())
}

/// With a reason; and what nobody knows is unknown.
pub async fn orders_that_make_no_sense_are_refused(s: Scene) -> Case {
    assert_eq!(steer(&s, "film", Order::Hold).await?, Answer::Unknown);
    assert_eq!(steer_task(&s, 4_711, TaskOrder::Retry).await?, Answer::Unknown);
    s.submit("film").await?;
    assert!(is_refused(steer(&s, "film", Order::Release).await?));
    let prepare = s.claim().await?;
    assert!(is_refused(steer_task(&s, prepare.lease.task, TaskOrder::Retry).await?));
    let stranger: Tenant = "stranger".parse().expect("a usable name");
    let unknown = s.catalog.steer_task(&stranger, prepare.lease.task, TaskOrder::Cancel).await?;
    assert_eq!(unknown, Answer::Unknown);
    s.catalog.complete(&prepare.lease, &good(TaskKind::Prepare)).await?;
    assert!(is_refused(steer_task(&s, prepare.lease.task, TaskOrder::Cancel).await?));
    assert!(is_refused(steer_task(&s, prepare.lease.task, TaskOrder::Retry).await?));
    // Pointers that may be half swapped are not left like that.
    let publish = s.work_until(TaskKind::Publish).await?;
    assert!(is_refused(steer(&s, "film", Order::Cancel).await?));
    assert!(is_refused(steer_task(&s, publish.lease.task, TaskOrder::Cancel).await?));
    Ok(())
}

/// Its back-off is over, and its tries are unused.
pub async fn a_waiting_task_can_be_tried_at_once(s: Scene) -> Case {
    s.submit("film").await?;
    let prepare = s.claim().await?;
    s.catalog.fail(&prepare.lease, &passing(Code::OriginUnavailable)).await?;
    assert_eq!(s.try_claim().await?, None);
    let waiting = tasks(&s, &[TaskState::Waiting]).await?;
    assert_eq!((waiting.len(), waiting[0].failures), (1, 1));
    assert_eq!(waiting[0].trouble.as_ref().map(|r| r.code), Some(Code::OriginUnavailable));
    assert_eq!(steer_task(&s, waiting[0].task, TaskOrder::Retry).await?, Answer::Done);
    assert_eq!(s.claim_kind(TaskKind::Prepare).await?.attempt, 1);
    Ok(())
}

/// As if its title were ingested again.
pub async fn a_failed_task_takes_its_title_on(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    s.catalog.fail(&audio.lease, &lasting(Code::TranscoderFailed)).await?;
    let failed = tasks(&s, &[TaskState::Failed]).await?;
    assert_eq!((failed.len(), failed[0].task), (1, audio.lease.task));
    assert_eq!(tasks(&s, &[TaskState::Cancelled]).await?.len(), 1);
    assert_eq!(steer_task(&s, audio.lease.task, TaskOrder::Retry).await?, Answer::Done);
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

/// A package cannot be whole without it.
pub async fn a_cancelled_task_ends_its_package(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    let spans = tasks(&s, &[]).await?;
    let span = spans.iter().find(|t| t.kind == TaskKind::Span(1)).expect("it is queued");
    assert_eq!(steer_task(&s, span.task, TaskOrder::Cancel).await?, Answer::Done);
    assert_eq!(s.state("film").await?.refusal().map(|r| r.code), Some(Code::Cancelled));
    assert_eq!(s.try_claim().await?, None);
    Ok(())
}

/// Open ones when nobody asks for states, by title and by worker, at most as many as were asked for.
pub async fn tasks_are_listed_by_state(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    s.submit("other").await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    s.catalog.renew(&audio.lease, LEASE_MS, 7).await?;
    let open = tasks(&s, &[]).await?;
    let states: Vec<&str> = open.iter().map(|t| t.state.name()).collect();
    assert_eq!(states, ["leased", "queued", "queued", "queued"]);
    assert_eq!(open[0].worker.as_deref(), Some("w1"));
    assert_eq!(open[0].priority, Priority::Normal);
    assert_eq!(tasks(&s, &[TaskState::Done]).await?[0].kind, TaskKind::Prepare);
    let of = |filter: TaskFilter, limit| {
        let catalog = s.catalog.clone();
        async move { catalog.tasks(&Tenant::default(), &filter, limit).await }
    };
    let title = TaskFilter { title: Some("other".to_owned()), ..TaskFilter::default() };
    assert_eq!(of(title, 9).await?.len(), 1);
    let first = s.catalog.tasks(&Tenant::default(), &TaskFilter::default(), 1).await?.remove(0);
    let number = TaskFilter { task: Some(first.task), ..TaskFilter::default() };
    assert_eq!(s.catalog.tasks(&Tenant::default(), &number, 10).await?, [first]);
    let worker = TaskFilter { worker: Some("w1".to_owned()), ..TaskFilter::default() };
    assert_eq!(of(worker, 9).await?.len(), 1);
    assert_eq!(of(TaskFilter::default(), 3).await?.len(), 3);
    s.clock.advance_ms(LEASE_MS);
    assert_eq!(tasks(&s, &[TaskState::Silent]).await?.len(), 1);
    Ok(())
}

fn worker(name: &str, instance: &str) -> Worker {
    Worker {
        name: name.to_owned(),
        instance: instance.to_owned(),
        version: "1.2.3".to_owned(),
        pool: "cpu".to_owned(),
        roles: vec![Role::Worker],
        slots: 2,
        memory_mb: None,
        elements: None,
    }
}

/// Alive, draining, gone, silent, and at last forgotten; with what they have in hand.
pub async fn workers_come_and_go(s: Scene) -> Case {
    assert_eq!(s.catalog.enlist(&worker("w1", "a")).await?, "w1");
    s.prepare("film", 1).await?;
    s.claim_kind(TaskKind::Audio(0)).await?;
    let list = s.catalog.workers().await?;
    assert_eq!((list.len(), list[0].state), (1, WorkerState::Alive));
    assert_eq!(list[0].worker, worker("w1", "a"));
    assert_eq!(list[0].tasks, ["film v1 audio 1"]);
    assert!(s.catalog.beat("w1", "a", WorkerState::Draining).await?);
    assert_eq!(s.catalog.workers().await?[0].state, WorkerState::Draining);
    s.clock.advance_ms(SILENT_MS);
    assert_eq!(s.catalog.workers().await?[0].state, WorkerState::Silent);
    assert!(s.catalog.beat("w1", "a", WorkerState::Left).await?);
    assert_eq!(s.catalog.workers().await?[0].state, WorkerState::Left);
    s.clock.advance_ms(FORGOTTEN_MS + 1);
    assert_eq!(s.catalog.workers().await?, []);
    Ok(())
}

/// The second gets another name while the first is alive, and its own once it is not.
pub async fn two_workers_of_one_name_are_told_apart(s: Scene) -> Case {
    assert_eq!(s.catalog.enlist(&worker("w", "a")).await?, "w");
    assert_eq!(s.catalog.enlist(&worker("w", "b")).await?, "w-2");
    // The same process that comes back keeps its name.
    assert_eq!(s.catalog.enlist(&worker("w", "a")).await?, "w");
    assert!(!s.catalog.beat("w", "b", WorkerState::Alive).await?);
    assert!(s.catalog.beat("w-2", "b", WorkerState::Alive).await?);
    s.clock.advance_ms(SILENT_MS);
    assert_eq!(s.catalog.enlist(&worker("w", "c")).await?, "w");
    // Who was silent for too long is told that its name is another's now.
    assert!(!s.catalog.beat("w", "a", WorkerState::Alive).await?);
    Ok(())
}

/// Whoever is first; the other one's asking changes nothing.
pub async fn one_process_has_a_duty(s: Scene) -> Case {
    let take = async |instance, duty| s.catalog.take_duty(duty, instance, LEASE_MS).await;
    assert!(take("a", Duty::Watch).await?);
    assert!(!take("b", Duty::Watch).await?);
    assert!(take("b", Duty::Audit).await?, "each duty by itself");
    // It says that it is there, and has it for as long again.
    s.clock.advance_ms(LEASE_MS - 1);
    assert!(take("a", Duty::Watch).await?);
    s.clock.advance_ms(LEASE_MS - 1);
    assert!(!take("b", Duty::Watch).await?);

    s.catalog.enlist(&worker("w1", "a")).await?;
    assert_eq!(s.catalog.workers().await?[0].duties, [Duty::Watch], "b's audit is not a's");
    s.clock.advance_ms(1);
    assert_eq!(s.catalog.workers().await?[0].duties, []);
    Ok(())
}

/// However many ask at the same moment, also where the duty was another's before.
pub async fn many_want_a_duty_at_once(s: Scene) -> Case {
    for round in 0..2 {
        let mut asking = Vec::new();
        for n in 0..8 {
            let catalog = Arc::clone(&s.catalog);
            let instance = format!("{round}-{n}");
            asking.push(tokio::spawn(async move {
                catalog.take_duty(Duty::Audit, &instance, LEASE_MS).await
            }));
        }
        let mut given = 0;
        for asked in asking {
            given += u32::from(asked.await.expect("nobody panics")?);
        }
        assert_eq!(given, 1, "round {round}");
        s.clock.advance_ms(LEASE_MS);
    }
    Ok(())
}

/// From the moment on at which its lease ends, and not before; who comes back late is told that it is another's.
pub async fn a_duty_goes_over_when_its_holder_falls_silent(s: Scene) -> Case {
    let take = async |instance| s.catalog.take_duty(Duty::Watch, instance, LEASE_MS).await;
    assert!(take("a").await?);
    s.clock.advance_ms(LEASE_MS - 1);
    assert!(!take("b").await?);
    s.clock.advance_ms(1);
    assert!(take("b").await?);
    assert!(!take("a").await?);
    s.clock.advance_ms(LEASE_MS);
    // Nobody wanted it meanwhile.
    assert!(take("b").await?);
    assert!(!take("a").await?);
    Ok(())
}

/// At once; and nobody gives away what is another's.
pub async fn a_duty_that_is_left_is_free(s: Scene) -> Case {
    let take = async |instance| s.catalog.take_duty(Duty::Watch, instance, LEASE_MS).await;
    s.catalog.leave_duty(Duty::Watch, "a").await?;
    assert!(take("a").await?);
    s.catalog.leave_duty(Duty::Audit, "a").await?;
    s.catalog.leave_duty(Duty::Watch, "b").await?;
    assert!(!take("b").await?);
    s.catalog.leave_duty(Duty::Watch, "a").await?;
    assert!(take("b").await?);
    Ok(())
}
