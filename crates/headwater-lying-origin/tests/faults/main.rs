//! Every way in which an origin can fail, at every kind of object: never a title with a hole in it, and a way on when it
//! is over. What came of each is `table.txt`, which is there to be read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod lab;
mod viewer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect_file;
use futures_util::stream::{self, StreamExt};
use headwater_lying_origin::{Call, Lie, What};
use headwater_model::life::{TitleRecord, TitleState};
use headwater_model::origin::{Profile, Verify};
use headwater_model::refusal::Code;

use lab::{Kind, Lab};
use viewer::{Reference, Sight};

/// Rows at once. Most of them wait most of the time.
const AT_ONCE: usize = 40;

/// By then every row has come to an end or is seen to go on trying.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    name: &'static str,
    /// What the keys of what is struck contain.
    containing: &'static str,
    /// Whether the title is live already, and its second version meets the fault.
    live: bool,
}

const OBJECTS: [At; 6] = [
    At { name: "init segment", containing: "v1/video-360p/init.mp4", live: false },
    At { name: "media segment", containing: "v1/video-360p/seg-00003.m4s", live: false },
    At { name: "media playlist", containing: "v1/video-234p/media.m3u8", live: false },
    At { name: "inventory", containing: "v1/inventory.jsonl", live: false },
    At { name: "pointer", containing: "main/film/index.m3u8", live: false },
    At { name: "pointer, live title", containing: "main/film/index.m3u8", live: true },
];

/// Listings are asked for by prefix.
const LISTING: At = At { name: "listing", containing: "main/film/v1/", live: false };

/// A row of the table, before it is tried.
#[derive(Debug, Clone, Copy)]
struct Row {
    what: What,
    at: At,
    kind: Kind,
    verify: Verify,
    /// Whether it happens to one call only.
    once: bool,
}

impl Row {
    /// Whether the origin hides from the policy what only reading shows. Manifests, inventory and pointers are read by
    /// every policy.
    fn is_blind(&self) -> bool {
        self.what == What::Rot
            && self.verify == Verify::Listing
            && self.kind != Kind::C
            && self.at.name.ends_with("segment")
    }

    /// Whether viewers may get this: no hole, but for the one that this row is about when nobody could know of it.
    fn allows(&self, sight: &Sight) -> bool {
        let known = self.at.containing.strip_prefix("v1/").unwrap_or_default();
        match sight {
            Sight::Hole(hole) => self.is_blind() && *hole == format!("wrong bytes in {known}"),
            Sight::Nothing | Sight::Whole | Sight::BrokenPointer => true,
        }
    }
}

fn rows() -> Vec<Row> {
    use Call::{Get, Head, List, Put};
    use What::{
        Answer, Drop, ExpireCredentials, Fail, Full, HaveWithoutListing, HideSize, IgnoreRange,
        ListWithoutHaving, LoseAnswer, RefuseChecksums, Reset, Rot, ServeStale, SkewClock,
        SlowDown, StoreAltered, StoreEmpty, StoreTruncated,
    };
    const LOSSES: [What; 4] = [Drop, StoreEmpty, StoreTruncated, StoreAltered];
    let silences = |call| [Fail(call), SlowDown(call, 0), Reset(call), What::Hang(call)];

    let mut rows = Vec::new();
    let mut add = |whats: &[What], at: &[At], kind, verify, once| {
        for &what in whats {
            rows.extend(at.iter().map(|&at| Row { what, at, kind, verify, once }));
        }
    };
    add(&LOSSES, &OBJECTS, Kind::A, Verify::Listing, false);
    add(&[Rot], &OBJECTS, Kind::A, Verify::Listing, false);
    add(&[Rot], &OBJECTS, Kind::A, Verify::Read, false);
    add(&[Rot], &OBJECTS, Kind::C, Verify::Listing, false);
    add(&LOSSES, &OBJECTS, Kind::A, Verify::Listing, true);
    add(&[Rot], &OBJECTS, Kind::A, Verify::Read, true);
    let views = [ListWithoutHaving, HaveWithoutListing, ServeStale];
    add(&views, &OBJECTS, Kind::A, Verify::Listing, false);
    add(&silences(Put), &OBJECTS, Kind::A, Verify::Listing, false);
    add(&silences(Get), &OBJECTS, Kind::A, Verify::Listing, false);
    add(&silences(Head), &OBJECTS, Kind::AWithoutEtags, Verify::Listing, false);
    add(&silences(List), &[LISTING], Kind::A, Verify::Listing, false);
    let in_between = [LoseAnswer(Put), Answer(Put, 404, ""), Answer(Get, 404, "")];
    add(&in_between, &OBJECTS, Kind::A, Verify::Listing, false);
    add(&[Answer(List, 404, "")], &[LISTING], Kind::A, Verify::Listing, false);
    add(&[IgnoreRange, HideSize], &OBJECTS, Kind::A, Verify::Listing, false);
    let refusals = [RefuseChecksums, ExpireCredentials, SkewClock, Full];
    add(&refusals, &OBJECTS, Kind::A, Verify::Listing, false);
    rows
}

/// What came of a row.
struct Outcome {
    meanwhile: String,
    code: Option<Code>,
    finding: Option<String>,
    afterwards: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_an_origin_does_no_title_gets_a_hole_and_each_has_a_way_on() {
    let mut profiles = Vec::new();
    for kind in Kind::ALL {
        profiles.push((kind, lab::probed(kind).await));
    }
    let profile = |kind| {
        let (_, profile) = profiles.iter().find(|(k, _)| *k == kind).unwrap();
        profile.clone()
    };
    let reference = Arc::new(honest(profile(Kind::A)).await);

    let only = std::env::var("FAULTS").unwrap_or_default();
    let rows: Vec<Row> = rows().into_iter().filter(|row| told(row).contains(&only)).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // What waits longest goes first.
    order.sort_by_key(|n| match rows[*n].what {
        What::Hang(Call::Get) => 0,
        What::Hang(_) => 1,
        What::SlowDown(..) => 2,
        _ => 3,
    });
    let tried = order.into_iter().map(|n| {
        let (row, reference, profile) = (rows[n], reference.clone(), profile(rows[n].kind));
        // A task of its own: rows share the cores, and all of them are heard before the test fails.
        let tried = tokio::spawn(async move { try_out(row, profile, &reference).await });
        async move { (n, tried.await) }
    });
    let mut tried = stream::iter(tried).buffer_unordered(AT_ONCE);
    let (mut outcomes, mut panics) = (BTreeMap::new(), 0);
    while let Some((n, outcome)) = tried.next().await {
        match outcome {
            Ok(outcome) => drop(outcomes.insert(n, outcome)),
            Err(_) => panics += 1,
        }
    }
    if panics > 0 {
        panic!("{panics} rows went wrong: see above; the others:\n{}", render(&rows, &outcomes));
    }
    let table = render(&rows, &outcomes);
    if only.is_empty() {
        expect_file!["table.txt"].assert_eq(&table);
    } else {
        println!("{table}");
    }
}

/// Publishes two versions on a server that keeps its word.
async fn honest(profile: Profile) -> Reference {
    let lab = Lab::start(Kind::A, profile, Verify::Read).await;
    lab.submit("a film").await;
    assert!(lab.watch(PATIENCE, |record, _| record.state == TitleState::Published).await);
    let body = |key: String| (key.clone(), lab.server.object(&key).unwrap());
    let first = viewer::pointers().map(body).into();
    lab.submit("a better film").await;
    assert!(lab.watch(PATIENCE, |record, _| is_live(record, true)).await);
    let objects = lab.server.keys().into_iter().map(body).collect();
    let reference = Reference { objects, first };
    assert_eq!(viewer::look(&lab.server, &reference), Sight::Whole);
    lab.stop().await;
    reference
}

/// Whether viewers get the version that the row is about.
fn is_live(record: &TitleRecord, second: bool) -> bool {
    let version = if second { 2 } else { 1 };
    record.state == TitleState::Published && record.live.is_some_and(|live| live.0 == version)
}

/// Whether a task was tried more often than any but one that waits for its origin.
fn goes_on(history: &[String]) -> bool {
    history.iter().any(|line| line.contains("failed (attempt 4), next try in"))
}

async fn try_out(row: Row, profile: Profile, reference: &Reference) -> Outcome {
    let lab = Lab::start(row.kind, profile, row.verify).await;
    let about = told(&row);
    let content = if row.at.live {
        lab.submit("a film").await;
        let live = lab.watch(PATIENCE, |record, _| is_live(record, false)).await;
        assert!(live, "{about}: the first version");
        "a better film"
    } else {
        "a film"
    };
    let containing = row.at.containing.to_owned();
    lab.server.lie(Lie { what: row.what, containing, times: row.once.then_some(1) });
    lab.submit(content).await;

    // While it lasts: at no time may a pointer lead into a package with a hole.
    let mut sight = Sight::Nothing;
    let settled = lab.watch(PATIENCE, |record, history| {
        sight = viewer::look(&lab.server, reference);
        assert!(row.allows(&sight), "{about}: {sight:?}\n{history:#?}");
        record.state.is_final() || goes_on(history)
    });
    assert!(settled.await, "{about}: {:#?}", lab.history().await);
    let (record, history) = (lab.record().await, lab.history().await);
    let published = is_live(&record, row.at.live);
    if published && !row.is_blind() {
        assert_eq!(viewer::look(&lab.server, reference), Sight::Whole, "{about}");
    }
    let code = match record.state.refusal() {
        Some(refusal) => Some(refusal.code),
        None if published => None,
        None => history.iter().rev().find_map(|line| code_in(line)),
    };
    let mut meanwhile = match &record.state {
        TitleState::Published => "published",
        TitleState::Failed(_) | TitleState::Rejected(_) => "failed",
        _ => "tries on",
    }
    .to_owned();
    if sight == Sight::BrokenPointer {
        meanwhile += ", pointer broken there";
    }
    if let (true, Sight::Hole(_)) = (row.is_blind(), &sight) {
        meanwhile += ", and nobody read it";
    }
    let finding = lab.finding().await;

    lab.server.be_honest();
    let ends = lab.watch(PATIENCE, |record, history| {
        let sight = viewer::look(&lab.server, reference);
        assert!(row.allows(&sight), "{about}: {sight:?}\n{history:#?}");
        record.state.is_final()
    });
    assert!(ends.await, "{about}: {:#?}", lab.history().await);
    let afterwards = if published {
        "is live"
    } else if is_live(&lab.record().await, row.at.live) {
        "published by itself"
    } else {
        lab.submit(content).await;
        let live = lab.watch(PATIENCE, |record, _| is_live(record, row.at.live)).await;
        assert!(live, "{about}: {:#?}", lab.history().await);
        "published when ingested again"
    };
    if !row.is_blind() {
        assert_eq!(viewer::look(&lab.server, reference), Sight::Whole, "{about}");
        assert_eq!(lab.finding().await, None, "{about}: an incident stays open");
    }
    lab.stop().await;
    Outcome { meanwhile, code, finding, afterwards }
}

/// The code in a line of a title's history that says what failed and when it is tried again.
fn code_in(line: &str) -> Option<Code> {
    let (_, why) = line.split_once(" s: ")?;
    why.split(": ").find_map(|word| serde_json::from_value(word.into()).ok())
}

/// A row without its outcome.
fn told(row: &Row) -> String {
    format!("{:<52} | {:<19}", fault(row), row.at.name)
}

fn fault(row: &Row) -> String {
    let call = |call: Call| match call {
        Call::Put => "puts",
        Call::Get => "reads",
        Call::Head => "HEAD",
        Call::List => "listings",
        Call::Delete | Call::Other => "other calls",
    };
    let what = match row.what {
        What::Drop => "acknowledges and drops".to_owned(),
        What::StoreEmpty => "stores zero bytes".to_owned(),
        What::StoreTruncated => "stores the first half".to_owned(),
        What::StoreAltered => "flips a bit, and reports it".to_owned(),
        What::Rot => "flips a bit, and reports what was sent".to_owned(),
        What::ListWithoutHaving => "lists without having".to_owned(),
        What::HaveWithoutListing => "has without listing".to_owned(),
        What::ServeStale => "serves what was there before".to_owned(),
        What::Fail(of) => format!("answers {} with 500", call(of)),
        What::SlowDown(of, _) => format!("answers {} with 503 SlowDown", call(of)),
        What::Reset(of) => format!("resets {}", call(of)),
        What::Hang(of) => format!("never answers {}", call(of)),
        What::RefuseChecksums => "refuses checksums".to_owned(),
        What::ExpireCredentials => "says that credentials expired".to_owned(),
        What::SkewClock => "says that clocks differ".to_owned(),
        What::Full => "is full".to_owned(),
        What::LoseAnswer(of) => format!("does {} and loses the answer", call(of)),
        What::Answer(of, status, "") => {
            format!("has a proxy that answers {} with {status}", call(of))
        }
        What::Answer(of, status, code) => format!("answers {} with {status} {code}", call(of)),
        What::IgnoreRange => "sends all where a part was asked for".to_owned(),
        What::MangleKeys => "lists mangled keys".to_owned(),
        What::HideSize => "says nowhere how long it is".to_owned(),
        What::RepeatPage => "lists the same page again and again".to_owned(),
    };
    match (row.what, row.kind, row.verify) {
        (What::Rot, Kind::C, _) => what + "; C",
        (What::Rot, _, Verify::Read) if row.once => what + ", once; read",
        (What::Rot, _, Verify::Read) => what + "; read",
        _ if row.once => what + ", once",
        _ => what,
    }
}

fn render(rows: &[Row], outcomes: &BTreeMap<usize, Outcome>) -> String {
    let mut table = String::from(
        "What the origin does, to which object, and what becomes of a title whose package meets it. Made by the test.

Unless it says otherwise the policy is `listing`, on an origin of grade A; `read` is the policy that reads everything
back, and C an origin of grade C, which is always read back. Rows about HEAD are of an origin whose listings have
no ETags, so that it is asked about every object. Only pointers are written over: of everything else there is nothing
older that could be served. \"once\" is one call, everything else lasts until it is over.

\"tries on\" is a title that waits for its origin, for three hours at least. \"pointer broken there\" says that the origin
keeps something under the pointer's key that nobody sent: it leads nowhere, and certainly into no hole. \"and nobody
read it\" is what the policy `listing` cannot know by design: the origin vouches for bytes that it does not have.

",
    );
    let head = format!("{:<52} | {:<19}", "fault", "object");
    let line = |out: &mut String, row: &str, rest: [&str; 4]| {
        let [meanwhile, code, finding, afterwards] = rest;
        let text = format!("{row} | {meanwhile:<30} | {code:<18} | {finding:<21} | {afterwards}");
        writeln!(out, "{}", text.trim_end()).unwrap();
    };
    line(&mut table, &head, ["while it lasts", "code", "open finding", "when it is over"]);
    let mut codes = BTreeSet::<Code>::new();
    for (n, row) in rows.iter().enumerate() {
        let Some(outcome) = outcomes.get(&n) else { continue };
        let Outcome { meanwhile, code, finding, afterwards } = outcome;
        codes.extend(*code);
        let code = code.map_or("", Code::as_str);
        let finding = finding.as_deref().unwrap_or("");
        line(&mut table, &told(row), [meanwhile, code, finding, afterwards]);
    }
    table += "\nWhat a person is told to do:\n\n";
    for code in codes {
        writeln!(table, "{code}: {}", code.next_step()).unwrap();
    }
    table
}
