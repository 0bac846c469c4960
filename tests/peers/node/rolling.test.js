// Two gateways behind nginx are replaced one after the other while a thousand clients talk: no event
// that was acked is lost, and every client is back within the grace.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { startGateway } from '../support/gateway.js';
import { startLedger } from '../support/ledger.js';
import { freePort, startNginx } from '../support/nginx.js';
import { within } from '../support/wait.js';

const CLIENTS = 1000;
const DELAY_MS = 500;
const GRACE_MS = 8_000;
/** Time for the last client's own wait before it tries again (at most 1 s), and for a slow machine. */
const SLACK_MS = 8_000;

/** A client that says something twice a second, and notes what was acked. */
function startClient(url, name, acked) {
  const socket = io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
  });
  const client = {
    socket,
    error: 'no answer yet',
    hush: () => clearInterval(talk),
  };
  socket.on('disconnect', (reason) => (client.error = reason));
  socket.on('connect_error', (error) => (client.error = `${error.message} ${error.description?.message ?? ''}`));
  let count = 0;
  const talk = setInterval(() => {
    if (!socket.connected) return;
    const id = `${name}-${++count}`;
    socket.timeout(5_000).emit('say', { id }, (error, answer) => {
      if (!error && answer?.id === id) acked.add(id);
    });
  }, 500);
  return client;
}

/** Waits until all clients are connected; tells of those that are not. */
async function allBack(clients, what, ms) {
  const away = () => clients.filter(({ socket }) => !socket.connected);
  const deadline = Date.now() + ms;
  while (away().length > 0) {
    const errors = new Set(away().map(({ error }) => error));
    assert.ok(Date.now() < deadline, `not within ${ms} ms: ${what}; ${away().length} are away: ${[...errors]}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a rolling restart under load loses no acked event, and every client comes back', { timeout: 120_000 }, async () => {
  const ending = [];
  try {
    await roll((end) => ending.push(end));
  } finally {
    for (const end of ending.reverse()) await end();
  }
});

async function roll(finallyDo) {
  const ledger = await startLedger();
  finallyDo(() => ledger.stop());
  const config = (port) => `
listen: "127.0.0.1:${port}"
upstream: "${ledger.url}"
admin: {listen: "127.0.0.1:0"}
log: {access: false, level: warn}
socketio: {events: {say: {request: "POST /say"}}}
shutdown: {delay: ${DELAY_MS}ms, grace: ${GRACE_MS}ms}
`;
  const ports = [await freePort(), await freePort()];
  const gateways = [];
  finallyDo(async () => {
    for (const gateway of gateways) await gateway.kill();
  });
  for (const port of ports) gateways.push(await startGateway({ config: config(port) }));
  // With max_fails above 0 nginx forgets a failure only when a connection that worked has ended: never, for WebSockets.
  const servers = ports.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join(' ');
  const nginx = await startNginx({
    connections: 4 * CLIENTS,
    http: `upstream both { ${servers} }`,
    server:
      'location / { proxy_pass http://both; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_read_timeout 75s; }',
  });
  finallyDo(() => nginx.stop());
  const acked = new Set();
  const clients = Array.from({ length: CLIENTS }, (_, index) => startClient(nginx.url, `c${index}`, acked));
  finallyDo(() => clients.forEach((client) => (client.hush(), client.socket.disconnect())));
  await allBack(clients, 'all clients connect', 30_000);

  for (const [index, port] of ports.entries()) {
    const reasons = new Map();
    clients.forEach(({ socket }, at) => socket.off('disconnect').on('disconnect', (reason) => reasons.set(at, reason)));
    const before = acked.size;
    const begun = Date.now();
    await gateways[index].stop(DELAY_MS + GRACE_MS + SLACK_MS);
    gateways[index] = await startGateway({ config: config(port) });
    const left = begun + DELAY_MS + GRACE_MS + SLACK_MS - Date.now();
    await allBack(clients, `all clients are back after restart ${index + 1}`, left);
    assert.ok(reasons.size > 0, 'the restart sent its clients away');
    assert.ok(![...reasons.values()].includes('io server disconnect'), 'a client that is told to go would stay away');
    assert.ok(acked.size > before, 'events were acked meanwhile');
  }

  clients.forEach((client) => client.hush());
  const lost = [...acked].filter((id) => !ledger.arrived.has(id));
  assert.deepEqual(lost, [], `${lost.length} of ${acked.size} acked events are not there`);
  const twice = [...ledger.arrived].filter(([, times]) => times > 1);
  assert.deepEqual(twice, [], 'an event arrived twice');
}
