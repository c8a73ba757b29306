//! Bytes from a file and from a socket are the same bytes.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::*;

#[test]
fn a_file_and_a_socket_say_how_much_there_is() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"abcdef").unwrap();
    let (bytes, size) = Bytes::of(file.into()).unwrap();
    let mut part = [0; 3];
    bytes.read_exact_at(&mut part, 2).unwrap();
    assert_eq!((size, &part), (6, b"cde"));

    let (mut worker, child) = UnixStream::pair().unwrap();
    worker.write_all(&6u64.to_le_bytes()).unwrap();
    let (bytes, size) = Bytes::of(child.into()).unwrap();
    worker.write_all(&[HERE]).unwrap();
    worker.write_all(b"cde").unwrap();
    bytes.read_exact_at(&mut part, 2).unwrap();
    let mut question = [0; QUESTION];
    worker.read_exact(&mut question).unwrap();
    assert_eq!((size, &part), (6, b"cde"));
    assert_eq!(question, [2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
    worker.write_all(&[NOT_HERE]).unwrap();
    let error = bytes.read_exact_at(&mut part, 2).unwrap_err();
    assert!(error.to_string().contains("the worker cannot read it"), "{error}");
    drop(worker);
    assert!(bytes.read_exact_at(&mut part, 2).is_err(), "nobody is there any more");
}
