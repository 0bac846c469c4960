"""Every test runs with both clients over every way of transport."""

import pytest

from backend import Backend
from gateway import CHAT, Gateway
from people import TRANSPORTS, Asynchronous, Blocking

RULES = """
listen: 127.0.0.1:0
upstream: ${UPSTREAM}
socketio:
  connect: {join: files}
  events:
    echo: {ack: ["{{ data }}"]}
    send: {emit: {event: file, to: files, except: "{{ socket.id }}", data: "{{ data }}"}}
  namespaces:
    /members:
      connect: {request: GET /auth/me, state: {user: "{{ response.body.id }}"}}
      events: {whoami: {ack: "{{ state.user }}"}}
    /org-{id}:
      events: {whoami: {ack: "{{ namespace.id }}"}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
"""


def site(config):
    backend = Backend()
    gateway = Gateway(config, UPSTREAM=backend.url)
    gateway.backend = backend
    yield gateway
    gateway.stop()
    backend.close()


@pytest.fixture(scope="session")
def chat():
    yield from site(CHAT)


@pytest.fixture(scope="session")
def rules():
    yield from site(RULES)


@pytest.fixture(params=[(kind, way) for kind in (Blocking, Asynchronous) for way in TRANSPORTS],
                ids=lambda param: f"{param[0].__name__}-{param[1]}".lower())
def person(request):
    """Makes clients that leave when the test ends."""
    kind, way = request.param
    people = []

    def make():
        people.append(kind(way))
        return people[-1]

    make.way = f"{kind.__name__}{way}".lower()
    yield make
    for one in people:
        one.leave()
