// Restarts on either side: clients come back by themselves, a backend may come late.

import assert from 'node:assert/strict';
import test from 'node:test';
import { chatBackend } from '../support/backend.js';
import { ask, Clients, overEachTransport, rest } from '../support/clients.js';
import { startGateway } from '../support/gateway.js';
import { next } from '../support/wait.js';

const OPEN = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  events:
    joinRoom: {request: "GET /chat/rooms/{{ data.chatRoomId }}", join: "chat:{{ data.chatRoomId }}"}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

for (const end of ['stop', 'kill']) {
  overEachTransport(`clients return to their rooms after the gateway’s restart by ${end}`, async (clients) => {
    const backend = await chatBackend().listen();
    const env = { UPSTREAM: backend.url };
    let gateway = await startGateway({ env });
    try {
      const { url } = gateway;
      const ada = await clients.enter(url, 'ada', 1);
      const joined = new Promise((resolve) => {
        ada.on('connect', () => ada.emit('joinRoom', { chatRoomId: 1 }, resolve));
      });
      const gone = next(ada, 'disconnect');
      const stopping = gateway[end]();
      const [reason] = await gone;
      assert.notEqual(reason, 'io server disconnect', 'the client is not told to stay away');
      await stopping;
      gateway = await startGateway({ env: { ...env, PORT: new URL(url).port } });
      assert.equal(gateway.url, url);

      assert.equal((await joined).error, undefined);
      const posted = await rest(url, 'POST', '/chat/rooms/1/messages', { user: 'bob', body: { text: 'back?' } });
      assert.deepEqual(await ada.messages.find((m) => m.text === 'back?'), posted.body);
      assert.equal(ada.messages.entries.length, 1);
    } finally {
      await gateway.stop().catch(() => {});
      await backend.close();
    }
  });
}

test('a backend that is down gives 502 and is used as soon as it is up', async (t) => {
  const backend = chatBackend();
  await backend.listen();
  const { port, url: upstream } = backend;
  await backend.close();
  const gateway = await startGateway({ config: OPEN, env: { UPSTREAM: upstream } });
  t.after(() => gateway.stop());

  const socket = await new Clients(t).open(gateway.url, { auth: { token: 'token-ada' } });
  const { error } = await ask(socket, 'joinRoom', { chatRoomId: 1 });
  assert.equal(error.status, 502);
  const down = await rest(gateway.url, 'GET', '/chat/rooms/1', { user: 'ada' });
  assert.equal(down.status, 502);
  assert.equal(down.body.error.code, 'upstream_unreachable');
  assert.equal(down.body.error.status, 502);
  assert.equal(down.body.error.request_id, down.headers.get('x-request-id') ?? down.body.error.request_id);
  assert.ok(down.body.error.message && down.body.error.request_id);

  await backend.listen(port);
  t.after(() => backend.close());
  assert.deepEqual(await ask(socket, 'joinRoom', { chatRoomId: 1 }), { id: '1' });
  assert.equal((await rest(gateway.url, 'GET', '/chat/rooms/1', { user: 'ada' })).status, 200);
});

test('a backend that hangs up in the middle of an answer fails that event only', async (t) => {
  const backend = chatBackend();
  backend.on('GET /chat/rooms/{id}', ({ params }) => ({
    body: { id: params.id },
    headers: params.id === '13' ? { 'content-length': '10000' } : {},
  }));
  await backend.listen();
  const gateway = await startGateway({ config: OPEN, env: { UPSTREAM: backend.url } });
  t.after(async () => {
    await gateway.stop();
    await backend.close();
  });
  const socket = await new Clients(t).open(gateway.url, { auth: { token: 'token-ada' } });
  const { error } = await ask(socket, 'joinRoom', { chatRoomId: 13 });
  assert.equal(error.status, 502);
  assert.deepEqual(await ask(socket, 'joinRoom', { chatRoomId: 1 }), { id: '1' });
});
