//! The proxy, between two ends that say what they get.

use super::*;

async fn heard(stream: &mut TcpStream) -> Option<String> {
    let mut piece = [0; 64];
    let read = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut piece)).await;
    read.ok().map(|read| String::from_utf8_lossy(&piece[..read.unwrap()]).into_owned())
}

#[tokio::test]
async fn a_result_is_late_and_what_comes_before_it_is_not() {
    let database = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = database.local_addr().unwrap().port();
    let proxy = Proxy::start("worker-1", port, Ports::default()).await.unwrap();
    proxy.set(Some(Cut::Late));
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await.unwrap();
    let (mut server, _) = database.accept().await.unwrap();
    client.write_all(b"renew").await.unwrap();
    assert_eq!(heard(&mut server).await.as_deref(), Some("renew"));
    client.write_all(b"complete video/seg-00001.m4s").await.unwrap();
    assert_eq!(heard(&mut server).await, None);
    server.write_all(b"nothing").await.unwrap();
    assert_eq!(heard(&mut client).await, None, "no answer comes through either");
    // Who has sent it does not wait for what becomes of it.
    drop(client);
    proxy.set(None);
    assert_eq!(heard(&mut server).await.as_deref(), Some("complete video/seg-00001.m4s"));
}
