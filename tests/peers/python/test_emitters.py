"""What python-socketio, Flask-SocketIO and the PyPI port of socket.io-emitter publish over Redis arrives once."""

import socket
import subprocess
import time

import pytest
import redis
import socketio
from socket_io_emitter import Emitter

from gateway import Gateway
from people import DEADLINE_S, Blocking

CONFIG = """
listen: 127.0.0.1:0
upstream: http://127.0.0.1:1
emitters:
  - {redis: "${REDIS}", format: python-socketio}
  - {redis: "${REDIS}", format: python-socketio, channel: flask-socketio}
  - {redis: "${REDIS}", format: socket.io}
socketio:
  events: {join: {join: "{{ data }}", ack: []}}
  namespaces: {/chat: {events: {join: {join: "{{ data }}", ack: []}}}}
admin: {listen: "127.0.0.1:0"}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, check):
    deadline = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


def answers(database):
    try:
        return database.ping()
    except redis.ConnectionError:
        return False


@pytest.fixture(scope="module")
def site():
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    database = redis.Redis(port=port)
    gateway = None
    try:
        until("Redis answers", lambda: answers(database))
        gateway = Gateway(CONFIG, REDIS=f"redis://127.0.0.1:{port}")
        channels = ["socketio", "flask-socketio"]
        until("the gateway listens", lambda: all(count for _, count in database.pubsub_numsub(*channels)))
        until("the gateway listens", lambda: database.pubsub_numpat() >= 2)
        gateway.redis, gateway.port = f"redis://127.0.0.1:{port}", port
        yield gateway
    finally:
        if gateway:
            gateway.stop()
        database.close()
        server.terminate()
        server.wait(DEADLINE_S)


@pytest.fixture
def people(site):
    """Two in a room each, and one in `/chat`."""
    made = []

    def person(room, namespace="/"):
        client = Blocking("websocket")
        client.listen("one", "two", "end", namespace=namespace)
        client.connect(site.url, namespaces=[namespace])
        client.ask("join", room, namespace=namespace)
        made.append(client)
        return client

    yield person("a"), person("b"), person("a", "/chat")
    for client in made:
        client.part()


def nothing_before_end(*clients):
    for client, namespace in clients:
        assert client.queue("one", namespace).empty() and client.queue("two", namespace).empty()


@pytest.mark.parametrize("channel", ["socketio", "flask-socketio"])
def test_the_manager_of_python_socketio(site, people, channel):
    a, b, chat = people
    manager = socketio.RedisManager(site.redis, channel=channel, write_only=True)
    manager.emit("one", {"n": 1.5, "t": "ä"}, room="a")
    manager.emit("two", b"\x01\x02", namespace="/")
    manager.emit("one", ("x", 2), namespace="/chat", room="a")
    manager.emit("two", "skipped", skip_sid=a.sid())
    manager.enter_room(b.sid(), "/", "late")
    manager.emit("one", "late", room="late")
    manager.emit("end", None)
    manager.emit("end", None, namespace="/chat")
    assert a.next("one") == ({"n": 1.5, "t": "ä"},)
    assert a.next("two") == (b"\x01\x02",)
    assert [b.next("two"), b.next("two"), b.next("one")] == [(b"\x01\x02",), ("skipped",), ("late",)]
    assert chat.next("one", "/chat") == ("x", 2)
    assert a.next("end") == () and b.next("end") == () and chat.next("end", "/chat") == ()
    nothing_before_end((a, "/"), (b, "/"), (chat, "/chat"))


def test_the_port_of_socket_io_emitter(site, people):
    a, b, chat = people
    emitter = Emitter({"host": "127.0.0.1", "port": site.port})
    emitter.To("a").Emit("one", "x", 7)
    emitter.Of("/chat").Emit("two", {"k": [1]})
    emitter.Emit("end")
    emitter.Of("/chat").Emit("end")
    assert a.next("one") == ("x", 7)
    assert chat.next("two", "/chat") == ({"k": [1]},)
    for client, namespace in ((a, "/"), (b, "/"), (chat, "/chat")):
        client.next("end", namespace)
    nothing_before_end((a, "/"), (b, "/"), (chat, "/chat"))
