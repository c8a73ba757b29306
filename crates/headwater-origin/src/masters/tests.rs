//! Masters on servers that keep the protocol, and on some that do not.

use std::time::Duration;

use headwater_lying_origin::{
    Call, Conditions, Lie, LyingOrigin, Manners, WebManners, WebServer, What,
};
use headwater_ports::masters::Input;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::s3::{Credentials, part_limit};

const MB: usize = 1_000_000;

fn film(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n % 251) as u8).collect()
}

/// An origin of this prefix in the server's bucket.
fn settings(server: &LyingOrigin, prefix: &str) -> S3Settings {
    S3Settings {
        name: format!("inbox-{prefix}"),
        bucket: server.manners().bucket.clone(),
        prefix: prefix.to_owned(),
        endpoint: Some(server.endpoint()),
        region: Some(server.manners().region.clone()),
        path_style: true,
        storage_class: None,
        public_url: None,
        credentials: Some(Credentials {
            access_key: LyingOrigin::ACCESS_KEY.to_owned(),
            secret_key: LyingOrigin::SECRET_KEY.to_owned(),
            session_token: None,
        }),
    }
}

async fn start(manners: Manners) -> (LyingOrigin, RemoteMasters) {
    let server = LyingOrigin::start(manners).await.unwrap();
    let masters = RemoteMasters::new(vec![settings(&server, "")]);
    (server, masters)
}

fn at(text: &str) -> Address {
    text.parse().unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, MasterError>) -> (MasterErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.to_string())
}

#[tokio::test]
async fn an_object_of_any_name_is_read_in_parts() {
    let (server, masters) = start(Manners::default()).await;
    let body = film(3 * MB);
    for key in ["film.mov", "Käse & Wein/My Film?.mov", "a/b+c %20.mov"] {
        server.place(key, body.clone());
        let master = masters.open(&at(&format!("s3://media/{key}"))).await.unwrap();
        assert_eq!(master.seen().bytes, body.len() as u64, "{key}");
        let before = server.given();
        for range in [0..1, 100..70_000, 2_999_999..3_000_000] {
            let part = master.read(range.clone()).await.unwrap();
            assert_eq!(part, &body[range.start as usize..range.end as usize], "{key}");
        }
        assert_eq!(master.read(5..5).await.unwrap(), "");
        assert_eq!(server.given() - before, 69_902, "nothing else came");
    }
}

#[tokio::test]
async fn a_master_is_read_from_its_beginning_to_its_end() {
    let (server, masters) = start(Manners::default()).await;
    // Neither one block nor all that are asked for ahead.
    for length in [0, 1, 9 * MB, 45 * MB] {
        let body = film(length);
        server.place("film.mov", body.clone());
        let master = masters.open(&at("s3://media/film.mov")).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut read = Vec::new();
            Input::Remote(master).open().unwrap().read_to_end(&mut read).map(|_| read)
        });
        assert!(read.await.unwrap().unwrap() == body, "{length} bytes");
    }
}

#[tokio::test]
async fn one_that_is_replaced_is_noticed_whether_or_not_conditions_are_heeded() {
    for conditions in [Conditions::Honoured, Conditions::Ignored] {
        let (server, masters) = start(Manners { conditions, ..Manners::default() }).await;
        server.place("film.mov", film(MB));
        let address = at("s3://media/film.mov");
        let master = masters.open(&address).await.unwrap();
        server.place("film.mov", vec![7; MB]);
        let (kind, said) = kind(master.read(0..100).await);
        assert_eq!(kind, MasterErrorKind::Changed, "{said}");
        assert_ne!(masters.open(&address).await.unwrap().seen(), master.seen());
        server.place("film.mov", film(MB));
        assert_eq!(masters.open(&address).await.unwrap().seen(), master.seen(), "put back");
    }
}

#[tokio::test]
async fn one_without_an_etag_is_known_by_the_time_of_its_last_change() {
    let (server, masters) = start(Manners { gives_etags: false, ..Manners::default() }).await;
    server.place("film.mov", film(MB));
    let master = masters.open(&at("s3://media/film.mov")).await.unwrap();
    assert_eq!(master.read(0..100).await.unwrap(), &film(100)[..]);
    // Answers tell whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    server.place("film.mov", vec![7; MB]);
    let (kind, said) = kind(master.read(0..100).await);
    assert_eq!(kind, MasterErrorKind::Changed, "{said}");
    assert!(said.contains("the time of its last change"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_had_says_why() {
    let (server, masters) = start(Manners::default()).await;
    server.place("cold.mov", film(MB));
    let (none, said) = kind(masters.open(&at("s3://media/none.mov")).await);
    assert_eq!(none, MasterErrorKind::NotFound, "{said}");
    assert!(said.starts_with("`s3://media/none.mov`: 404"), "{said}");
    let (unknown, said) = kind(masters.open(&at("s3://other/film.mov")).await);
    assert_eq!(unknown, MasterErrorKind::Denied);
    assert!(said.contains("no origin with the bucket `other`"), "{said}");
    assert!(said.contains("known: `media/`"), "{said}");

    let mut wrong = settings(&server, "");
    wrong.credentials = Some(Credentials {
        access_key: LyingOrigin::ACCESS_KEY.to_owned(),
        secret_key: "hunter2".to_owned(),
        session_token: None,
    });
    let (denied, said) =
        kind(RemoteMasters::new(vec![wrong]).open(&at("s3://media/cold.mov")).await);
    assert_eq!(denied, MasterErrorKind::Denied);
    assert!(said.contains("403") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn passing_faults_are_outlasted_and_whole_objects_are_not_taken_for_parts() {
    let (server, masters) = start(Manners::default()).await;
    let body = film(MB);
    server.place("film.mov", body.clone());
    let master = masters.open(&at("s3://media/film.mov")).await.unwrap();
    let lie = |what, times| {
        server.lie(Lie { what, containing: "film".to_owned(), times: Some(times) });
    };
    lie(What::Reset(Call::Get), 2);
    assert_eq!(master.read(10..500_000).await.unwrap(), &body[10..500_000]);
    lie(What::IgnoreRange, 1);
    let (kind, said) = kind(master.read(10..20).await);
    assert_eq!(kind, MasterErrorKind::Unsuitable, "{said}");
    assert_eq!(master.read(10..20).await.unwrap(), &body[10..20]);
}

#[tokio::test]
async fn who_stalls_is_asked_again_before_a_child_is_taken_to_hang() {
    let stretch = part_limit(&(0..4 << 20));
    assert!(stretch < Duration::from_secs(90), "{stretch:?}: a child waits for 120 s");

    let (server, masters) = start(Manners::default()).await;
    let masters = masters.in_haste(20);
    let body = film(10 * MB);
    server.place("film.mov", body.clone());
    let master = masters.open(&at("s3://media/film.mov")).await.unwrap();
    let (what, containing) = (What::Hang(Call::Get), "film".to_owned());
    server.lie(Lie { what, containing, times: Some(1) });
    let began = Instant::now();
    assert!(master.read(0..10_000_000).await.unwrap() == body);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());

    let masters = RemoteMasters::default().in_haste(20);
    let master = masters.open(&at(&stalls_once().await)).await.unwrap();
    let began = Instant::now();
    assert_eq!(master.read(0..100).await.unwrap(), &[7; 100][..]);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

/// A server that stops in the middle of the first answer of more than a byte. Gives the address of a file there.
async fn stalls_once() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/film.mov", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut stalled = None;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let asked = String::from_utf8(asked).unwrap();
            let (_, last) = asked.split_once("bytes=0-").unwrap();
            let last: usize = last.lines().next().unwrap().parse().unwrap();
            let length = last + 1;
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nConnection: close\r\n\
                 Content-Range: bytes 0-{last}/1000\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            if length > 1 && stalled.is_none() {
                stream.write_all(&[7; 50]).await.unwrap();
                stalled = Some(stream);
            } else {
                stream.write_all(&vec![7; length]).await.unwrap();
            }
        }
    });
    url
}

#[tokio::test]
async fn of_several_origins_in_a_bucket_the_nearest_is_asked() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    server.place("a/film.mov", film(MB));
    let mut far = settings(&server, "");
    far.endpoint = Some("http://127.0.0.1:9".to_owned());
    let masters = RemoteMasters::new(vec![far.clone(), settings(&server, "a/")]);
    assert!(masters.open(&at("s3://media/a/film.mov")).await.is_ok());
    let only = RemoteMasters::new(vec![settings(&server, "b/")]);
    assert_eq!(kind(only.open(&at("s3://media/a/film.mov")).await).0, MasterErrorKind::Denied);
}

#[tokio::test]
async fn a_folder_lists_what_is_right_in_it_and_leaps_over_the_rest() {
    let (server, masters) = start(Manners { page: 3, ..Manners::default() }).await;
    for n in 0..40 {
        server.place(&format!("in/below/{n:02}.mov"), "below");
    }
    for name in ["a.mov", "b.mov", "below.mov", "belowz", "c d.mov", "z/"] {
        server.place(&format!("in/{name}"), name.to_owned());
    }
    server.place("inner.mov", "beside");
    let folder: Folder = "s3://media/in/".parse().unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = masters.list(&folder, after.as_deref()).await.unwrap();
        found.extend(page.found);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let names: Vec<String> = found.iter().map(|(address, _)| address.name()).collect();
    assert_eq!(names, ["a.mov", "b.mov", "below.mov", "belowz", "c d.mov"]);
    assert!(server.calls(Call::List) < 8, "{} listings", server.calls(Call::List));
    let seen = found[0].1;
    assert_eq!((seen.bytes, seen.stamp > 0), (5, true));
    server.place("in/a.mov", "A.mov");
    let again = masters.list(&folder, None).await.unwrap();
    assert_ne!(again.found[0].1, seen, "of the same size, and another one");
}

async fn web() -> (WebServer, RemoteMasters) {
    (WebServer::start().await.unwrap(), RemoteMasters::default())
}

#[tokio::test]
async fn a_file_on_a_web_server_is_read_in_parts() {
    let (server, masters) = web().await;
    let body = film(MB);
    server.place("/a/My%20Film.mov", body.clone());
    for manners in [
        WebManners::default(),
        WebManners { etags: Some("W/"), ..WebManners::default() },
        WebManners { etags: None, ..WebManners::default() },
        WebManners { refuses: (3, 503), ..WebManners::default() },
    ] {
        server.behave(manners);
        let master = masters.open(&at(&server.url("/a/My%20Film.mov"))).await.unwrap();
        assert_eq!(master.seen().bytes, body.len() as u64);
        let before = server.given();
        assert_eq!(master.read(7..700_000).await.unwrap(), &body[7..700_000]);
        assert_eq!(master.read(999_999..1_000_000).await.unwrap(), &body[999_999..]);
        assert_eq!(server.given() - before, 699_994, "nothing else came");
    }
    server.place("/empty.mov", "");
    let empty = masters.open(&at(&server.url("/empty.mov"))).await.unwrap();
    assert_eq!(empty.seen().bytes, 0);
}

#[tokio::test]
async fn a_file_that_changes_under_way_is_noticed_by_whatever_the_server_says() {
    let (server, masters) = web().await;
    let address = at(&server.url("/film.mov"));
    for manners in [
        WebManners::default(),
        WebManners { conditions: false, ..WebManners::default() },
        WebManners { etags: Some("W/"), ..WebManners::default() },
        WebManners { etags: None, ..WebManners::default() },
    ] {
        server.behave(manners.clone());
        for other in [vec![7; MB], vec![7; MB / 2], vec![7; MB + 1], vec![]] {
            server.place("/film.mov", film(MB));
            let master = masters.open(&address).await.unwrap();
            server.place("/film.mov", other);
            let (kind, said) = kind(master.read(0..100).await);
            assert_eq!(kind, MasterErrorKind::Changed, "{manners:?}: {said}");
        }
    }
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_told_apart() {
    let (server, masters) = web().await;
    server.place("/film.mov", film(MB));
    let to = |url: &str| Some(url.to_owned());
    for (manners, expected, why) in [
        (
            WebManners { ranges: false, ..WebManners::default() },
            MasterErrorKind::Unsuitable,
            "gives no parts of files",
        ),
        (
            WebManners { etags: None, modified: false, ..WebManners::default() },
            MasterErrorKind::Unsuitable,
            "whether it is still the same",
        ),
        (
            WebManners { refuses: (1, 403), ..WebManners::default() },
            MasterErrorKind::Denied,
            "403: Forbidden",
        ),
        (
            WebManners { refuses: (1, 410), ..WebManners::default() },
            MasterErrorKind::NotFound,
            "410 Gone",
        ),
        (
            WebManners { redirects: to(&server.url("/film.mov")), ..WebManners::default() },
            MasterErrorKind::Denied,
            "it redirects too often",
        ),
    ] {
        server.behave(manners);
        let (kind, said) = kind(masters.open(&at(&server.url("/film.mov"))).await);
        assert_eq!(kind, expected, "{said}");
        assert!(said.contains(why), "{said}");
    }
    let (gone, said) = kind(masters.open(&at(&server.url("/none.mov"))).await);
    assert_eq!(gone, MasterErrorKind::Denied, "still redirects: {said}");
    server.behave(WebManners::default());
    let (gone, said) = kind(masters.open(&at(&server.url("/none.mov"))).await);
    assert_eq!(gone, MasterErrorKind::NotFound, "{said}");
    assert!(said.contains("404 Not Found"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_away_is_not_waited_for_long() {
    let masters = RemoteMasters::default();
    let address = at("http://127.0.0.1:9/film.mov");
    let opened = tokio::time::timeout(Duration::from_secs(30), masters.open(&address)).await;
    let (kind, said) = kind(opened.unwrap());
    assert_eq!(kind, MasterErrorKind::Unavailable, "{said}");
    assert!(said.contains("it cannot be reached"), "{said}");
}
