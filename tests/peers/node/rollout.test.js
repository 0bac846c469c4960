// Three gateways that act as one, behind a plain round-robin nginx, are replaced one after the other while a thousand
// stock clients talk and listen: no event that was acked is lost, clients come back in a spread and not all at once, and
// find elsewhere the session that they had, with what was said meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { TRANSPORTS } from '../support/clients.js';
import { nodeConfig } from '../support/cluster.js';
import { startGateway } from '../support/gateway.js';
import { startLedger } from '../support/ledger.js';
import { freePort, startNginx } from '../support/nginx.js';
import { startRedis } from '../support/redis.js';

const NODES = 3;
const CLIENTS = 1000;
/** Of as many clients one polls, and one begins with polling; the others begin with a WebSocket. */
const MIX = 20;
const SAY_MS = 1_000;
const TICK_MS = 500;
const DELAY_MS = 500;
const GRACE_MS = 8_000;
/** Time for the last client's own wait before it tries again (at most 1 s), and for a slow machine. */
const SLACK_MS = 10_000;
/** At most this share of those that were sent away may come back within this time. */
const WINDOW_MS = 500;
const SHARE = 0.5;
/** Of all clients, those that a restart may cost their session. */
const UNRECOVERED = 0.01;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The gateways at ports of their own, so that new ones take the places of old ones. */
async function startNodes(upstream, redis, finallyDo) {
  const nodes = [];
  finallyDo(() => Promise.all(nodes.map(({ gateway }) => gateway?.kill())));
  for (let index = 0; index < NODES; index += 1) {
    const [port, admin] = [await freePort(), await freePort()];
    const config = nodeConfig({
      port,
      admin,
      upstream,
      redis,
      lease: '3s',
      socketio: '{recovery: {enabled: true}, events: {say: {request: "POST /say"}}}',
      shutdown: `{delay: ${DELAY_MS}ms, grace: ${GRACE_MS}ms}`,
    });
    const start = () => startGateway({ config });
    nodes.push({ port, admin: `http://127.0.0.1:${admin}`, start, gateway: await start() });
  }
  return nodes;
}

/** A client that says something each second and counts the ticks; it notes what was acked. */
function startClient(url, index, acked) {
  const way = { 0: 'polling', 1: 'upgrade' }[index % MIX] ?? 'websocket';
  const options = { transports: TRANSPORTS[way], forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 1_000 };
  const socket = io(url, options);
  const client = { socket, way, error: 'no answer yet', away: [], back: [], ticks: [] };
  socket.on('connect', () => client.back.push({ at: performance.now(), recovered: socket.recovered }));
  socket.on('disconnect', (reason) => {
    client.error = reason;
    client.away.push({ at: performance.now(), reason });
  });
  socket.on('connect_error', (error) => (client.error = `${error.message} ${error.description?.message ?? ''}`));
  socket.on('tick', (tick) => client.ticks.push(tick));
  let count = 0;
  const say = () => {
    if (!socket.connected) return;
    const id = `c${index}-${++count}`;
    socket.timeout(5_000).emit('say', { id }, (error, answer) => {
      if (!error && answer?.id === id) acked.add(id);
    });
  };
  // Not all in one moment.
  let talk = setTimeout(() => (talk = setInterval(say, SAY_MS)), (SAY_MS * (index % 100)) / 100);
  client.hush = () => clearInterval(talk);
  return client;
}

/** Emits a number to everyone, over and over, at a node that is not about to end. */
function startTicking(nodes) {
  const ticker = { avoid: -1, count: 0, running: true };
  ticker.ended = (async () => {
    while (ticker.running) {
      const node = nodes.find((_, index) => index !== ticker.avoid);
      const body = JSON.stringify({ event: 'tick', data: ticker.count, everyone: true });
      const answer = await fetch(`${node.admin}/v1/emit`, { method: 'POST', body });
      assert.equal(answer.status, 200, await answer.text());
      ticker.count += 1;
      await pause(TICK_MS);
    }
  })();
  ticker.stop = async () => {
    ticker.running = false;
    await ticker.ended;
  };
  return ticker;
}

/** Waits until all clients are connected; tells of those that are not. */
async function allBack(clients, what, ms) {
  const deadline = Date.now() + ms;
  for (let away; (away = clients.filter(({ socket }) => !socket.connected)).length > 0; ) {
    const errors = new Set(away.map(({ way, error }) => `${way}: ${error}`));
    assert.ok(Date.now() < deadline, `not within ${ms} ms: ${what}; ${away.length} are away: ${[...errors]}`);
    await pause(20);
  }
}

/** Most of these times that lie within `window` of one another. */
function crowd(times, window) {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last += 1) {
    while (times[last] - times[first] > window) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** What a restart did to its clients, for the figures. */
function outcome(clients, begun) {
  const since = (moves) => moves.filter(({ at }) => at > begun);
  const away = clients.flatMap((client) => since(client.away));
  const back = clients.flatMap((client) => since(client.back)).sort((a, b) => a.at - b.at);
  const times = back.map(({ at }) => at - begun);
  const steps = Array.from({ length: Math.ceil((times.at(-1) ?? 0) / WINDOW_MS) }, () => 0);
  for (const time of times) steps[Math.floor(time / WINDOW_MS)] += 1;
  return {
    sent: new Set(clients.filter((client) => since(client.away).length > 0)).size,
    reasons: [...new Set(away.map(({ reason }) => reason))],
    unrecovered: back.filter(({ recovered }) => !recovered).length,
    returns: back.length,
    steps,
    crowd: crowd(times, WINDOW_MS),
    spread: Math.round((times.at(-1) ?? 0) - (times[0] ?? 0)),
  };
}

/** Whoever always found its session again has heard each tick once and in order. */
async function assertTold(clients, count) {
  const kept = clients.filter(({ back }) => back.slice(1).every(({ recovered }) => recovered));
  const expected = Array.from({ length: count }, (_, tick) => tick);
  const deadline = Date.now() + SLACK_MS;
  while (kept.some(({ ticks }) => ticks.length < count) && Date.now() < deadline) await pause(20);
  const wrong = kept.filter(({ ticks }) => ticks.join() !== expected.join());
  assert.deepEqual(
    wrong.slice(0, 3).map(({ way, ticks }) => `${way}: ${ticks}`),
    [],
    `${wrong.length} of ${kept.length} recovered clients have not heard ${count} ticks once and in order`,
  );
}

test('three nodes replaced one by one under load', { timeout: 180_000 }, async (t) => {
  const ending = [];
  try {
    await roll(t, (end) => ending.push(end));
  } finally {
    for (const end of ending.reverse()) await end();
  }
});

async function roll(t, finallyDo) {
  const ledger = await startLedger();
  finallyDo(() => ledger.stop());
  const redis = await startRedis();
  finallyDo(() => redis.stop());
  const nodes = await startNodes(ledger.url, redis.url, finallyDo);
  // With max_fails above 0 nginx forgets a failure only when a connection that worked has ended: never, for WebSockets.
  const servers = nodes.map(({ port }) => `server 127.0.0.1:${port} max_fails=0;`).join(' ');
  const nginx = await startNginx({
    connections: 8 * CLIENTS,
    http: `upstream nodes { ${servers} }`,
    server: `location / { proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade"; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 75s; }`,
  });
  finallyDo(() => nginx.stop());
  const acked = new Set();
  const clients = Array.from({ length: CLIENTS }, (_, index) => startClient(nginx.url, index, acked));
  finallyDo(() => clients.forEach((client) => (client.hush(), client.socket.disconnect())));
  await allBack(clients, 'all clients connect', 40_000);
  const ticker = startTicking(nodes);
  finallyDo(() => ticker.stop());

  for (const [index, node] of nodes.entries()) {
    const before = acked.size;
    const begun = performance.now();
    ticker.avoid = index;
    await node.gateway.stop(DELAY_MS + GRACE_MS + SLACK_MS);
    node.gateway = await node.start();
    await allBack(clients, `all clients are back after restart ${index + 1}`, SLACK_MS);
    const seen = outcome(clients, begun);
    t.diagnostic(`restart ${index + 1}: ${JSON.stringify(seen)}, acked meanwhile: ${acked.size - before}`);
    assert.ok(seen.sent > CLIENTS / NODES / 3, `the restart sent its clients away: ${seen.sent}`);
    assert.ok(!seen.reasons.includes('io server disconnect'), 'a client that is told to go would stay away');
    assert.ok(acked.size > before, 'events were acked meanwhile');
    assert.ok(seen.unrecovered < UNRECOVERED * CLIENTS, `${seen.unrecovered} clients lost their session`);
    assert.ok(seen.crowd <= SHARE * seen.sent, `${seen.crowd} of ${seen.sent} came back within ${WINDOW_MS} ms`);
  }

  clients.forEach((client) => client.hush());
  await ticker.stop();
  await assertTold(clients, ticker.count);
  t.diagnostic(`${acked.size} events were acked, ${ticker.count} ticks sent`);
  const lost = [...acked].filter((id) => !ledger.arrived.has(id));
  assert.deepEqual(lost, [], `${lost.length} of ${acked.size} acked events are not there`);
  const twice = [...ledger.arrived].filter(([, times]) => times > 1);
  assert.deepEqual(twice, [], 'an event arrived twice');
}
