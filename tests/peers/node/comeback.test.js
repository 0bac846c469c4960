// Clients of three gateways behind a round robin come back to another one than they were on, and miss nothing: when a
// gateway is killed, and when every connection is cut again and again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { NODES, startCluster, withEnding } from '../support/cluster.js';

const READY_MS = 60_000;
const SOCKETIO = `
  recovery: {enabled: true}
  connect: {join: ["room", "own {{ socket.handshake.auth.place }}"], when: "{{ not socket.recovered }}"}
  events:
    note: {state: {note: "{{ data }}"}, ack: true}
    whoami: {ack: {rooms: "{{ socket.rooms }}", note: "{{ state.note }}", recovered: "{{ socket.recovered }}"}}`;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Stock clients that note what they hear. */
function startClients(url, count, finallyDo) {
  const clients = Array.from({ length: count }, (_, place) => {
    const socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      auth: { place },
      reconnectionDelay: 100,
      reconnectionDelayMax: 1_000,
    });
    const client = { place, socket, heard: [], ids: new Set(), cuts: 0, lost: 0, anew: 0 };
    socket.on('connect', () => {
      client.anew += socket.recovered ? 0 : 1;
      client.ids.add(socket.id);
    });
    socket.on('disconnect', () => client.lost++);
    socket.on('said', (n) => client.heard.push(n));
    return client;
  });
  finallyDo(() => clients.forEach(({ socket }) => socket.disconnect()));
  return clients;
}

/** Waits until `missing` finds no client any more. */
async function until(what, clients, missing) {
  const deadline = Date.now() + READY_MS;
  for (let left; (left = clients.filter(missing)).length > 0; ) {
    assert.ok(Date.now() < deadline, `${what}: not so for ${left.length} clients`);
    await pause(20);
  }
}

/** Sends a number to the room by one of the gateways; resolves once all of them have it. */
async function say({ admin }, n, volatile = false) {
  const body = JSON.stringify({ event: 'said', to: 'room', data: n, volatile });
  const response = await fetch(`${admin}/v1/emit`, { method: 'POST', body });
  assert.equal(response.status, 200);
}

function assertHeard(clients, numbers) {
  for (const { place, heard } of clients) {
    const lasting = heard.filter((n) => n >= 0);
    assert.deepEqual(lasting, numbers, `what client ${place} heard`);
  }
}

/** All together, with what they are to be known by afterwards. */
async function ready(clients) {
  await until('connected', clients, ({ socket }) => !socket.connected);
  await Promise.all(clients.map(({ socket, place }) => socket.timeout(READY_MS).emitWithAck('note', [place])));
}

async function assertKept(clients) {
  await Promise.all(
    clients.map(async ({ socket, place, ids, anew }) => {
      assert.deepEqual([ids.size, anew], [1, 1], `client ${place} was never anew`);
      const { rooms, note } = await socket.timeout(READY_MS).emitWithAck('whoami');
      assert.deepEqual(rooms, [socket.id, 'room', `own ${place}`]);
      assert.deepEqual(note, [place]);
    }),
  );
}

test('1,000 clients, and a gateway is killed while messages go out', { timeout: 180_000 }, () =>
  withEnding(async (finallyDo) => {
    const [count, all] = [1_000, 120];
    const { url, gateways } = await startCluster(finallyDo, { socketio: SOCKETIO, connections: 4 * count });
    const clients = startClients(url, count, finallyDo);
    await ready(clients);
    const sent = [];
    let alive = gateways;
    for (let n = 0; n < all; n++) {
      if (n === all / 3) {
        await gateways[0].kill();
        alive = gateways.slice(1);
      }
      await say(alive[n % alive.length], n);
      sent.push(n);
      if (n % 10 === 0) await say(alive[n % alive.length], -1 - n, true);
      await pause(20);
    }
    await until('hit by the kill', clients.slice(0, 1), () => clients.filter(({ lost }) => lost > 0).length < count / NODES / 2);
    await until('all are back', clients, ({ socket }) => !socket.connected);
    await until('all have heard all', clients, ({ heard }) => heard.filter((n) => n >= 0).length < all);
    assertHeard(clients, sent);
    await assertKept(clients);
    assert.ok(clients.some(({ lost }) => lost === 0), 'clients of the others stay');
  }));

test('2,000 clients, each cut every 15 s, and 200 broadcasts', { timeout: 180_000 }, () =>
  withEnding(async (finallyDo) => {
    const [count, broadcasts, length, every] = [2_000, 200, 36_000, 15_000];
    const { url, gateways } = await startCluster(finallyDo, { socketio: SOCKETIO, connections: 4 * count });
    const clients = startClients(url, count, finallyDo);
    await ready(clients);
    const cutting = clients.map((client) => {
      const cut = () => {
        // As a network does it: nobody says goodbye.
        if (client.socket.connected) {
          client.cuts += 1;
          client.socket.io.engine.transport.ws.terminate();
        }
        client.timer = setTimeout(cut, every);
      };
      client.timer = setTimeout(cut, Math.random() * every);
      return client;
    });
    finallyDo(() => cutting.forEach(({ timer }) => clearTimeout(timer)));
    const started = Date.now();
    for (let n = 0; n < broadcasts; n++) {
      await say(gateways[n % NODES], n);
      await pause(started + ((n + 1) * length) / broadcasts - Date.now());
    }
    cutting.forEach(({ timer }) => clearTimeout(timer));
    await until('all are back', clients, ({ socket }) => !socket.connected);
    await until('all have heard all', clients, ({ heard }) => heard.length < broadcasts);
    assertHeard(clients, Array.from({ length: broadcasts }, (_, n) => n));
    assert.ok(clients.every(({ cuts }) => cuts >= 1), 'each was cut');
    assert.ok(clients.reduce((sum, { cuts }) => sum + cuts, 0) >= 2 * count, 'cut twice');
    await assertKept(clients);
  }));
