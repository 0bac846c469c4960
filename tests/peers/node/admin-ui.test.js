// The Admin UI's protocol by stock clients: what frontroom says beside what @socket.io/admin-ui says on a Node server.

import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import test, { after, before, describe } from 'node:test';
import { HASH, LOGIN, config, startNodes, startOurs } from '../support/admin-ui.js';
import { Clients, ask, connected, refused } from '../support/clients.js';
import { startRedis } from '../support/redis.js';
import { Log, next, within } from '../support/wait.js';

const COMMANDS = ['EMIT', 'JOIN', 'LEAVE', 'DISCONNECT', 'MJOIN', 'MLEAVE', 'MDISCONNECT'];

/** Somebody who looks on; everything it is told is in `told`, as `[event, ..args]`. */
async function login(clients, url, auth = LOGIN, namespace = '/admin') {
  const admin = clients.begin(url + namespace, { auth, transports: ['websocket'] });
  admin.told = new Log();
  admin.onAny((...event) => admin.told.push(event));
  await connected(admin);
  await admin.told.find(([event]) => event === 'config', 'config');
  return admin;
}

/** The first thing told by that name that also `matches`, now or later: its arguments. */
const told = async (admin, name, matches = () => true) =>
  (await admin.told.find(([event, ...args]) => event === name && matches(...args), `${name} is told`)).slice(1);

/** What of all that was told is about a socket, in its order; times and ids become words. */
function about(admin, id) {
  const written = JSON.stringify(admin.told.entries.filter((event) => JSON.stringify(event).includes(id)));
  const events = JSON.parse(written.replaceAll(id, 'ID').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'));
  return events.filter(([event]) => event !== 'all_sockets');
}

/** The types of an object's values, at any depth, with its keys in order. */
function shape(value) {
  if (Array.isArray(value)) return value.length ? [shape(value[0])] : [];
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).sort().map(([key, inner]) => [key, shape(inner)]));
}

/** A client that does a bit of everything, and what was told of it. */
async function live(t, url) {
  const clients = new Clients(t);
  const admin = await login(clients, url);
  const client = await clients.open(url, { query: { plain: 'shown' } });
  const { id } = client;
  const clientId = client.io.engine.id;
  await told(admin, 'socket_updated', (socket) => socket.id === id && socket.transport === 'websocket');
  await ask(client, 'joinRoom', 'room-1');
  await ask(client, 'remember', 'ada');
  assert.equal(await ask(client, 'hello', { a: [1, 'ü'], b: null }), 'hi');
  client.emit('say', Buffer.from([1, 2, 3]), 'x');
  await ask(client, 'leaveRoom', 'room-1');
  await ask(client, 'joinRoom', 'room-2');
  client.disconnect();
  await told(admin, 'room_left', (_, room, who) => room === 'room-2' && who === id);
  return { admin, id, clientId, events: about(admin, id) };
}

describe('in development', () => {
  let ours;
  let nodes;
  before(async () => {
    ours = await startOurs(config(', mode: development'));
    nodes = await startNodes({ mode: 'development' });
  });
  after(async () => {
    await ours?.stop();
    await nodes?.stop();
  });

  test('a socket is told from its beginning to its end as by Node', async (t) => {
    const here = await live(t, ours.url);
    const there = await live(t, nodes.url);
    const plain = ({ events }) => events.map(([event, ...args]) => (event === 'socket_connected' ? [event] : [event, ...args]));
    assert.deepEqual(plain(here), plain(there));
    assert.ok(plain(here).length >= 14, 'there is something to compare');
    const said = (events) => events.filter(([event]) => event === 'event_received').map(([, , , args]) => args[0]);
    assert.deepEqual(said(here.events), ['joinRoom', 'remember', 'hello', 'say', 'leaveRoom', 'joinRoom']);
    const socket = ({ events }) => events.find(([event]) => event === 'socket_connected')[1];
    assert.deepEqual(shape(socket(here)), shape(socket(there)));
    for (const { events, clientId } of [here, there]) {
      const { handshake, ...rest } = socket({ events });
      assert.deepEqual(rest, {
        id: 'ID', clientId: clientId.slice(0, 12), transport: 'polling', nsp: '/', data: {}, rooms: ['ID'],
      });
      assert.match(handshake.time, /^\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT/);
      assert.equal(handshake.query.plain, 'shown');
      assert.match(handshake.url, /^\/socket\.io\/\?.*EIO=4.*transport=polling/);
    }
    const binary = ({ admin }) => admin.told.entries.find(([event, , , args]) => event === 'event_received' && args[0] === 'say')[3];
    assert.deepEqual([...binary(here)[1]], [1, 2, 3]);
    assert.deepEqual(binary(here), binary(there));
  });

  test('who logs in is told its session, what there is and who is here, as by Node', async (t) => {
    for (const { url } of [ours, nodes]) {
      const clients = new Clients(t, 'websocket');
      const client = await clients.open(url);
      const admin = await login(clients, url);
      const [session] = await told(admin, 'session');
      assert.match(session, /^[0-9a-f]{16,}$/);
      assert.deepEqual(await told(admin, 'config'), [{ supportedFeatures: [...COMMANDS, 'AGGREGATED_EVENTS', 'ALL_EVENTS'] }]);
      const [sockets] = await told(admin, 'all_sockets');
      const found = sockets.find(({ id }) => id === client.id);
      assert.equal(found.transport, 'websocket');
      assert.ok(sockets.some(({ id, nsp }) => id === admin.id && nsp === '/admin'), 'it sees itself');
      assert.ok(sockets.every(({ handshake }) => !('auth' in handshake)));
      await told(admin, 'socket_connected', ({ id }) => id === admin.id);
      // Its own events are told to nobody.
      admin.emit('join', '/', 'never', 'nobody');
      client.emit('say', 'fence');
      await told(admin, 'event_received', (_, id) => id === client.id);
      assert.ok(!admin.told.entries.some(([event, nsp]) => event.startsWith('event_') && nsp === '/admin'));
      const again = await login(clients, url, { sessionId: session });
      assert.ok(!again.told.entries.some(([event]) => event === 'session'), 'it has one');
    }
  });

  test('who is refused is told so in the same words', async (t) => {
    for (const { url } of [ours, nodes]) {
      const clients = new Clients(t, 'websocket');
      for (const auth of [
        {}, { ...LOGIN, password: 'wrong' }, { ...LOGIN, username: 'eve' }, { sessionId: '0'.repeat(64) }, { password: HASH, username: 'ada' },
      ]) {
        const { message } = await refused(clients.begin(`${url}/admin`, { auth }));
        assert.equal(message, 'invalid credentials', JSON.stringify(auth));
      }
    }
  });

  test('what it wants done is done as by Node', async (t) => {
    const outcomes = [];
    for (const { url } of [ours, nodes]) {
      const clients = new Clients(t, 'websocket');
      const admin = await login(clients, url);
      const [one, two] = [await clients.open(url), await clients.open(url)];
      const got = [[], []];
      [one, two].forEach((client, index) => client.onAny((...event) => got[index].push(event)));
      const wait = (client, event) => next(client, event);
      const both = Promise.all([wait(one, 'all'), wait(two, 'all')]);
      admin.emit('join', '/', 'chosen', one.id);
      admin.emit('emit', '/', 'chosen', 'news', 1, { b: [2] }, Buffer.from('bin'));
      admin.emit('join', '/', ['a', 'b']);
      admin.emit('leave', '/', 'a', [one.id]);
      admin.emit('emit', '/', ['a', 'chosen'], 'union');
      admin.emit('emit', '/', undefined, 'all');
      await both;
      await told(admin, 'room_left', (_, room, id) => room === 'a' && id === one.id);
      const left = [wait(one, 'disconnect'), wait(two, 'disconnect')];
      admin.emit('_disconnect', '/', false, one.id);
      assert.equal((await left[0])[0], 'io server disconnect');
      assert.ok(two.connected, 'the other stays');
      const closed = next(two.io.engine, 'close', 'the connection closes');
      admin.emit('_disconnect', '/', true, two.id);
      await left[1];
      await closed;
      outcomes.push(JSON.parse(JSON.stringify(got)));
      const ends = () => admin.told.entries.filter(([event, nsp]) => event === 'socket_disconnected' && nsp === '/');
      await admin.told.find(() => ends().length >= 2, 'both ends are told');
      const why = ends().map((event) => event[3]);
      assert.deepEqual(why, ['server namespace disconnect', 'server namespace disconnect']);
    }
    assert.deepEqual(outcomes[0], outcomes[1]);
    assert.deepEqual(outcomes[0].map((events) => events.map(([event]) => event)), [['news', 'union', 'all'], ['union', 'all']]);
  });
});

/** The sums of all stats that were told from a place on, by type. */
function sums(admin, from) {
  const all = {};
  const stats = admin.told.entries.slice(from).filter(([event]) => event === 'server_stats');
  for (const { type, subType, count } of stats.flatMap(([, { aggregatedEvents }]) => aggregatedEvents)) {
    const key = subType ? `${type} ${subType}` : type;
    all[key] = (all[key] ?? 0) + count;
  }
  return all;
}

test('in production sums are told, the same as by Node, and nothing else', async (t) => {
  const ours = await startOurs(config());
  t.after(() => ours.stop());
  const nodes = await startNodes({ mode: 'production' });
  t.after(() => nodes.stop());
  const results = [];
  for (const { url } of [ours, nodes]) {
    const clients = new Clients(t, 'websocket');
    const admin = await login(clients, url);
    assert.deepEqual((await told(admin, 'config'))[0].supportedFeatures, [...COMMANDS, 'AGGREGATED_EVENTS']);
    // Two, so that what the log-in itself made is behind.
    await admin.told.find(() => admin.told.entries.filter(([event]) => event === 'server_stats').length >= 2, 'two stats');
    const from = admin.told.entries.length;
    const client = await clients.open(url, { auth: { token: 'x' } });
    for (let count = 0; count < 10; count += 1) await ask(client, 'hello', 'ü'.repeat(50));
    client.emit('say', Buffer.alloc(1000));
    const others = [await new Clients(t, 'polling').open(url), await new Clients(t, 'upgrade').open(url)];
    const [stats] = await told(admin, 'server_stats', ({ clientsCount }) => clientsCount === 4);
    assert.equal(stats.pollingClientsCount, 1);
    [client, ...others].forEach((socket) => socket.disconnect());
    await admin.told.find(() => sums(admin, from)['rawDisconnection transport close'] === 3, 'all have left');
    const { packetsIn, bytesIn, packetsOut, rawConnection } = sums(admin, from);
    // Each of the stats is a packet too, which the next ones tell of.
    const count = admin.told.entries.slice(from).filter(([event]) => event === 'server_stats').length;
    results.push({ packetsIn, bytesIn, packetsOut: packetsOut - count, rawConnection, stats });
    assert.deepEqual(new Set(admin.told.entries.map(([event]) => event)), new Set(['session', 'config', 'server_stats']));
  }
  const [here, there] = results;
  assert.deepEqual({ ...here, stats: 0 }, { ...there, stats: 0 }, 'traffic is counted alike');
  // Three CONNECTs and DISCONNECTs, ten events, and one of two packets.
  assert.equal(here.packetsIn, 3 + 10 + 2 + 3);
  // The answers to the CONNECTs, and to each event an event and an ack.
  assert.equal(here.packetsOut, 3 + 10 * 2);
  assert.deepEqual(Object.keys(shape(here.stats)), Object.keys(shape(there.stats)));
  assert.deepEqual(shape({ ...here.stats, aggregatedEvents: 0 }), shape({ ...there.stats, aggregatedEvents: 0 }));
  assert.deepEqual(
    [here.stats.hostname, here.stats.serverId, here.stats.namespaces.map(({ name }) => name)],
    [hostname(), hostname(), ['/', '/admin']],
  );
  for (const { timestamp } of here.stats.aggregatedEvents) assert.equal(timestamp % 1000, 0);
});

test('who may only look can do nothing', async (t) => {
  const ours = await startOurs(config(', mode: development, read_only: true, namespace: /watch, server_id: edge-1'));
  t.after(() => ours.stop());
  const clients = new Clients(t, 'websocket');
  const admin = await login(clients, ours.url, LOGIN, '/watch');
  assert.deepEqual((await told(admin, 'config'))[0].supportedFeatures, ['AGGREGATED_EVENTS', 'ALL_EVENTS']);
  const client = await clients.open(ours.url);
  assert.match((await ask(admin, '_disconnect', '/', true, client.id)).error.message, /read_only/);
  assert.match((await ask(admin, 'emit', '/', null, 'news')).error.message, /read_only/);
  assert.equal(await ask(client, 'hello', 1), 'hi');
  assert.equal((await told(admin, 'server_stats'))[0].serverId, 'edge-1');
  assert.equal((await refused(clients.begin(`${ours.url}/admin`, { auth: LOGIN }))).message, 'Invalid namespace');
});

test('no secret of a client leaves, in whichever part of its handshake', async (t) => {
  const ours = await startOurs(config(', mode: development', 'credentials: {token: ["query:ticketed", "header:x-door"]}'));
  t.after(() => ours.stop());
  const clients = new Clients(t, 'polling');
  const admin = await login(clients, ours.url);
  const client = await clients.open(ours.url, {
    auth: { token: 's3cret-auth' },
    query: { access_token: 's3cret-query', ticketed: 's3cret-named', plain: 'shown' },
    extraHeaders: { authorization: 'Bearer s3cret-bearer', cookie: 'a=s3cret-cookie', 'x-door': 's3cret-door', 'x-plain': 'shown' },
  });
  await ask(client, 'frontroom:auth', { token: 's3cret-renewed' });
  const late = await login(clients, ours.url);
  const [sockets] = await told(late, 'all_sockets');
  const [begun] = await told(admin, 'socket_connected', ({ id }) => id === client.id);
  await told(admin, 'event_received', (_, id) => id === client.id);
  const listed = sockets.find(({ id }) => id === client.id);
  for (const { handshake } of [begun, listed]) {
    assert.deepEqual([handshake.query.plain, handshake.headers['x-plain']], ['shown', 'shown']);
    assert.deepEqual(Object.keys(handshake).sort(), ['address', 'headers', 'issued', 'query', 'secure', 'time', 'url', 'xdomain']);
  }
  assert.ok(!JSON.stringify([admin.told.entries, late.told.entries]).includes('s3cret'), 'no secret is told');
});

test('every node tells every guest, and all sockets are those of all nodes', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const cluster = (name) => `cluster:
  redis: {url: "${redis.url}"}
  node: {listen: "127.0.0.1:0", advertise: "http://127.0.0.1:0", secret: shared}
`;
  const nodes = [];
  for (const name of ['one', 'two']) {
    nodes.push(await startOurs(config(`, mode: development, server_id: ${name}`, cluster(name))));
    t.after(() => nodes[name === 'one' ? 0 : 1].stop());
  }
  const [one, two] = nodes.map(({ url }) => url);
  const clients = new Clients(t, 'websocket');
  const far = await clients.open(two);
  const admin = await login(clients, one);
  const listed = async () => {
    const again = await login(clients, one);
    const [sockets] = await told(again, 'all_sockets');
    again.close();
    return sockets.find(({ id }) => id === far.id);
  };
  let seen;
  await within((async () => { while (!(seen = await listed())) await new Promise((resolve) => setTimeout(resolve, 100)); })(), 'the far socket is listed');
  assert.equal(seen.clientId.length, 12);
  assert.ok(seen.handshake.headers.host);
  await told(admin, 'server_stats', ({ serverId }) => serverId === 'one');
  await told(admin, 'server_stats', ({ serverId, clientsCount }) => serverId === 'two' && clientsCount === 1);
  assert.equal(await ask(far, 'hello', 7), 'hi');
  assert.deepEqual((await told(admin, 'event_received', (_, id) => id === far.id))[2], ['hello', 7]);
  const { id } = far;
  const left = next(far, 'disconnect');
  admin.emit('_disconnect', '/', true, id);
  await left;
  await told(admin, 'socket_disconnected', (_, who) => who === id);
  // A session of one node is known at the other.
  const [session] = await told(admin, 'session');
  await login(clients, two, { sessionId: session });
});
