//! The rules of the ledger, told in entries of one task.

use super::*;

/// One task's history: each step is who, what it becomes, under which token, and whether the lease before had run out.
#[derive(Default)]
struct Story(Vec<Entry>);

impl Story {
    fn step(mut self, by: &'static str, life: u32, is_now: &str, token: i64, late: bool) -> Self {
        let (was, was_token, was_due) = self
            .0
            .last()
            .map_or(("queued".to_owned(), 0, 0), |e| (e.is_now.clone(), e.token, e.due));
        let now = if late { was_due + 1 } else { was_due - 1 };
        let lost = is_now == "leased" && was == "leased" && token != was_token;
        self.0.push(Entry {
            tx: self.0.len() as i64,
            began: now,
            at: now,
            said_now: now,
            by: Some(Bearer { process: by, life }),
            task: 1,
            what: "span".to_owned(),
            was,
            is_now: is_now.to_owned(),
            was_token,
            token,
            was_due,
            due: now + 15_000,
            failures: 0,
            losses: i64::from(lost),
            code: String::new(),
        });
        self
    }

    /// What is wrong, up to the colon.
    fn wrong(&self) -> Vec<String> {
        let wrong = judge(&self.0).wrong;
        wrong.iter().map(|text| text.split(':').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn who_claims_renews_and_hands_in_is_right() {
    let story = Story::default().step("a", 1, "leased", 1, true).step("a", 1, "leased", 1, false);
    let story = story.step("a", 1, "done", 1, false);
    assert_eq!(story.wrong(), [""; 0]);
    let tally = judge(&story.0);
    assert_eq!((tally.attempts, tally.results, tally.lost), (1, 1, 0));
}

#[test]
fn who_lost_the_lease_hands_in_nothing() {
    let lost = Story::default().step("a", 1, "leased", 1, true).step("b", 1, "leased", 2, true);
    assert_eq!(judge(&lost.0).lost, 1);
    let stale = lost.step("a", 1, "done", 2, false);
    assert_eq!(stale.wrong(), ["something was accepted from another than the lease's holder"]);
}

#[test]
fn the_next_life_of_a_process_is_another() {
    let story = Story::default().step("a", 1, "leased", 1, true).step("a", 2, "done", 1, false);
    assert_eq!(story.wrong(), ["something was accepted from another than the lease's holder"]);
}

#[test]
fn what_has_run_out_is_neither_renewed_nor_believed() {
    let claimed = || Story::default().step("a", 1, "leased", 1, true);
    assert_eq!(
        claimed().step("a", 1, "done", 1, true).wrong(),
        ["something was accepted under a lease that had run out"]
    );
    assert_eq!(
        claimed().step("a", 1, "leased", 1, true).wrong(),
        ["a lease was renewed that had run out"]
    );
    assert_eq!(
        claimed().step("b", 1, "leased", 2, false).wrong(),
        ["a task was claimed that somebody held"]
    );
}

#[test]
fn what_is_done_is_not_claimed_again_unless_it_is_opened() {
    let done = || Story::default().step("a", 1, "leased", 1, true).step("a", 1, "done", 1, false);
    assert_eq!(
        done().step("b", 1, "leased", 2, true).wrong(),
        ["a task was claimed that was not in the queue"]
    );
    let opened = done().step("c", 1, "queued", 1, true).step("b", 1, "leased", 2, true);
    assert_eq!(opened.step("b", 1, "done", 2, false).wrong(), [""; 0]);
}

#[test]
fn the_time_is_the_databases() {
    let story = Story::default().step("a", 1, "leased", 1, true).step("a", 1, "leased", 1, false);
    let mut story = story.step("a", 1, "done", 1, false);
    let last = story.0.last_mut().unwrap();
    // The row was locked while the process was cut off: the lease ran out, and nobody could claim it.
    last.at += 20_000;
    assert_eq!(story.wrong(), [""; 0]);
    for clock in [1, -1] {
        let mut story = Story(story.0.clone());
        let last = story.0.last_mut().unwrap();
        (last.began, last.at) = (last.said_now + clock, last.said_now + clock);
        assert_eq!(story.wrong(), ["a transaction had another time than the database"]);
    }
}

#[test]
fn what_is_done_is_in_the_ledger() {
    let story = Story::default().step("a", 1, "leased", 1, true).step("a", 1, "done", 1, false);
    let kept = judge(&story.0);
    assert_eq!(kept.unaccounted(&[1]), None);
    let unknown = kept.unaccounted(&[1, 2]).unwrap();
    assert!(unknown.starts_with("1 of 2 tasks") && unknown.ends_with("task 2"), "{unknown}");
    assert!(judge(&[]).unaccounted(&[1]).is_some(), "a ledger that nothing was written into");
    assert!(kept.unaccounted(&[]).is_some(), "nothing was done at all");
}

#[test]
fn a_line_is_read_as_it_is_written() {
    let line = "7|1000|42|900|3|span|queued|leased|0|1|800|15900|0|0||899";
    let entry = Entry::read(line, |port, at| {
        (port == 42 && at == 1000).then_some(Bearer { process: "a", life: 1 })
    });
    let entry = entry.unwrap();
    assert_eq!((entry.began, entry.said_now, entry.at), (899, 900, 1000));
    assert_eq!(judge(&[entry]).wrong, [""; 0]);
    assert!(Entry::read("7|1000|42", |_, _| None).is_err());
}
