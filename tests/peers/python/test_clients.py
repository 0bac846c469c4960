"""python-socketio before a plain REST backend."""

import itertools
import queue

import pytest
import requests
from socketio.exceptions import ConnectionError

ROOMS = itertools.count(100)


def enter(person, site, user, *rooms):
    one = person()
    one.listen("newMessage", "typing", "exception")
    one.connect(site.url, auth={"token": f"token-{user}"})
    for room in rooms:
        assert "error" not in one.ask("joinRoom", {"chatRoomId": room})
    return one


def test_a_message_reaches_the_room_and_only_the_room(person, chat):
    room, other = next(ROOMS), next(ROOMS)
    ada, bob, eve = (enter(person, chat, *who) for who in (("ada", room), ("bob", room), ("eve", other)))
    answer = ada.ask("sendMessage", {"chatRoomId": room, "text": "héllo"})
    assert answer == {"id": 1, "user": "ada", "chatRoomId": room, "text": "héllo"}
    assert bob.next("newMessage") == (answer,)
    assert ada.next("newMessage") == (answer,)

    # What is posted over REST comes too; it is the next thing that each one sees.
    for member, where in ((ada, room), (eve, other)):
        posted = requests.post(
            f"{chat.url}/chat/rooms/{where}/messages",
            json={"text": f"rest {where}"},
            headers={"authorization": "Bearer token-rest"},
            timeout=10,
        )
        assert posted.status_code == 201
        assert member.next("newMessage") == (posted.json(),)
    assert bob.next("newMessage")[0]["text"] == f"rest {room}"
    for member in (ada, bob, eve):
        with pytest.raises(queue.Empty):
            member.queue("newMessage").get_nowait()


def test_refused_and_wrong_events_are_answered(person, chat):
    ada = enter(person, chat, "ada")
    private = ada.ask("joinRoom", {"chatRoomId": 9})["error"]
    assert (private["status"], private["message"]) == (403, "This room is private")
    assert private["body"] == {"message": "This room is private"}
    missing = ada.ask("joinRoom", {})["error"]
    assert (missing["status"], missing["code"]) == (400, "bad_event")
    unknown = ada.ask("dance", 1)["error"]
    assert (unknown["status"], unknown["code"]) == (404, "no_rule")
    ada.emit("joinRoom", {"chatRoomId": 9})
    (told,) = ada.next("exception")
    assert (told["event"], told["error"]["status"]) == ("joinRoom", 403)


def test_who_left_gets_no_more_and_is_reported(person, chat):
    room = next(ROOMS)
    user = f"leaver{person.way}"
    one = enter(person, chat, user, room)
    assert one.ask("leaveRoom", {"chatRoomId": room}) is None
    bob = enter(person, chat, "bob", room)
    bob.ask("sendMessage", {"chatRoomId": room, "text": "anyone?"})
    bob.next("newMessage")
    assert "error" in one.ask("joinRoom", {"chatRoomId": 9})
    assert one.queue("newMessage").empty()
    one.part()
    left = chat.backend.request("POST", "/presence/left", lambda body: body["user"] == user)
    # Over polling this client may close before its DISCONNECT packet is sent.
    assert left["reason"] in ("client namespace disconnect", "transport close")


def test_a_refused_connect_says_why(person, chat):
    one = person()
    one.listen("connect_error")
    with pytest.raises(ConnectionError):
        one.connect(chat.url, auth={"token": "no good"})
    (why,) = one.next("connect_error")
    assert why == {"message": "Please log in", "data": {"message": "Please log in", "code": "login"}}
    assert not one.client.connected

    again = enter(person, chat, "ada", next(ROOMS))
    assert again.client.connected


def test_binary_goes_both_ways(person, rules):
    data = {"raw": bytes(range(256)), "list": [b"", {"inner": "héllo".encode()}], "n": 1, "lookalike": {"$binary": "AQID"}}
    ada, bob = person(), person()
    bob.listen("file")
    for one in (ada, bob):
        one.connect(rules.url)
    assert ada.ask("echo", data) == data
    ada.emit("send", data)
    assert bob.next("file") == (data,)


def test_namespaces(person, rules):
    one = person()
    one.connect(rules.url, auth={"token": "token-ada"}, namespaces=["/", "/members", "/org-acme"])
    assert one.ask("whoami", namespace="/members") == "ada"
    assert one.ask("whoami", namespace="/org-acme") == "acme"
    assert one.ask("echo", [1, "zwei", None]) == [1, "zwei", None]
    assert len({one.sid(namespace) for namespace in ("/", "/members", "/org-acme")}) == 3


def test_an_unknown_namespace_is_refused(person, rules):
    one = person()
    one.listen("connect_error", namespace="/nowhere")
    with pytest.raises(ConnectionError):
        one.connect(rules.url, namespaces=["/nowhere"])
    assert one.next("connect_error", "/nowhere")[0]["message"] == "Invalid namespace"
