// Three gateways behind a plain round-robin nginx, without sticky sessions: stock clients by every way of
// transport, and not one of their requests is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { TRANSPORTS } from '../support/clients.js';
import { NODES, startCluster, withEnding } from '../support/cluster.js';
import { within } from '../support/wait.js';

const CLIENTS = 500;
const ACKS = 4;
const READY_MS = 60_000;

/** Clients by every way of transport, in turn. */
function startClients(url, finallyDo) {
  const ways = Object.keys(TRANSPORTS);
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const way = ways[index % ways.length];
    const socket = io(url, {
      transports: TRANSPORTS[way],
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 1_000,
    });
    const client = { way, socket, errors: [], connects: 0, lost: 0 };
    socket.on('connect', () => client.connects++);
    socket.on('disconnect', () => client.lost++);
    socket.on('connect_error', (error) => client.errors.push(error.message));
    return client;
  });
  finallyDo(() => clients.forEach(({ socket }) => socket.disconnect()));
  return clients;
}

/** Waits until `missing` finds no client any more; tells of those it still finds. */
async function until(what, missing) {
  const deadline = Date.now() + READY_MS;
  for (let left; (left = missing()).length > 0; ) {
    const errors = new Set(left.flatMap((client) => [client.way, ...client.errors]));
    assert.ok(Date.now() < deadline, `${what}: not so for ${left.length} clients: ${[...errors]}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Each client asks, several times at once, and gets its own answers. */
function askAll(clients) {
  const asked = clients.flatMap(({ socket, way }, index) =>
    Array.from({ length: ACKS }, async (_, count) => {
      const data = { index, count, text: 'ä'.repeat(100) };
      const answer = await socket.timeout(READY_MS).emitWithAck('echo', data);
      assert.deepEqual(answer, data, `the ack of client ${index}, ${way}`);
    }),
  );
  return within(Promise.all(asked), 'all acks', READY_MS);
}

const isAway = ({ way, socket }) =>
  !socket.connected || (way === 'upgrade' && socket.io.engine.transport.name !== 'websocket');

test('500 clients behind a round robin, and when a gateway is killed', { timeout: 180_000 }, () =>
  withEnding(async (finallyDo) => {
    const socketio = '{events: {echo: {ack: "{{ data }}"}}}';
    const site = await startCluster(finallyDo, { socketio, connections: 8 * CLIENTS });
    const clients = startClients(site.url, finallyDo);
    await until('connected and upgraded', () => clients.filter(isAway));
    await askAll(clients);
    await askAll(clients);
    assert.deepEqual(clients.flatMap(({ errors }) => errors), []);
    assert.ok(clients.every(({ connects, lost }) => connects === 1 && lost === 0), 'nobody had to come back');
    const lines = site.lines();
    const refused = lines.filter((line) => !/^(200|101) /.test(line));
    assert.deepEqual(refused, [], 'requests that were refused');
    assert.ok(lines.length > 4 * CLIENTS, `only ${lines.length} requests came`);
    assertScattered(lines, site.gateways);

    await site.gateways[0].kill();
    const hit = () => clients.filter(({ lost }) => lost > 0).length;
    await until('a third of the clients lose their session', () => (hit() < CLIENTS / NODES / 2 ? clients : []));
    await until('all are back', () => clients.filter(isAway));
    await askAll(clients);
    assert.ok(clients.some(({ lost }) => lost === 0), 'clients of the others stay');
  }));

/** Fails unless the requests of many sessions went to every gateway: else nothing was tried. */
function assertScattered(lines, gateways) {
  const seen = new Map();
  for (const line of lines) {
    const [, , address, target] = line.split(' ');
    const sid = new URLSearchParams(target.split('?')[1]).get('sid');
    if (sid) seen.set(sid, (seen.get(sid) ?? new Set()).add(address));
  }
  const scattered = [...seen.values()].filter(({ size }) => size === gateways.length);
  assert.ok(scattered.length > CLIENTS / 3, `only ${scattered.length} sessions were seen at every gateway`);
}
