// Order and completeness: events of a socket one after another, nothing lost, sockets independent.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { askAll, overEachTransport, record } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { within } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  connect: {join: "{{ socket.handshake.auth.room }}"}
  events:
    step: {request: "POST /step/{{ socket.id }}"}
    say: {emit: {event: said, to: "{{ data.room }}", data: "{{ data.n }}"}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;
const numbers = (count) => Array.from({ length: count }, (_, n) => n);

let site;
const steps = new Map();
const gates = new Map();
before(async () => {
  const backend = new Backend();
  backend.on('POST /step/{socket}', async ({ params, body }) => {
    const of = steps.get(params.socket) ?? { running: 0, most: 0, done: [] };
    steps.set(params.socket, of);
    of.most = Math.max(of.most, (of.running += 1));
    await gates.get(body.gate)?.opened;
    // Slow, then fast: whoever does not wait for the slow one overtakes it.
    await new Promise((resolve) => (body.n % 20 === 0 ? setTimeout(resolve, 25) : setImmediate(resolve)));
    of.done.push(body.n);
    of.running -= 1;
    return { body: { n: body.n } };
  });
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());

overEachTransport('200 events of a socket are handled and acked in order', async (clients, way) => {
  const auth = { room: `steps-${way}` };
  const [ada, bob] = await Promise.all([clients.open(site.url, { auth }), clients.open(site.url, { auth })]);
  const run = async (socket) => {
    const acked = [];
    const all = numbers(200).map((n) => askAll(socket, 'step', { n }).then(([answer]) => acked.push(answer.n)));
    await within(Promise.all(all), '200 acks');
    const { most, done } = steps.get(socket.id);
    assert.equal(most, 1, 'one event of a socket at a time');
    assert.deepEqual(done, numbers(200), 'handled in order');
    assert.deepEqual(acked, numbers(200), 'acked in order');
  };
  await Promise.all([run(ada), run(bob)]);
});

overEachTransport('a socket that waits for its backend holds up no other', async (clients, way) => {
  const auth = { room: `held-${way}` };
  const [stuck, free] = await Promise.all([clients.open(site.url, { auth }), clients.open(site.url, { auth })]);
  const gate = {};
  gate.opened = new Promise((resolve) => (gate.open = resolve));
  gates.set(way, gate);
  let done = false;
  const waiting = askAll(stuck, 'step', { n: 1, gate: way }).then(() => (done = true));
  await site.backend.request(`POST /step/${stuck.id}`);
  assert.deepEqual(await askAll(free, 'step', { n: 2 }), [{ n: 2 }]);
  assert.equal(done, false);
  gate.open();
  await waiting;
});

overEachTransport('a burst of 1000 messages loses none and keeps their order', async (clients, way) => {
  const room = `burst-${way}`;
  // Not waited for: where there is an upgrade, the burst goes through the middle of it.
  const sockets = numbers(3).map(() => clients.begin(site.url, { auth: { room } }));
  const heard = sockets.map((socket) => record(socket, 'said'));
  await Promise.all(sockets.map((socket) => within(new Promise((go) => socket.once('connect', go)), 'connect')));
  for (const n of numbers(1000)) sockets[0].emit('say', { room, n });
  for (const log of heard) await log.atLeast(1000, '1000 messages');
  for (const log of heard) assert.deepEqual(log.entries, numbers(1000));
});
