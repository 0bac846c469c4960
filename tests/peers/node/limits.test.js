// What a client must not send: it is refused or closed, and nobody else notices.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { ask, Clients, overEachTransport } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next, within } from '../support/wait.js';
import { WebSocket } from 'ws';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  max_payload: 10KB
  max_attachments: 2
  ping_interval: 5s
  ping_timeout: 5s
  events:
    echo: {ack: ["{{ data }}"]}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

let site;
before(async () => (site = await startSite(new Backend(), { config: CONFIG })));
after(() => site?.stop());

const endpoint = (query = '') => `${site.url}/socket.io/?EIO=4&transport=polling${query}`;

/** A polling session with the namespace `/` joined. */
async function rawSession() {
  const open = await (await fetch(endpoint())).text();
  const { sid, maxPayload } = JSON.parse(open.slice(1));
  assert.equal(maxPayload, 10_000);
  const url = endpoint(`&sid=${sid}`);
  const session = {
    post: (body, headers) => fetch(url, { method: 'POST', body, headers }),
    poll: async () => within(fetch(url).then(async (r) => ({ status: r.status, text: await r.text() })), 'a poll'),
  };
  assert.equal((await session.post('40')).status, 200);
  assert.match((await session.poll()).text, /^40\{"sid":"[^"]+"\}$/);
  return session;
}

/** Runs `act` while a bystander is connected, who must not notice. */
async function undisturbed(t, act) {
  const clients = new Clients(t);
  const bystander = await clients.open(site.url);
  const noticed = [];
  bystander.on('disconnect', (reason) => noticed.push(reason));
  await act();
  assert.equal(await ask(bystander, 'echo', 'still here'), 'still here');
  assert.deepEqual(noticed, []);
}

overEachTransport('a message over max_payload ends only the connection it came on', async (clients, way) => {
  const bystander = await clients.open(site.url);
  const noticed = [];
  bystander.on('disconnect', (reason) => noticed.push(reason));
  const large = await clients.open(site.url, { reconnection: false });
  assert.equal(await ask(large, 'echo', 'x'.repeat(9_000)), 'x'.repeat(9_000));
  const gone = next(large, 'disconnect');
  large.emit('echo', 'x'.repeat(20_000));
  assert.equal((await gone)[0], way === 'polling' ? 'transport error' : 'transport close');
  assert.equal(await ask(bystander, 'echo', 'still here'), 'still here');
  assert.deepEqual(noticed, []);
});

test('a poll’s POST over the limit is 413, and the session lives', async (t) => {
  await undisturbed(t, async () => {
    const session = await rawSession();
    const refused = await session.post(`42["echo","${'x'.repeat(10_000)}"]`);
    assert.equal(refused.status, 413);
    assert.equal((await session.post('421["echo","fine"]')).status, 200);
    assert.equal((await session.poll()).text, '431["fine"]');
  });
});

test('a websocket message over the limit is closed with 1009', async (t) => {
  await undisturbed(t, async () => {
    const socket = new WebSocket(`${site.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await next(socket, 'message', 'the open packet');
    const closed = next(socket, 'close');
    socket.send(`4${'x'.repeat(10_001)}`);
    assert.equal((await closed)[0], 1009);
  });
});

const GARBAGE = [
  '', 'abc', '4', '42', '4999', '2', '4abc', '42abc', '42{}', '42[]', '42[true,"x"]', '42[null]',
  '42[{"toString":"foo"}]', '42["connect"]', '42["disconnect","123"]', '442["some","data"', '42["e"],"admin":true',
  '40/,"invalid', '41/,{"a":1}', '44{}', '45', '451', '45a-', '451.23-', '453-["x"]', '451-["x"]\x1e42["y"]',
  '451-["x",{"_placeholder":true,"num":-1}]\x1ebAQID', '451-["x",{"_placeholder":true,"num":1}]\x1ebAQID',
  '451-["x",{"_placeholder":true,"num":"0"}]\x1ebAQID', '42é', '421é', '4[[[[', 'bAQID', 'b@@@',
];

test('garbage in a poll’s POST closes that session alone', async (t) => {
  await undisturbed(t, async () => {
    for (const body of GARBAGE) {
      const session = await rawSession();
      const answer = await session.post(body);
      assert.ok([200, 400].includes(answer.status), `${JSON.stringify(body)} is answered with ${answer.status}`);
      const end = await session.poll();
      if (end.status === 200) {
        assert.match(end.text, /(^|\x1e)1$/, `${JSON.stringify(body)} closes the session`);
        assert.equal((await session.poll()).status, 400, `${JSON.stringify(body)} ends the session`);
      } else {
        assert.equal(end.status, 400, JSON.stringify(body));
      }
    }
  });
});

test('garbage on a websocket closes that connection alone', async (t) => {
  await undisturbed(t, async () => {
    const url = `${site.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    for (const text of GARBAGE.filter((g) => !g.includes('\x1e') && !g.startsWith('b'))) {
      const socket = new WebSocket(url);
      const closed = next(socket, 'close', `${JSON.stringify(text)} closes the connection`);
      await next(socket, 'message', 'the open packet');
      socket.send('40');
      await next(socket, 'message', 'the connect packet');
      socket.send(text);
      await closed;
    }
    const binary = new WebSocket(url);
    const closed = next(binary, 'close');
    await next(binary, 'message', 'the open packet');
    binary.send('40');
    await next(binary, 'message', 'the connect packet');
    binary.send(Buffer.from([1, 2, 3]));
    await closed;
  });
});

test('a session must begin with a connect packet', async () => {
  const socket = new WebSocket(`${site.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const closed = next(socket, 'close');
  await next(socket, 'message', 'the open packet');
  socket.send('42["echo",1]');
  await closed;
});
