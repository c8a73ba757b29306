//! Orders about titles and tasks of the memory catalog, and its workers.

use headwater_model::history::Line;
use headwater_model::id::{Tenant, TitleId};
use headwater_model::life::TitleState;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::steering::{self, Answer, Order, TaskFilter, TaskOrder, TaskRecord, refused};
use headwater_model::task::TaskKind;
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, FORGOTTEN_MS, Worker, WorkerRecord, WorkerState, free_name};

use super::{Lane, State, Task, TaskState};

impl State {
    pub(in super::super) fn steer(
        &mut self,
        tenant: &Tenant,
        title: &TitleId,
        order: Order,
        now: Timestamp,
    ) -> Answer {
        let Some(id) = self.title_id(tenant, title) else { return Answer::Unknown };
        let of_title = |t: &&Task| self.packages[&t.package].title == id;
        let mut open: Vec<(i64, TaskKind)> = self
            .tasks
            .values()
            .filter(|t| t.is_open() && !t.kind.is_beside())
            .filter(of_title)
            .map(|t| (t.package, t.kind))
            .collect();
        let publishes = |t: &Task| t.kind == TaskKind::Publish && t.is_held(now);
        let publishing = self.tasks.values().filter(of_title).any(publishes);
        if let Some(why) = refused(order, self.titles[&id].held, !open.is_empty(), publishing) {
            return Answer::Refused(why.to_owned());
        }
        match order {
            Order::Hold | Order::Release => {
                let held = order == Order::Hold;
                self.title(id).held = held;
                self.record(id, now, if held { Line::Held } else { Line::Released });
            }
            Order::Prioritise(priority) => {
                self.title(id).priority = priority;
                self.record(id, now, Line::Prioritised { priority });
            }
            Order::Cancel => {
                open.dedup_by_key(|(package, _)| *package);
                for (package, kind) in open {
                    self.give_up(package, kind, now);
                }
            }
        }
        Answer::Done
    }

    fn give_up(&mut self, package: i64, kind: TaskKind, now: Timestamp) {
        let refusal = Refusal::new(Code::Cancelled, "it was cancelled by hand");
        if self.package(package).is_healing() {
            return self.end_healing(package, kind, &refusal, now);
        }
        self.end_package(package, kind, TitleState::refused(refusal), now);
    }

    pub(in super::super) fn steer_task(
        &mut self,
        tenant: &Tenant,
        id: i64,
        order: TaskOrder,
        now: Timestamp,
    ) -> Answer {
        let Some(task) = self.tasks.get(&id) else { return Answer::Unknown };
        let (package_id, kind, frames) = (task.package, task.kind, task.frames);
        let package = &self.packages[&package_id];
        if &package.id.tenant != tenant {
            return Answer::Unknown;
        }
        let title = package.title;
        let refuse = |why: &str| Answer::Refused(why.to_owned());
        match (order, self.task_state(task, now)) {
            (TaskOrder::Retry, steering::TaskState::Done) => {
                refuse("it is done; `headwater retranscode` makes a part of a title again")
            }
            (TaskOrder::Retry, steering::TaskState::Leased) => refuse("a worker is at it"),
            (TaskOrder::Retry, steering::TaskState::Failed | steering::TaskState::Cancelled)
                if !kind.is_beside() =>
            {
                let is_newest = self.titles[&title].newest == package_id;
                if package.state.refusal().is_none() || !is_newest {
                    return refuse("its package is over; ingest, heal or retranscode the title");
                }
                self.resume(title, package_id, now);
                Answer::Done
            }
            (TaskOrder::Retry, _) => {
                self.start_over(package_id, kind, frames, now);
                self.record(title, now, Line::TriedAfresh { kind });
                Answer::Done
            }
            (TaskOrder::Cancel, state) if !state.is_open() => refuse("it is over"),
            (TaskOrder::Cancel, steering::TaskState::Leased) if kind == TaskKind::Publish => {
                refuse("it is being published, which takes seconds; roll it back afterwards")
            }
            (TaskOrder::Cancel, _) if kind.is_beside() => {
                let refusal = Refusal::new(Code::Cancelled, "it was cancelled by hand");
                self.give_up_archiving(id, &refusal, now);
                Answer::Done
            }
            (TaskOrder::Cancel, _) => {
                self.give_up(package_id, kind, now);
                Answer::Done
            }
        }
    }

    fn task_state(&self, task: &Task, now: Timestamp) -> steering::TaskState {
        let held = self.titles[&self.packages[&task.package].title].held;
        let (stored, due) = match &task.state {
            TaskState::Queued { due } => ("queued", *due),
            TaskState::Leased { until, .. } => ("leased", *until),
            TaskState::Done { at } => ("done", *at),
            TaskState::Failed { at } => ("failed", *at),
            TaskState::Cancelled => ("cancelled", task.updated),
        };
        steering::TaskState::of(stored, held, due, now).expect("these are all")
    }

    pub(in super::super) fn list_tasks(
        &self,
        tenant: &Tenant,
        filter: &TaskFilter,
        limit: u32,
        now: Timestamp,
    ) -> Vec<TaskRecord> {
        let mut records: Vec<(i64, TaskRecord)> = Vec::new();
        for (id, task) in &self.tasks {
            let package = &self.packages[&task.package];
            let state = self.task_state(task, now);
            let (worker, due) = match &task.state {
                TaskState::Leased { until, worker } => (Some(worker.clone()), *until),
                TaskState::Queued { due } => (None, *due),
                TaskState::Done { at } | TaskState::Failed { at } => (None, *at),
                TaskState::Cancelled => (None, task.updated),
            };
            let wanted = match filter.states.as_slice() {
                [] => state.is_open(),
                some => some.contains(&state),
            };
            if !wanted
                || &package.id.tenant != tenant
                || filter.task.is_some_and(|it| it != *id)
                || filter.title.as_ref().is_some_and(|it| it != package.id.title.as_str())
                || filter.worker.as_ref().is_some_and(|it| worker.as_ref() != Some(it))
            {
                continue;
            }
            let record = TaskRecord {
                task: *id,
                package: package.id.clone(),
                kind: task.kind,
                state,
                priority: self.titles[&package.title].priority,
                needs: self.lane(task).filter(|_| state.is_open()).map(|Lane { needs, .. }| needs),
                worker,
                attempts: task.tries,
                failures: task.failures,
                losses: task.losses,
                due,
                started: task.started,
                updated: task.updated,
                frames: task.frames,
                frames_done: task.frames_done,
                trouble: task.trouble.clone(),
                last_words: task.last_words.clone(),
            };
            records.push((task.package, record));
        }
        records.sort_by_key(|(package, record)| (*package, record.task));
        records.into_iter().map(|(_, record)| record).take(limit as usize).collect()
    }

    pub(in super::super) fn enlist(&mut self, worker: &Worker, now: Timestamp) -> String {
        self.workers.retain(|_, known| known.beat >= now.plus_ms(-FORGOTTEN_MS));
        let is_there = |known: &WorkerRecord| {
            matches!(
                WorkerState::at(known.state, known.beat, now),
                WorkerState::Alive | WorkerState::Draining
            ) && known.worker.instance != worker.instance
        };
        let name = free_name(&worker.name, |name| self.workers.get(name).is_some_and(is_there));
        let record = WorkerRecord {
            worker: Worker { name: name.clone(), ..worker.clone() },
            since: now,
            beat: now,
            state: WorkerState::Alive,
            tasks: vec![],
            duties: vec![],
        };
        self.workers.insert(name.clone(), record);
        name
    }

    pub(in super::super) fn beat(
        &mut self,
        name: &str,
        instance: &str,
        state: WorkerState,
        now: Timestamp,
    ) -> bool {
        let known = self.workers.get_mut(name).filter(|known| known.worker.instance == instance);
        known.map(|known| (known.beat, known.state) = (now, state)).is_some()
    }

    pub(in super::super) fn take_duty(
        &mut self,
        duty: Duty,
        instance: &str,
        lease_ms: i64,
        now: Timestamp,
    ) -> bool {
        let is_free = |(holder, until): &(String, Timestamp)| holder == instance || *until <= now;
        let given = self.duties.get(&duty).is_none_or(is_free);
        if given {
            self.duties.insert(duty, (instance.to_owned(), now.plus_ms(lease_ms)));
        }
        given
    }

    pub(in super::super) fn leave_duty(&mut self, duty: Duty, instance: &str) {
        self.duties.retain(|held, (holder, _)| *held != duty || holder != instance);
    }

    fn duties_of(&self, instance: &str, now: Timestamp) -> Vec<Duty> {
        let held =
            self.duties.iter().filter(|(_, (holder, until))| holder == instance && *until > now);
        held.map(|(duty, _)| *duty).collect()
    }

    pub(in super::super) fn list_workers(&self, now: Timestamp) -> Vec<WorkerRecord> {
        let recent = self.workers.values().filter(|w| w.beat >= now.plus_ms(-FORGOTTEN_MS));
        let in_hand = |name: &str| {
            let held = self.tasks.values().filter(|t| match &t.state {
                TaskState::Leased { worker, .. } => worker == name && t.is_held(now),
                _ => false,
            });
            let words = held.map(|t| {
                let id = &self.packages[&t.package].id;
                format!("{} {} {}", id.title, id.version, t.kind)
            });
            words.collect()
        };
        recent
            .map(|known| WorkerRecord {
                state: WorkerState::at(known.state, known.beat, now),
                tasks: in_hand(&known.worker.name),
                duties: self.duties_of(&known.worker.instance, now),
                ..known.clone()
            })
            .collect()
    }
}
