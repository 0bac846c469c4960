//! Tests of what a socket takes in pieces.

use std::io::ErrorKind;

use bytes::Bytes;

use super::*;

fn frames(texts: &[&'static str]) -> Frames {
    let mut frames = Frames::default();
    texts.iter().for_each(|text| frames.push(Bytes::from_static(text.as_bytes())));
    frames
}

#[test]
fn what_was_taken_in_part_goes_on_where_it_stopped() {
    for step in 1..10 {
        let mut frames = frames(&["one", "", "three", "4"]);
        let mut taken: Vec<u8> = Vec::new();
        while !frames.is_empty() {
            frames
                .write_with(|slices| {
                    let before = taken.len();
                    taken.extend(slices.iter().flat_map(|slice| slice.iter()).take(step));
                    Ok(taken.len() - before)
                })
                .unwrap();
        }
        assert_eq!(taken, b"onethree4", "{step} bytes at a time");
    }
}

#[test]
fn a_socket_that_takes_nothing_for_ever_is_an_error() {
    let error = frames(&["one"]).write_with(|_| Ok(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}

#[test]
fn little_room_is_kept() {
    let mut frames = frames(&["x"; 1000]);
    assert!(frames.is_long());
    while !frames.is_empty() {
        frames.write_with(|slices| Ok(slices.len())).unwrap();
    }
    frames.shrink(4);
    assert!(frames.0.capacity() <= 4);
}

#[tokio::test]
async fn reads_and_writes_share_a_socket() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let outlet = Outlet::plain(listener.accept().await.unwrap().0, Box::new(()));
    let tcp = outlet.tcp().unwrap();
    let mut space = [0; 8];
    let read = async |space: &mut [u8; 8]| {
        std::future::poll_fn(|cx| Outlet::poll_read(tcp, cx, space)).await.unwrap()
    };
    std::io::Write::write_all(&mut peer, b"more than eight").unwrap();
    let mut heard = Vec::new();
    while heard.len() < 15 {
        let count = read(&mut space).await;
        heard.extend_from_slice(&space[..count]);
    }
    assert_eq!(heard, b"more than eight");

    // As long as the peer reads nothing, the socket fills up; nothing is lost.
    let mut left = Frames::default();
    let chunk = Bytes::from(vec![7; 64 * 1024]);
    let mut sent = 0;
    while outlet.write(&mut left).unwrap() == Written::All {
        left.push(chunk.clone());
        sent += chunk.len();
    }
    let reader = std::thread::spawn(move || std::io::copy(&mut peer, &mut std::io::sink()).unwrap());
    while outlet.write(&mut left).unwrap() == Written::Blocked {
        std::future::poll_fn(|cx| tcp.poll_write_ready(cx)).await.unwrap();
    }
    outlet.shut_down().unwrap();
    assert_eq!(reader.join().unwrap(), sent as u64);
}
