//! The parts that need no client. What clients see of it is tested where the client is, in headwater-origin.

use std::time::SystemTime;

use bytes::Bytes;

use crate::lies::{Call, Lie, Lies, What};
use crate::store::{Store, Stored};

fn lie(what: What, containing: &str, times: Option<u32>) -> Lie {
    Lie { what, containing: containing.to_owned(), times }
}

#[test]
fn a_lie_is_about_some_objects_and_ends_when_it_is_used_up() {
    let lies = Lies::default();
    lies.tell(lie(What::Drop, "seg-00002", Some(2)));
    lies.tell(lie(What::Fail(Call::Get), "", None));
    let dropped = |key: &str| lies.meet(key, |what| (what == What::Drop).then_some(())).is_some();
    assert!(!dropped("film/v1/seg-00001.m4s"));
    assert!(dropped("film/v1/seg-00002.m4s"));
    assert!(dropped("film/v1/seg-00002.m4s"));
    assert!(!dropped("film/v1/seg-00002.m4s"), "used up");
    let failed = |what| (what == What::Fail(Call::Get)).then_some(());
    assert!((0..10).all(|_| lies.meet("anything", failed).is_some()));
    lies.end();
    assert!(lies.meet("anything", failed).is_none());
}

#[test]
fn a_lie_can_be_written_down() {
    assert_eq!("drop".parse(), Ok(lie(What::Drop, "", None)));
    let hang = lie(What::Hang(Call::Head), "init.mp4", Some(2));
    assert_eq!("hang-head:init.mp4:2".parse(), Ok(hang));
    assert_eq!("slow-down-put:a".parse(), Ok(lie(What::SlowDown(Call::Put, 0), "a", None)));
    let lost = lie(What::LoseAnswer(Call::Put), "seg", Some(1));
    assert_eq!("lose-answer-put:seg:1".parse(), Ok(lost));
    for bad in ["", "forget", "fail", "fail-everything", "drop:a:often"] {
        assert!(bad.parse::<Lie>().is_err(), "{bad}");
    }
}

fn stored(body: &'static str) -> Stored {
    Stored {
        body: Bytes::from_static(body.as_bytes()),
        etag: String::new(),
        checksum: Default::default(),
        modified: SystemTime::UNIX_EPOCH,
        cache_control: None,
        content_type: None,
        storage_class: None,
        is_restored: false,
        previous: None,
    }
}

#[test]
fn what_was_there_before_is_kept_one_step_back() {
    let store = Store::default();
    for body in ["one", "two", "three"] {
        store.put("key", stored(body));
    }
    let now = store.get("key").unwrap();
    assert_eq!(now.body, "three");
    let before = now.previous.unwrap();
    assert_eq!(before.body, "two");
    assert!(before.previous.is_none());
}

#[test]
fn a_page_begins_behind_a_key_and_says_whether_there_is_more() {
    let store = Store::default();
    for key in ["a/1", "a/2", "a/3", "b/1"] {
        store.put(key, stored(key));
    }
    let list = |prefix, after, limit, hidden: &'static str| {
        let (page, more) = store.list(prefix, after, limit, |key| key != hidden);
        (page.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" "), more)
    };
    assert_eq!(list("a/", "", 2, ""), ("a/1 a/2".to_owned(), true));
    assert_eq!(list("a/", "a/2", 2, ""), ("a/3".to_owned(), false));
    assert_eq!(list("a/", "a/3", 2, ""), (String::new(), false));
    assert_eq!(list("a/", "", 2, "a/3"), ("a/1 a/2".to_owned(), false));
    assert_eq!(list("", "", 9, "a/1"), ("a/2 a/3 b/1".to_owned(), false));
}
