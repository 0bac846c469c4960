// Other programs that publish over Redis, by their own libraries; every client gets it exactly once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import oldEmitter from 'socket.io-emitter';
import { startGateway } from '../support/gateway.js';
import { freePort } from '../support/nginx.js';
import { startRedis } from '../support/redis.js';
import { Log, next, within } from '../support/wait.js';

let redis;
let gateway;
let publisher;
let adminPort;
const clients = [];

const config = () => `
listen: "127.0.0.1:0"
upstream: "http://127.0.0.1:1"
admin: {listen: "127.0.0.1:${adminPort}", token: t}
emitters: {redis: "${redis.url}", format: socket.io}
socketio:
  events: {join: {join: "{{ data }}"}, ping: {ack: pong}}
  namespaces: {/chat: {events: {join: {join: "{{ data }}"}, ping: {ack: pong}}}}
`;

/** A client in these rooms, with a log of the events it got. */
async function connect(rooms = [], namespace = '') {
  const socket = io(gateway.url + namespace, { forceNew: true });
  clients.push(socket);
  const got = new Log();
  socket.onAny((...event) => got.push(event));
  await next(socket, 'connect');
  for (const room of rooms) await socket.emitWithAck('join', room);
  return { socket, got, id: socket.id };
}

/** The events that a client got so far. What was published before is here first: an ack follows what was sent. */
async function events(client, count) {
  await client.got.atLeast(count);
  await client.socket.emitWithAck('ping');
  return client.got.entries;
}

describe('what redis-emitter publishes', () => {
  before(async () => {
    redis = await startRedis();
    adminPort = await freePort();
    gateway = await startGateway({ config: config() });
    publisher = createClient({ url: redis.url });
    publisher.on('error', () => {}); // It connects again by itself.
    await publisher.connect();
    // The gateway listens a moment after it has started: for events and for requests.
    const patterns = async () => {
      while ((await publisher.sendCommand(['PUBSUB', 'NUMPAT'])) < 2);
    };
    await within(patterns(), 'the gateway listens to Redis');
  });

  after(async () => {
    clients.forEach((socket) => socket.disconnect());
    await publisher?.close();
    await gateway?.stop();
    await redis?.stop();
  });

  test('to all, to a room, to two rooms and except', async () => {
    const [a, b, both, none] = await Promise.all([connect(['a']), connect(['b']), connect(['a', 'b']), connect()]);
    const emitter = new Emitter(publisher);
    const date = new Date(1_767_323_045_678);
    emitter.emit('all', 1, '2', { 3: [true] });
    emitter.to('a').emit('room', date, null);
    emitter.to(['a', 'b']).emit('rooms', Buffer.from([1, 2, 3]));
    emitter.to('a').except('b').emit('except', 1.5);
    emitter.to(none.id).emit('last');
    emitter.emit('end');
    const all = ['all', 1, '2', { 3: [true] }];
    const room = ['room', date.toISOString(), null];
    const binary = ['rooms', Buffer.from([1, 2, 3])];
    assert.deepEqual(await events(a, 5), [all, room, binary, ['except', 1.5], ['end']]);
    assert.deepEqual(await events(b, 3), [all, binary, ['end']]);
    assert.deepEqual(await events(both, 4), [all, room, binary, ['end']], 'each once');
    assert.deepEqual(await events(none, 3), [all, ['last'], ['end']]);
  });

  test('in a namespace, with joins, leaves and disconnects', async () => {
    const [here, other] = await Promise.all([connect([], '/chat'), connect()]);
    const emitter = new Emitter(publisher).of('/chat');
    emitter.in(here.id).socketsJoin(['x', 7]);
    emitter.to('x').emit('x', 1);
    emitter.to(7).emit('number', 7);
    emitter.in('x').socketsLeave('x');
    emitter.to('x').emit('x', 2);
    emitter.emit('end');
    assert.deepEqual(await events(here, 3), [['x', 1], ['number', 7], ['end']]);
    const gone = next(here.socket, 'disconnect');
    emitter.in(7).disconnectSockets();
    assert.deepEqual((await gone)[0], 'io server disconnect');
    assert.deepEqual(other.got.entries, []);
  });

  test('by the old socket.io-emitter', async () => {
    const [a, b] = await Promise.all([connect(['old']), connect()]);
    // It knows a Redis client by its methods.
    const emitter = oldEmitter({ hset() {}, publish: (channel, message) => publisher.publish(channel, message) });
    emitter.to('old').emit('old', { text: 'ä' });
    emitter.emit('end');
    assert.deepEqual(await events(a, 2), [['old', { text: 'ä' }], ['end']]);
    assert.deepEqual(await events(b, 1), [['end']]);
  });

  test('what is hostile is counted, and what comes after it arrives', async () => {
    const client = await connect();
    for (const message of ['', '[', '\x80\x04pickle', JSON.stringify([{ type: 2, data: [] }]), 'x'.repeat(1_000_001)]) {
      await publisher.publish('socket.io#/#', message);
    }
    new Emitter(publisher).emit('end');
    assert.deepEqual(await events(client, 1), [['end']]);
    const metrics = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { headers: { authorization: 'Bearer t' } });
    assert.match(await metrics.text(), /frontroom_emitter_messages_total\{result="unreadable"\} 5/);
  });

  test('Redis goes and comes back, and sockets never notice', async () => {
    const client = await connect();
    await redis.restart();
    let heard = false;
    client.socket.once('back', () => (heard = true));
    const emitter = new Emitter(publisher);
    for (const deadline = Date.now() + 10_000; !heard && Date.now() < deadline; ) {
      await publisher.ping().then(() => emitter.emit('back')).catch(() => {});
      await client.socket.emitWithAck('ping');
    }
    assert.ok(heard, 'the gateway listens again');
  });
});
