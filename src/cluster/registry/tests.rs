use super::*;

#[test]
fn the_name_of_a_node_is_read_as_it_is_written() {
    let id = NodeId::random();
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(NodeId::from_number(id.number()), Some(id));
    for text in ["", "0000000000000000", "1", "+00000000000000a", "00000000000000000a", "g000000000000000"] {
        assert_eq!(text.parse::<NodeId>(), Err(()), "{text}");
    }
}

#[test]
fn entries_that_are_none_are_passed_over() {
    let keys = Keys::derive(&["secret".to_owned()], "test");
    let (node, advertise) = (NodeId::random(), "http://10.0.0.1:4002");
    let seal = Told::seal(&keys, node, advertise);
    let write = |advertise: &str, seal: &str| {
        format!("{{\"advertise\":\"{advertise}\",\"since\":1,\"seal\":\"{seal}\"}}")
    };
    let (id, told) = (node.to_string(), write(advertise, &seal));
    let told = told.as_str();
    let read = |entry: &[redis::Value], now| read(entry, now, &keys);
    let entry = |parts: [&str; 4]| parts.map(|part| redis::Value::BulkString(part.into())).to_vec();
    let now = Instant::now();
    let (_, known) = read(&entry([&id, "a", "5000", told]), now).unwrap();
    let known = known.unwrap();
    assert_eq!(
        (known.advertise.to_string().as_str(), known.until),
        ("http://10.0.0.1:4002/", now + Duration::from_secs(5))
    );
    assert!(read(&entry([&id, "l", "5000", told]), now).unwrap().1.is_none());
    for bad in [["x", "a", "1", told], [&id, "a", "soon", told], [&id, "a", "1", "{}"], [&id, "a", "1", "["]]
    {
        assert!(read(&entry(bad), now).is_none(), "{bad:?}");
    }
    // Who can write to Redis, and does not know the secret, makes no node and moves none.
    let (other, short) = (NodeId::random().to_string(), seal.get(..20).unwrap());
    for (id, told) in [
        (&id, write("http://10.0.0.9:4002", &seal)),
        (&id, write(advertise, "")),
        (&id, write(advertise, short)),
        (&other, told.to_owned()),
    ] {
        assert!(read(&entry([id, "a", "5000", &told]), now).is_none(), "{told}");
    }
}
