// The admin API before stock clients: what it sends they receive, what they answer it collects.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { ask, overEachTransport, record } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  connect: {join: "user:{{ socket.handshake.auth.user }}"}
  events: {fence: {}}
  namespaces:
    /side: {}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

let site;
let admin;
before(async () => {
  site = await startSite(new Backend(), { config: CONFIG });
  admin = /admin on (http:\/\/\S+)/.exec(site.gateway.output)?.[1];
  admin ??= await site.gateway.printed((line) => /admin on (http:\/\/\S+)/.exec(line)?.[1], 'the admin listener');
});
after(() => site?.stop());

async function call(path, body) {
  const answer = await fetch(`${admin}/v1/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

overEachTransport('an emit reaches rooms, ids and everyone, but not who is left out', async (clients, way) => {
  const users = ['ada', 'bob', 'eve'].map((user) => `${user}-${way}`);
  const [ada, bob, eve] = await Promise.all(users.map((user) => clients.open(site.url, { auth: { user } })));
  const side = await clients.open(`${site.url}/side`);
  const heard = [ada, bob, eve, side].map((socket) => record(socket, 'news'));
  const data = { n: 1.5, text: 'héllo', list: [true, null], blob: { $binary: 'AQID' } };
  const to = users.slice(0, 2).map((user) => `user:${user}`);
  assert.deepEqual(await call('emit', { event: 'news', data, to }), { sockets: 2 });
  assert.deepEqual(await call('emit', { event: 'news', data: 2, to: [...to, bob.id], except: ada.id }), { sockets: 1 });
  assert.deepEqual(await call('emit', { event: 'news', data: 3, everyone: true, namespace: '/side' }), { sockets: 1 });
  const results = await call('batch', [
    { join: { to: eve.id, rooms: `late-${way}` } },
    { emit: { event: 'news', data: 4, to: `late-${way}` } },
    { leave: { to: eve.id, rooms: `late-${way}` } },
    { emit: { event: 'news', data: 5, to: `late-${way}` } },
    { emit: {} },
  ]);
  assert.deepEqual(results.slice(0, 4), [1, 1, 1, 0].map((sockets) => ({ sockets })));
  assert.equal(results[4].error.code, 'bad_request');
  for (const socket of [ada, bob, eve]) await ask(socket, 'fence');
  await heard[3].find(() => true);
  const first = { ...data, blob: Buffer.from([1, 2, 3]) };
  assert.deepEqual(heard.map((log) => log.entries), [[first], [first, 2], [4], [3]]);
});

overEachTransport('acks are collected, and who does not answer is missing', async (clients, way) => {
  const user = `panel-${way}`;
  const sockets = await Promise.all([1, 2, 3].map(() => clients.open(site.url, { auth: { user } })));
  sockets[0].on('vote', (question, answer) => answer(`${question} yes`, Buffer.from([7])));
  sockets[1].on('vote', (question, answer) => answer());
  const told = await call('emit', { event: 'vote', data: 'ok?', to: `user:${user}`, ack_timeout: '1s' });
  assert.equal(told.sockets, 3);
  assert.equal(told.missing, 1);
  const answers = Object.fromEntries(told.acks.map(({ socket, args }) => [socket, args]));
  assert.deepEqual(answers, {
    [sockets[0].id]: ['ok? yes', { $binary: 'Bw==' }],
    [sockets[1].id]: [],
  });
});

overEachTransport('a disconnect ends a user’s sockets', async (clients, way) => {
  const socket = await clients.open(site.url, { auth: { user: `gone-${way}` } });
  const gone = next(socket, 'disconnect');
  assert.deepEqual(await call('disconnect', { to: `user:gone-${way}`, close: true }), { sockets: 1 });
  assert.equal((await gone)[0], 'io server disconnect');
  assert.equal(socket.active, false, 'it stays away until it connects itself');
});
