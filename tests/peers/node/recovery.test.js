// Connection state recovery with the stock client: whoever loses the connection loses nothing else.

import assert from 'node:assert/strict';
import net from 'node:net';
import test, { after, before, beforeEach } from 'node:test';
import { Backend } from '../support/backend.js';
import { Clients, ask, connected, overEachTransport, record, refused } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  recovery: {enabled: true}
  connect: {hook: /hook, join: "{{ socket.handshake.auth.room }}"}
  disconnect: {hook: /hook}
  events:
    say: {emit: {event: said, to: "{{ data.room }}", data: "{{ data.data }}"}, ack: true}
    murmur: {emit: {event: said, to: "{{ data.room }}", args: ["{{ data.data }}", passing], volatile: true}, ack: true}
    join: {join: "{{ data }}", ack: true}
    whoami: {ack: {state: "{{ state }}", rooms: "{{ socket.rooms }}", recovered: "{{ socket.recovered }}"}}
  namespaces:
    /news:
      connect: {join: "{{ socket.handshake.auth.room }}"}
      events: {say: {emit: {event: said, to: "{{ data.room }}", data: "{{ data.data }}"}, ack: true}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;
const numbers = (count) => Array.from({ length: count }, (_, n) => n);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let site;
let revoked;
let seats = 0;
before(async () => {
  const backend = new Backend();
  backend.on('POST /hook', ({ body }) => {
    if (body.type !== 'connect') return undefined;
    if (revoked) return { status: 403, body: { message: 'revoked' } };
    return { body: body.socket.recovered ? {} : { state: { seat: (seats += 1) } } };
  });
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());
beforeEach(() => (revoked = false));

/** A socket in a room of its own, and one that speaks to it. */
async function pair(clients, url = site.url) {
  const room = `room-${Math.random()}`;
  const socket = await clients.open(url, { auth: { room } });
  socket.said = record(socket, 'said');
  const speaker = await clients.open(site.url, { auth: { room: 'speakers' } });
  const say = (data) => ask(speaker, 'say', { room, data });
  return { room, socket, speaker, say };
}

/** Breaks the connection, and waits until the gateway knows. */
async function drop(socket) {
  const { id } = socket;
  const gone = next(socket, 'disconnect');
  socket.io.engine.close();
  await gone;
  await site.backend.request('POST /hook', ({ body }) => body.type === 'disconnect' && body.socket.id === id);
}

/** Once the socket is connected again. */
const back = (socket) => connected(socket).then(() => socket);

overEachTransport('id, rooms, state and what was missed come back', async (clients) => {
  const { socket, say } = await pair(clients);
  await ask(socket, 'join', 'other');
  await say(0);
  await socket.said.atLeast(1);
  const [{ id }, before] = [socket, await ask(socket, 'whoami')];
  socket.io.reconnectionDelay(300);
  await drop(socket);
  for (const n of [1, 2, 3]) await say(n);
  await back(socket);
  assert.equal(socket.recovered, true);
  assert.equal(socket.id, id);
  assert.deepEqual(socket.said.entries, [0, 1, 2, 3], 'before connect, in order');
  assert.deepEqual(await ask(socket, 'whoami'), { ...before, recovered: true });
  const again = await site.backend.request('POST /hook', ({ body }) => body.type === 'connect' && body.socket.recovered && body.socket.id === id);
  assert.ok(!('pid' in again.body.socket.handshake.auth) && !('offset' in again.body.socket.handshake.auth));
});

overEachTransport('200 broadcasts through repeated drops: all there, in order, once', async (clients) => {
  const { socket, say } = await pair(clients);
  let drops = 0;
  let recovered = 0;
  socket.on('connect', () => (recovered += socket.recovered ? 1 : 0));
  let over = false;
  const dropping = (async () => {
    while (!over) {
      await pause(120);
      if (!socket.connected) continue;
      drops += 1;
      socket.io.engine.close();
    }
  })();
  for (const n of numbers(200)) {
    await say(n);
    await pause(5);
  }
  over = true;
  await dropping;
  await back(socket);
  await socket.said.atLeast(200);
  assert.deepEqual(socket.said.entries, numbers(200));
  assert.ok(drops >= 4, `${drops} drops`);
  assert.equal(recovered, drops, 'each was recovered');
});

overEachTransport('a client that has received nothing yet comes back', async (clients) => {
  const { socket, say } = await pair(clients);
  await drop(socket);
  await say('first');
  await back(socket);
  assert.equal(socket.recovered, true);
  await socket.said.find((text) => text === 'first');
});

overEachTransport('a volatile event that ends in a string spoils nothing', async (clients) => {
  const { room, socket, speaker, say } = await pair(clients);
  await ask(speaker, 'murmur', { room, data: 'a' });
  await socket.said.atLeast(1);
  await drop(socket);
  await ask(speaker, 'murmur', { room, data: 'nobody hears this' });
  await say('kept');
  await back(socket);
  assert.equal(socket.recovered, true);
  await say('and on');
  await socket.said.find((text) => text === 'and on');
  assert.deepEqual(socket.said.entries, ['a', 'kept', 'and on']);
});

overEachTransport('binary that was missed comes back', async (clients) => {
  const { socket, say } = await pair(clients);
  await drop(socket);
  await say({ raw: Buffer.from([1, 2, 3]) });
  await back(socket);
  assert.equal(socket.recovered, true);
  const { raw } = await socket.said.find((said) => said.raw);
  assert.deepEqual(Buffer.from(raw), Buffer.from([1, 2, 3]));
});

overEachTransport('a user whose access was revoked meanwhile is refused', async (clients) => {
  const { socket, say } = await pair(clients);
  await say(1);
  await socket.said.atLeast(1);
  const { id } = socket;
  await drop(socket);
  revoked = true;
  assert.equal((await refused(socket)).message, 'revoked');
  revoked = false;
  await say(2);
  socket.connect();
  await back(socket);
  assert.ok(!socket.recovered);
  assert.notEqual(socket.id, id);
  await say(3);
  await socket.said.find((n) => n === 3);
  assert.deepEqual(socket.said.entries, [1, 3]);
});

overEachTransport('whoever leaves on purpose begins anew', async (clients) => {
  const { socket, say } = await pair(clients);
  const { id } = socket;
  socket.disconnect();
  await say(1);
  socket.connect();
  await back(socket);
  assert.ok(!socket.recovered);
  assert.notEqual(socket.id, id);
});

overEachTransport('every namespace of a connection comes back', async (clients) => {
  const { room, socket, say } = await pair(clients);
  const news = socket.io.socket('/news', { auth: { room } });
  await connected(news);
  const heard = record(news, 'said');
  const ids = [socket.id, news.id];
  await ask(news, 'say', { room, data: 'extra' });
  await heard.atLeast(1);
  const onNews = await clients.open(`${site.url}/news`, { auth: { room: 'speakers' } });
  await drop(socket);
  await say('plain');
  await ask(onNews, 'say', { room, data: 'more' });
  await Promise.all([back(socket), back(news)]);
  assert.deepEqual([socket.recovered, news.recovered], [true, true]);
  assert.deepEqual([socket.id, news.id], ids);
  assert.deepEqual([socket.said.entries, heard.entries], [['plain'], ['extra', 'more']]);
});

test('a connection that died unseen is taken over', async (t) => {
  const clients = new Clients(t, 'websocket');
  const path = await silentPath(t, new URL(site.url).port);
  const { socket, say } = await pair(clients, path.url);
  await say(0);
  await socket.said.atLeast(1);
  const { id } = socket;
  // From now on nothing passes any more, and nobody is told.
  path.silence();
  await say(1);
  await say(2);
  socket.io.engine.close();
  await back(socket);
  assert.equal(socket.recovered, true);
  assert.equal(socket.id, id);
  await say(3);
  await socket.said.find((n) => n === 3);
  assert.deepEqual(socket.said.entries, [0, 1, 2, 3]);
});

/** A TCP path to the port, whose connections so far can be made to pass nothing. */
async function silentPath(t, port) {
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    const both = { near, far, silent: false };
    open.add(both);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (data) => both.silent || to.write(data));
      from.on('end', () => both.silent || to.end());
      from.on('error', () => {});
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const { near, far } of open) [near, far].forEach((socket) => socket.destroy());
    server.close();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    silence: () => open.forEach((both) => (both.silent = true)),
  };
}
