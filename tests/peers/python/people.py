"""python-socketio's two clients under one roof: each call waits, with a deadline."""

import asyncio
import queue
import threading

import socketio

DEADLINE_S = 10
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}


class Person:
    """What both have in common: every event is kept in a queue."""

    def __init__(self, client, way):
        self.client = client
        self.way = way
        self.queues = {}

    def queue(self, event, namespace="/"):
        return self.queues.setdefault((namespace, event), queue.Queue())

    def listen(self, *events, namespace="/"):
        for event in events:
            self.client.on(event, self._handler(self.queue(event, namespace)), namespace=namespace)

    def next(self, event, namespace="/"):
        return self.queue(event, namespace).get(timeout=DEADLINE_S)

    def connect(self, url, **options):
        options.setdefault("transports", TRANSPORTS[self.way])
        self._do("connect", url, wait_timeout=DEADLINE_S, **options)
        assert self.client.transport() == ("polling" if self.way == "polling" else "websocket")
        return self

    def ask(self, event, data=None, namespace="/"):
        return self._do("call", event, data, namespace=namespace, timeout=DEADLINE_S)

    def emit(self, event, data=None, namespace="/"):
        self._do("emit", event, data, namespace=namespace)

    def part(self):
        self._settle()
        self._do("disconnect")

    def sid(self, namespace="/"):
        return self.client.get_sid(namespace)


class Blocking(Person):
    """`socketio.Client`: requests and websocket-client."""

    def __init__(self, way):
        super().__init__(socketio.Client(reconnection=False), way)

    def _do(self, method, *args, **options):
        return getattr(self.client, method)(*args, **options)

    def _handler(self, events):
        return lambda *args: events.put(args)

    def _settle(self):
        self.client.eio.queue.join()

    def leave(self):
        if self.client.connected:
            self._settle()
        self.client.disconnect()


class Asynchronous(Person):
    """`socketio.AsyncClient`: aiohttp, on a loop of its own."""

    def __init__(self, way):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        super().__init__(socketio.AsyncClient(reconnection=False), way)

    def _do(self, method, *args, **options):
        coroutine = getattr(self.client, method)(*args, **options)
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(2 * DEADLINE_S)

    def _handler(self, events):
        async def handle(*args):
            events.put(args)

        return handle

    def _settle(self):
        asyncio.run_coroutine_threadsafe(self.client.eio.queue.join(), self.loop).result(2 * DEADLINE_S)

    def leave(self):
        if self.client.connected:
            self._settle()
        self._do("disconnect")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE_S)
        self.loop.close()
