// Three nodes with a Redis between them, and stock clients on all of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import { Backend } from '../support/backend.js';
import { startGateway } from '../support/gateway.js';
import { freePort } from '../support/nginx.js';
import { startRedis } from '../support/redis.js';
import { Log, next, within } from '../support/wait.js';

const NODES = 3;
const DYING = 200;

let redis;
let backend;
const nodes = [];
const left = new Log();

const config = (node) => `
listen: "127.0.0.1:0"
upstream: "${backend.url}"
admin: {listen: "127.0.0.1:${node.admin}", token: t}
log: {access: false}
cluster:
  redis: {url: "${redis.url}"}
  node: {listen: "127.0.0.1:${node.port}", advertise: "http://127.0.0.1:${node.port}", secret: s}
  lease: 2s
socketio:
  connect: {join: all}
  events:
    say: {emit: {event: said, to: all, data: "{{ data }}"}}
    ping: {ack: pong}
  disconnect: {hook: /left}
`;

/** A client of a node, with a log of what was said to it. */
async function connect(node, t) {
  const socket = io(node.url, { forceNew: true, transports: ['websocket'], reconnection: false });
  t.after(() => socket.disconnect());
  const got = new Log();
  socket.on('said', (data) => got.push(data));
  await next(socket, 'connect');
  return { socket, got, id: socket.id };
}

/** A call of a node's admin API. */
async function call(node, method, path, body) {
  const options = { method, headers: { authorization: 'Bearer t' }, body: body && JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${node.admin}${path}`, options);
  return answer.json();
}

/** Waits until Redis has a record of so many sockets whose ends are to be told. */
async function written(count) {
  const client = await createClient({ url: redis.url }).connect();
  const all = async () => {
    for (;;) {
      const keys = await client.keys('*:sockets:*');
      const sizes = await Promise.all(keys.map((key) => client.hLen(key)));
      if (sizes.reduce((sum, size) => sum + size, 0) === count) return;
    }
  };
  await within(all(), `${count} sockets are written down`).finally(() => client.close());
}

/** Waits until these nodes count so many sockets in all. */
async function together(some, count) {
  const counted = async (node) => {
    for (;;) {
      const { total, silent_nodes: silent } = await call(node, 'GET', '/v1/sockets?limit=1');
      if (total === count && silent === undefined) return;
    }
  };
  await within(Promise.all(some.map(counted)), `${count} sockets on ${some.length} nodes`);
}

before(async () => {
  redis = await startRedis();
  backend = new Backend();
  backend.on('POST /left', ({ body }) => {
    left.push(body);
    return { status: 204 };
  });
  await backend.listen();
  for (let n = 0; n < NODES; n += 1) {
    const node = { admin: await freePort(), port: await freePort() };
    node.gateway = await startGateway({ config: config(node) });
    node.url = node.gateway.url;
    nodes.push(node);
  }
});

after(async () => {
  for (const node of nodes) await (node.dead ? undefined : node.gateway.stop());
  await backend?.close();
  await redis?.stop();
});

test('what one says everybody hears once, in order, and binary stays binary', async (t) => {
  const clients = [];
  for (const node of nodes) clients.push(await connect(node, t), await connect(node, t));
  await together(nodes, clients.length);
  for (let n = 0; n < 100; n += 1) clients[0].socket.emit('say', { n, data: Buffer.from([n, 255]) });
  for (const { got, id } of clients) {
    const heard = await got.atLeast(100);
    assert.deepEqual(heard.map(({ n }) => n), [...Array(100).keys()], id);
    assert.ok(heard.every(({ n, data }) => Buffer.from(data).equals(Buffer.from([n, 255]))), id);
  }
});

test('a restart of Redis in the middle parts nobody for long', async (t) => {
  const clients = [];
  for (const node of nodes) clients.push(await connect(node, t));
  await together(nodes, clients.length);
  clients[0].socket.emit('say', 'before');
  for (const { got } of clients) await got.find((said) => said === 'before');
  const restarted = redis.restart();
  clients[0].socket.emit('say', 'meanwhile');
  await clients[0].got.find((said) => said === 'meanwhile', 'local delivery goes on');
  await restarted;
  await together(nodes, clients.length);
  for (const { socket } of clients) socket.emit('say', `after ${socket.id}`);
  for (const { got } of clients) {
    for (const { id } of clients) await got.find((said) => said === `after ${id}`);
    const twice = got.entries.filter((said, place) => got.entries.indexOf(said) !== place);
    assert.deepEqual(twice, [], 'nothing came twice');
  }
});

test('when a node is killed, each of its sockets is told of once', async (t) => {
  const dying = nodes[NODES - 1];
  const clients = await Promise.all(Array.from({ length: DYING }, () => connect(dying, t)));
  const living = nodes.slice(0, -1);
  const witness = await connect(living[0], t);
  await together(living, DYING + 1);
  await written(DYING + 1);
  const ends = clients.map(({ socket }) => next(socket, 'disconnect'));
  dying.dead = true;
  await dying.gateway.kill();
  await Promise.all(ends);
  await together(living, 1);
  const lost = ({ reason }) => reason === 'node lost';
  await left.find(() => left.entries.filter(lost).length >= DYING, 'all ends are told');
  assert.equal(await witness.socket.emitWithAck('ping'), 'pong');
  const told = left.entries.filter(lost).map(({ socket }) => socket.id);
  assert.deepEqual(told.toSorted(), clients.map(({ id }) => id).toSorted());
});
