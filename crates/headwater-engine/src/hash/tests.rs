//! Digests: known values, buffers' edges, errors on the way and stopping.

use expect_test::expect;

use super::*;

/// Gives `self.0` bytes in pieces of at most 1,000, then the error.
struct Pieces(usize, Option<io::ErrorKind>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(self.0).min(1_000);
        if n == 0
            && let Some(kind) = self.1
        {
            return Err(kind.into());
        }
        buffer[..n].fill(7);
        self.0 -= n;
        Ok(n)
    }
}

#[test]
fn digests_are_those_of_the_standards() {
    let abc = digests(b"abc");
    assert_eq!(abc.bytes, 3);
    expect!["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
        .assert_eq(&abc.sha256.to_string());
    expect!["900150983cd24fb0d6963f7d28e17f72"].assert_eq(&abc.md5.to_string());
}

#[test]
fn a_file_is_hashed_alike_however_it_fills_the_buffers() {
    for size in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 5 * BUFFER + 17] {
        let (bytes, sha) = read_through(Pieces(size, None), &CancellationToken::new()).unwrap();
        assert_eq!((bytes, sha), (size as u64, sha256(&vec![7; size])), "{size} bytes");
    }
}

#[test]
fn a_read_error_in_the_middle_comes_out() {
    let file = Pieces(3 * BUFFER + 5, Some(io::ErrorKind::TimedOut));
    let error = read_through(file, &CancellationToken::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_stopped_reading_ends_long_before_the_file_does() {
    let stop = CancellationToken::new();
    stop.cancel();
    let error = read_through(Pieces(usize::MAX, None), &stop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
}

#[test]
fn stretches_have_digests_of_their_own() {
    let done: Arc<Mutex<Vec<StretchDigests>>> = Arc::default();
    let text = b"abcdefghij";
    let stretches = [(3, true), (0, false), (5, false), (2, true)];
    let stretches = stretches.map(|(bytes, with_md5)| Stretch { bytes, with_md5 }).to_vec();
    let mut reader = Stretches::new(&text[..], stretches, done.clone());
    let mut buffer = [0; 4];
    while reader.read(&mut buffer).unwrap() > 0 {}
    let wanted = [(&b"abc"[..], true), (b"", false), (b"defgh", false), (b"ij", true)]
        .map(|(text, with)| StretchDigests { sha256: sha256(text), md5: with.then(|| md5(text)) });
    assert_eq!(*done.lock().unwrap(), wanted);
}
