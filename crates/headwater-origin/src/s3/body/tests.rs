//! Tests of taking bodies in.

use headwater_ports::origin::OriginErrorKind;

use super::*;

const DIGITS: &[u8] = b"0123456789";

/// What becomes of an answer with these bytes, announced like this, to whoever asked for `range`.
async fn taken(
    bytes: &'static [u8],
    told: Option<&str>,
    range: Range<u64>,
) -> Result<Bytes, String> {
    let length = Some(bytes.len() as u64);
    let announced = Announced { length, part: told.map(str::to_owned) };
    let taken = part(ByteStream::from_static(bytes), &announced, &range).await;
    taken.map_err(|failed| failed.to_string())
}

#[tokio::test]
async fn a_part_that_says_what_it_is_is_taken() {
    for (told, range) in [
        ("bytes 2-4/10", 2..5),
        ("bytes 2-4/*", 2..5),
        ("bytes 2-4/5", 2..9),
        ("bytes 2-4/5", 2..u64::MAX),
        ("bytes 2-4/*", 2..9),
    ] {
        assert_eq!(taken(b"234", Some(told), range.clone()).await.unwrap(), "234", "{told}");
    }
}

#[tokio::test]
async fn a_part_that_is_another_one_is_not() {
    for (told, range) in [
        ("bytes 1-3/10", 2..5),
        ("bytes 2-5/10", 2..5),
        ("bytes 2-3/10", 2..5),
        ("bytes 2-4/10", 2..9),
        ("bytes 4-2/10", 2..5),
        ("bytes */10", 2..5),
        ("bytes 2-18446744073709551615/10", 2..5),
        ("words 2-4/10", 2..5),
        ("", 2..5),
    ] {
        let error = taken(b"234", Some(told), range.clone()).await.unwrap_err();
        assert!(error.contains("instead of bytes 2 to"), "{told}: {error}");
    }
}

#[tokio::test]
async fn who_sends_everything_is_understood_to_have_done_so() {
    assert_eq!(taken(DIGITS, None, 2..5).await.unwrap(), "234");
    assert_eq!(taken(DIGITS, None, 8..99).await.unwrap(), "89");
    // Of no more bytes than were asked for, but others.
    assert_eq!(taken(DIGITS, None, 5..99).await.unwrap(), "56789");
    assert_eq!(taken(DIGITS, None, 10..99).await.unwrap(), "");
    assert_eq!(taken(DIGITS, None, 2..u64::MAX).await.unwrap(), "23456789");
}

#[tokio::test]
async fn no_more_is_taken_in_than_there_is_reason_for() {
    let body = || ByteStream::from_static(DIGITS);
    assert_eq!(whole(body(), Some(10), 10).await.unwrap(), DIGITS);
    assert_eq!(whole(body(), None, 10).await.unwrap(), DIGITS);
    for length in [Some(10), None] {
        let failed = whole(body(), length, 9).await.unwrap_err();
        assert_eq!(failed.kind, OriginErrorKind::Corrupt, "{failed}");
    }
    // A part that has more bytes than the part has.
    let error = taken(DIGITS, Some("bytes 2-4/10"), 2..5).await.unwrap_err();
    assert!(error.contains("more than 3 bytes"), "{error}");
    // All of a master instead of a part of it.
    let length = Some(MOST_BESIDE + 100);
    let announced = Announced { length, part: None };
    let failed = part(body(), &announced, &(10..20)).await.unwrap_err();
    assert!(failed.to_string().contains("the origin sends more than"), "{failed}");
}
