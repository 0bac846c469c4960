// Clients of every major version, side by side: 1.x and 2.x (`eio3: true`), 3.x and 4.x.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { io as io4 } from 'socket.io-client';
import io1 from 'socket.io-client-1';
import io2 from 'socket.io-client-2';
import { io as io3 } from 'socket.io-client-3';
import { chatBackend } from '../support/backend.js';
import { ask, askAll, Clients, connected, record, rest, TRANSPORTS } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { Log, next, within } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
credentials: {token: "auth:token"}
socketio:
  eio3: true
  ping_interval: 300ms
  ping_timeout: 10s
  connect:
    request: GET /auth/me
    state: {user_id: "{{ response.body.id }}"}
    join: "user:{{ response.body.id }}"
    emit: {event: welcome, data: "{{ response.body.name }}"}
  events:
    joinRoom: {request: "GET /chat/rooms/{{ data.chatRoomId }}", join: "chat:{{ data.chatRoomId }}"}
    echo: {ack: ["{{ data }}"]}
    whoami: {ack: ["{{ socket.id }}", "{{ socket.handshake.auth }}"]}
    send: {emit: {event: file, to: "user:{{ data.to }}", args: ["{{ data.file }}", "{{ args[1] }}"]}}
    kick: {disconnect: true}
  disconnect: {request: POST /presence/left, body: {user: "{{ state.user_id }}", reason: "{{ reason }}"}}
  namespaces:
    /support:
      connect: {request: GET /auth/me}
      events:
        whoami: {ack: ["{{ socket.id }}", "{{ socket.handshake.auth.token }}", "{{ socket.namespace }}"]}
taps:
  - {on: "POST /chat/rooms/{room_id}/messages", emit: {event: newMessage, to: "chat:{{ path.room_id }}", data: "{{ response.body }}"}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

// Clients before 3.0 have no `auth`: they say who they are in the query, and hear `error` where they are refused.
const VERSIONS = {
  1.7: { io: io1, old: true },
  2.5: { io: io2, old: true },
  3.1: { io: io3, old: false },
  4.8: { io: io4, old: false },
};

let site;
before(async () => (site = await startSite(chatBackend(), { config: CONFIG })));
after(() => site?.stop());

/** Clients of one version. */
class Peers extends Clients {
  constructor(t, way, { io, old }) {
    super(t, way, io);
    this.old = old;
  }

  as(user) {
    return this.old ? { query: { token: `token-${user}` } } : { auth: { token: `token-${user}` } };
  }

  enter(user) {
    return this.open(site.url, this.as(user));
  }

  namespace(socket, name, user) {
    return socket.io.socket(name, this.old ? { query: `token=token-${user}` } : this.as(user));
  }

  /** What a refused client is told: message and data. */
  async refusal(socket) {
    const [error] = await next(socket, this.old ? 'error' : 'connect_error');
    return this.old ? error : (error.data ?? error.message);
  }
}

function overEachVersion(name, run) {
  for (const [version, client] of Object.entries(VERSIONS)) {
    for (const way of Object.keys(TRANSPORTS)) {
      const user = `${version.replace('.', '-')}-${way}`;
      test(`${name} [${version} ${way}]`, (t) => run(new Peers(t, way, client), user));
    }
  }
}

overEachVersion('a client is known, asks, and hears of its rooms', async (peers, user) => {
  const socket = peers.begin(site.url, peers.as(user));
  const welcome = record(socket, 'welcome');
  const messages = record(socket, 'newMessage');
  await connected(socket);
  assert.equal(await welcome.find(() => true), user);
  const [id, auth] = await askAll(socket, 'whoami');
  assert.equal(id, socket.id);
  assert.deepEqual(auth, { token: `token-${user}` });

  const chatRoomId = `room-${user}`;
  assert.deepEqual(await ask(socket, 'joinRoom', { chatRoomId }), { id: chatRoomId });
  const path = `/chat/rooms/${chatRoomId}/messages`;
  const posted = await rest(site.url, 'POST', path, { user: 'bob', body: { text: 'hello' } });
  assert.deepEqual(await messages.find(() => true), posted.body);
});

overEachVersion('values and binary go both ways', async (peers, user) => {
  const [ada, bob] = [await peers.enter(`ada-${user}`), await peers.enter(`bob-${user}`)];
  for (const value of ['"quotes" \\ \n', 1.5, null, true, [], { a: [{ b: '' }] }, 'x'.repeat(70_000)]) {
    assert.deepEqual(await ask(ada, 'echo', value), value);
  }
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const data = { picture: every, list: [Buffer.from('x'), 'y', Buffer.alloc(300, 7)] };
  assert.deepEqual(await ask(ada, 'echo', data), data);
  const file = next(bob, 'file');
  ada.emit('send', { to: `bob-${user}`, file: every }, [Buffer.alloc(70_000, 255)]);
  assert.deepEqual(await file, [every, [Buffer.alloc(70_000, 255)]]);
});

overEachVersion('Unicode goes both ways', async (peers, user) => {
  const socket = await peers.enter(user);
  const text = 'ünïcödé 😀 \u2028 漢字';
  assert.equal(await ask(socket, 'echo', text), text);
  const given = { [text]: Buffer.from(text), text };
  assert.deepEqual(await ask(socket, 'echo', given), given);
});

overEachVersion('namespaces share the connection and keep their own ids', async (peers, user) => {
  const socket = await peers.enter(user);
  const support = peers.namespace(socket, '/support', `agent-${user}`);
  await connected(support);
  const [id, ...rest] = await askAll(support, 'whoami');
  assert.deepEqual(rest, [`token-agent-${user}`, '/support']);
  // Clients 1.x leave out the namespace.
  assert.equal(id, peers.old ? `/support#${socket.id}` : support.id);
  assert.ok(id.endsWith(support.id));
  assert.equal((await askAll(socket, 'whoami'))[0], socket.id);
  assert.notEqual(id, socket.id);
  const unknown = peers.namespace(socket, '/nowhere', user);
  assert.equal(await peers.refusal(unknown), 'Invalid namespace');
  support.disconnect();
  assert.equal(await ask(socket, 'echo', 'still here'), 'still here');
});

overEachVersion('a refused client is told why', async (peers) => {
  const socket = peers.begin(site.url);
  const error = await peers.refusal(socket);
  assert.equal(error.message, 'Please log in');
  assert.equal(error.code, 'login');
  assert.equal(socket.connected, false);
});

overEachVersion('both sides know why they parted', async (peers, user) => {
  const kicked = await peers.enter(`kicked-${user}`);
  const gone = next(kicked, 'disconnect');
  kicked.emit('kick');
  assert.equal((await gone)[0], 'io server disconnect');
  const leaver = await peers.enter(`leaver-${user}`);
  leaver.disconnect();
  for (const [name, reason] of [['kicked', 'server'], ['leaver', 'client']]) {
    const { body } = await site.backend.request('POST /presence/left', ({ body }) => body.user === `${name}-${user}`);
    assert.equal(body.reason, `${reason} namespace disconnect`);
  }
});

overEachVersion('heartbeats keep it alive, and it returns after a cut', async (peers, user) => {
  const socket = await peers.enter(user);
  const beats = new Log();
  socket.io.engine.on('packet', ({ type }) => /^p[io]ng$/.test(type) && beats.push(type));
  await beats.atLeast(3);
  const before = socket.id;
  const back = next(socket, 'connect');
  socket.io.engine.close();
  await back;
  assert.notEqual(socket.id, before);
  assert.equal(await ask(socket, 'echo', 1), 1);
  await within(site.backend.request('POST /presence/left', ({ body }) => body.user === user), 'the cut is noticed');
});
