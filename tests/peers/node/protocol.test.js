// The endpoint as bytes: open packet, errors in Node's numbers, heartbeat, upgrade, whose path it is.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { WebSocket } from 'ws';
import { Backend } from '../support/backend.js';
import { startSite } from '../support/gateway.js';
import { raw, rawUpgrade } from '../support/raw.js';
import { Log, next, within } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  ping_interval: 400ms
  ping_timeout: 400ms
  connect_timeout: 1s
  events:
    message: {emit: {event: message-back, args: ["{{ args[0] }}", "{{ args[1] }}"]}}
  namespaces: {/custom: {}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

let site;
before(async () => {
  const backend = new Backend();
  backend.on('GET /socket.io-docs', () => ({ body: 'docs' }));
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());

const at = (query, path = '/socket.io/') => `${site.url}${path}?${query}`;
const OPEN = 'EIO=4&transport=polling';

async function session() {
  const open = await raw(at(OPEN));
  assert.equal(open.status, 200);
  return at(`${OPEN}&sid=${JSON.parse(open.text.slice(1)).sid}`);
}

/** Polls, answering pings, until a packet matches; gives all packets. */
async function pollUntil(url, matches) {
  const packets = [];
  while (!packets.some(matches)) {
    const poll = await raw(url);
    assert.equal(poll.status, 200, poll.text);
    packets.push(...poll.text.split('\x1e'));
    if (packets.at(-1) === '2') await raw(url, { method: 'POST', body: '3' });
  }
  return packets;
}

function websocket(query = 'EIO=4&transport=websocket') {
  const socket = new WebSocket(at(query).replace('http', 'ws'));
  const frames = new Log();
  socket.on('message', (data) => frames.push(data.toString()));
  socket.closed = next(socket, 'close');
  socket.closed.catch(() => {});
  socket.on('error', (error) => frames.push(error.message));
  socket.frame = (matches) => frames.find(matches);
  return socket;
}

test('the open packet has its keys in order, at the path with and without a slash', async () => {
  for (const path of ['/socket.io/', '/socket.io']) {
    const open = await raw(at(OPEN, path));
    assert.match(
      open.text,
      /^0\{"sid":"[^"]+","upgrades":\["websocket"\],"pingInterval":400,"pingTimeout":400,"maxPayload":1000000\}$/,
    );
    assert.deepEqual(open.all('content-type'), ['text/plain; charset=UTF-8']);
    assert.deepEqual(open.all('cache-control'), ['no-store']);
  }
  const socket = websocket();
  const open = await socket.frame(() => true);
  assert.deepEqual(JSON.parse(open.slice(1)).upgrades, []);
  socket.terminate();
});

test('the path ends at a segment: what only looks like it goes to the backend', async () => {
  assert.equal((await raw(`${site.url}/socket.io-docs`)).json(), 'docs');
  assert.equal((await raw(`${site.url}/api/socket.io/?${OPEN}`)).status, 404);
  assert.equal(site.backend.requests('GET /api/socket.io/').length, 1);
});

const ERRORS = [
  ['GET', 'EIO=4', 0, 'Transport unknown'],
  ['GET', 'EIO=4&transport=abc', 0, 'Transport unknown'],
  ['GET', `${OPEN}&sid=unknown`, 1, 'Session ID unknown'],
  ['POST', `${OPEN}&sid=unknown`, 1, 'Session ID unknown'],
  ['POST', OPEN, 2, 'Bad handshake method'],
  ['PUT', OPEN, 2, 'Bad handshake method'],
  ['GET', 'EIO=4&transport=websocket', 3, 'Bad request'],
  ['GET', 'EIO=3&transport=polling', 5, 'Unsupported protocol version'],
  ['GET', 'EIO=abc&transport=polling', 5, 'Unsupported protocol version'],
];
for (const [method, query, code, message] of ERRORS) {
  test(`${method} ?${query} is error ${code}`, async () => {
    const answer = await raw(at(query), { method });
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json(), { code, message });
    assert.match(answer.all('content-type')[0], /^application\/json/);
  });
}

for (const query of ['EIO=4&transport=abc', 'EIO=4', 'EIO=4&transport=websocket&sid=unknown']) {
  test(`an upgrade with ?${query} is 400 before any 101`, async () => {
    const answer = await rawUpgrade(at(query));
    assert.deepEqual([answer.status, answer.upgraded], [400, false]);
  });
}

test('an upgrade with a bad EIO is 400 before any 101', async () => {
  for (const eio of ['', 'EIO=3&', 'EIO=abc&']) {
    const answer = await rawUpgrade(at(`${eio}transport=websocket`));
    assert.deepEqual([answer.status, answer.upgraded], [400, false], eio);
  }
});

test('packets of one POST come back in order in one GET', async () => {
  const url = await session();
  await raw(url, { method: 'POST', body: '40' });
  await pollUntil(url, (packet) => packet.startsWith('40'));
  const posted = await raw(url, { method: 'POST', body: '42["message",1,"2"]\x1e42["message",{"3":[true]},null]' });
  assert.deepEqual([posted.status, posted.text], [200, 'ok']);
  const packets = await pollUntil(url, (packet) => packet.includes('null'));
  const events = packets.filter((packet) => packet.startsWith('42'));
  assert.deepEqual(events, ['42["message-back",1,"2"]', '42["message-back",{"3":[true]},null]']);
});

test('who answers pings lives on, who does not is gone', async () => {
  const url = await session();
  await raw(url, { method: 'POST', body: '40' });
  await pollUntil(url, (packet) => packet.startsWith('40'));
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await raw(url)).text, '2');
    assert.equal((await raw(url, { method: 'POST', body: '3' })).text, 'ok');
  }
  const silent = websocket();
  await silent.frame((frame) => frame === '2');
  await within(silent.closed, 'the silent one is closed', 2000);
});

test('who joins no namespace is gone after connect_timeout', async () => {
  const socket = websocket();
  socket.on('message', (data) => data.toString() === '2' && socket.send('3'));
  const start = Date.now();
  await within(socket.closed, 'closed after connect_timeout', 3000);
  assert.ok(Date.now() - start >= 900, 'not before');
});

test('a probe is answered, a poll meanwhile is let go, and the session moves', async () => {
  const url = await session();
  const pending = raw(url);
  const sid = new URL(url).searchParams.get('sid');
  const socket = websocket(`EIO=4&transport=websocket&sid=${sid}`);
  await next(socket, 'open');
  socket.send('2probe');
  await socket.frame((frame) => frame === '3probe');
  assert.match((await pending).text, /^(6|2)$/);
  socket.send('5');
  socket.send('40');
  assert.match(await socket.frame((frame) => frame.startsWith('40')), /^40\{"sid":"[^"]+"\}$/);
  const late = await raw(url);
  assert.deepEqual([late.status, late.json()], [400, { code: 3, message: 'Bad request' }]);
  const second = websocket(`EIO=4&transport=websocket&sid=${sid}`);
  await second.closed;
  socket.send('42["message",1,2]');
  await socket.frame((frame) => frame === '42["message-back",1,2]');
  socket.terminate();
});

test('a probe that fails leaves the polling session alone', async () => {
  const url = await session();
  const sid = new URL(url).searchParams.get('sid');
  for (const act of [(s) => s.send('abc'), (s) => s.terminate(), (s) => s.close()]) {
    const socket = websocket(`EIO=4&transport=websocket&sid=${sid}`);
    await next(socket, 'open');
    act(socket);
    await socket.closed;
  }
  assert.equal((await raw(url, { method: 'POST', body: '40' })).text, 'ok');
  await pollUntil(url, (packet) => packet.startsWith('40{'));
});

test('a client’s close ends the session', async () => {
  const url = await session();
  const pending = raw(url);
  await raw(url, { method: 'POST', body: '1' });
  assert.match((await pending).text, /^6$/);
  assert.deepEqual((await raw(url)).json(), { code: 1, message: 'Session ID unknown' });
});
