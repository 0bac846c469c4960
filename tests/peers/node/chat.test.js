// The manual's chat rules with stock clients: rooms, messages, taps, typing, failures, presence.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { chatBackend } from '../support/backend.js';
import { ask, askAll, connected, overEachTransport, record, rest } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

let site;
let lastRoom = 100;
const newRoom = () => (lastRoom += 1);
before(async () => (site = await startSite(chatBackend())));
after(() => site?.stop());

/** Posts over REST and waits until the member has it, so that whatever came before has come too. */
async function fence(member, room) {
  const text = `fence ${room} ${member.messages.entries.length}`;
  const posted = await rest(site.url, 'POST', `/chat/rooms/${room}/messages`, { user: 'fence', body: { text } });
  assert.equal(posted.status, 201);
  await member.messages.find((message) => message.text === text, 'the fence message');
}

const texts = (member) => member.messages.entries.map((message) => message.text).filter((t) => !/^fence/.test(t));

overEachTransport('a message sent by event reaches the room, and only the room, once', async (clients) => {
  const [room, other] = [newRoom(), newRoom()];
  const ada = await clients.enter(site.url, 'ada', room);
  const bob = await clients.enter(site.url, 'bob', room);
  const eve = await clients.enter(site.url, 'eve', other);

  const answer = await askAll(ada, 'sendMessage', { chatRoomId: room, text: 'hello' });
  const stored = await rest(site.url, 'GET', `/chat/rooms/${room}/messages`, { user: 'ada' });
  assert.deepEqual(answer, stored.body, 'the ack is the backend’s answer, alone');
  assert.equal(answer[0].user, 'ada', 'the request carried the token of the socket');

  assert.deepEqual(await bob.messages.find((m) => m.text === 'hello'), answer[0]);
  await Promise.all([fence(ada, room), fence(bob, room), fence(eve, other)]);
  assert.deepEqual([ada, bob, eve].map(texts), [['hello'], ['hello'], []]);
});

overEachTransport('a message posted over REST reaches the room once', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada', room);
  const body = { text: 'posted', tags: ['b', 'a'], nested: { z: null, a: [1, 2.5, true] } };
  const posted = await rest(site.url, 'POST', `/chat/rooms/${room}/messages`, { user: 'bob', body });
  assert.equal(posted.status, 201);
  assert.deepEqual(await ada.messages.find((m) => m.text === 'posted'), posted.body);
  await fence(ada, room);
  assert.deepEqual(texts(ada), ['posted']);
});

overEachTransport('a room that REST refuses is not joined, and the socket goes on', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada', room);
  const { error } = await ask(ada, 'joinRoom', { chatRoomId: 9 });
  assert.equal(error.status, 403);
  assert.equal(error.message, 'This room is private');
  assert.equal(typeof error.code, 'string');
  assert.deepEqual(error.body, { message: 'This room is private', code: 'room_private' });
  assert.ok(ada.connected);
  await fence(ada, room);
});

overEachTransport('who leaves a room gets nothing more from it', async (clients) => {
  const [left, kept] = [newRoom(), newRoom()];
  const ada = await clients.enter(site.url, 'ada', left, kept);
  const bob = await clients.enter(site.url, 'bob', left);
  assert.deepEqual(await askAll(ada, 'leaveRoom', { chatRoomId: left }), [], 'no request, so no arguments');
  await ask(bob, 'sendMessage', { chatRoomId: left, text: 'are you still there?' });
  await bob.messages.find((m) => m.text === 'are you still there?');
  await fence(ada, kept);
  assert.deepEqual(texts(ada), []);
});

overEachTransport('typing reaches the others of the room, not the one who types', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada', room);
  const bob = await clients.enter(site.url, 'bob', room);
  const [own, seen] = [record(ada, 'typing'), record(bob, 'typing')];
  // The event is volatile: it may be lost while no poll waits, so it is typed until it is seen.
  const typing = setInterval(() => ada.emit('typing', { chatRoomId: room }), 250);
  ada.emit('typing', { chatRoomId: room });
  try {
    assert.deepEqual(await seen.find(() => true, 'typing'), { user: 'ada' });
  } finally {
    clearInterval(typing);
  }
  await fence(ada, room);
  assert.deepEqual(own.entries, []);
});

overEachTransport('events over the rate limit are refused, the socket goes on', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada', room);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => ask(ada, 'typing', { chatRoomId: room })),
  );
  const refusals = answers.filter((answer) => answer?.error);
  assert.equal(answers[0], undefined, 'the first is within the limit');
  assert.ok(refusals.length >= 10, `${refusals.length} of 20 at once are refused at 5/s`);
  assert.deepEqual([...new Set(refusals.map(({ error }) => error.status))], [429]);
  await fence(ada, room);
});

overEachTransport('without an ack a failure comes as the event exception', async (clients) => {
  const ada = await clients.enter(site.url, 'ada');
  ada.emit('joinRoom', { chatRoomId: 9 });
  const [refusal] = await next(ada, 'exception');
  assert.equal(refusal.event, 'joinRoom');
  assert.equal(refusal.error.status, 403);
  assert.equal(refusal.error.message, 'This room is private');
  assert.deepEqual(refusal.error.body, { message: 'This room is private', code: 'room_private' });

  ada.emit('danceAround', 1);
  const [unknown] = await next(ada, 'exception');
  assert.equal(unknown.event, 'danceAround');
  assert.equal(unknown.error.code, 'no_rule');
});

overEachTransport('an event without a rule is refused with 404 no_rule', async (clients) => {
  const ada = await clients.enter(site.url, 'ada');
  const { error } = await ask(ada, 'danceAround', { tempo: 3 });
  assert.deepEqual([error.status, error.code], [404, 'no_rule']);
});

overEachTransport('a missing field is 400 bad_event and asks the backend nothing', async (clients) => {
  const ada = await clients.enter(site.url, 'ada');
  const asked = () => site.backend.ledger.entries.filter((r) => r.path.startsWith('/chat/rooms/')).length;
  const before = asked();
  for (const data of [[], [{}], [{ chatRoomId: null }], [{ chatRoomId: '' }], [{ chatRoomId: {} }], ['x']]) {
    const { error } = await ask(ada, 'joinRoom', ...data);
    assert.deepEqual([error?.status, error?.code], [400, 'bad_event'], JSON.stringify(data));
  }
  assert.equal(asked(), before);
});

overEachTransport('a value goes into a URL as one segment, whatever it holds', async (clients) => {
  const ada = await clients.enter(site.url, 'ada');
  for (const chatRoomId of ['../../auth/me', 'a/b', 'ü b?x=1#y&z%2F', '%2e%2e', '1;a=2', '\u{1F600}']) {
    await ask(ada, 'joinRoom', { chatRoomId });
    const { path, query } = site.backend.ledger.entries.at(-1);
    const segments = path.split('/');
    assert.deepEqual(segments.slice(0, 3), ['', 'chat', 'rooms'], path);
    assert.equal(segments.length, 4, path);
    assert.equal(decodeURIComponent(segments[3]), chatRoomId);
    assert.equal(query, '');
  }
  for (const chatRoomId of ['.', '..']) {
    const { error } = await ask(ada, 'joinRoom', { chatRoomId });
    assert.equal(error?.code, 'bad_event', chatRoomId);
  }
});

overEachTransport('requests of events say which socket and which event they come from', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada', room);
  for (const text of ['one', 'two']) await ask(ada, 'sendMessage', { chatRoomId: room, text });
  const posts = site.backend.requests(`POST /chat/rooms/${room}/messages`);
  assert.equal(posts.length, 2);
  for (const { headers } of posts) {
    assert.equal(headers['x-socket-id'], ada.id);
    assert.equal(headers.authorization, 'Bearer token-ada');
    assert.match(headers['content-type'], /^application\/json/);
    assert.ok(headers['x-request-id']);
    assert.match(headers['x-forwarded-for'], /127\.0\.0\.1/);
  }
  const keys = posts.map(({ headers }) => headers['idempotency-key']);
  assert.ok(keys[0] && keys[1] && keys[0] !== keys[1], 'one idempotency key an event');
  assert.notEqual(ada.id, ada.io.engine.id, 'a socket id is no session id');
});

overEachTransport('the disconnect rule is called once, with the reason', async (clients, way) => {
  const leave = {
    'client namespace disconnect': (socket) => socket.disconnect(),
    'transport close': (socket) => socket.io.engine.close(),
  };
  for (const [reason, act] of Object.entries(leave)) {
    const user = `leaver-${way}-${reason.split(' ')[0]}`;
    const socket = await clients.enter(site.url, user);
    socket.io.reconnection(false);
    act(socket);
    const left = await site.backend.request('POST /presence/left', ({ body }) => body.user === user);
    assert.deepEqual(left.body, { user, reason });
    // Whoever comes and goes afterwards is reported afterwards.
    const after = await clients.enter(site.url, `${user}-after`);
    after.disconnect();
    await site.backend.request('POST /presence/left', ({ body }) => body.user === `${user}-after`);
    assert.equal(site.backend.ledger.entries.filter(({ body }) => body?.user === user).length, 1);
  }
});

overEachTransport('after a broken connection the client is back in its room', async (clients) => {
  const room = newRoom();
  const ada = await clients.enter(site.url, 'ada');
  ada.on('connect', () => ada.emit('joinRoom', { chatRoomId: room }));
  for (let time = 1; time <= 3; time += 1) {
    const before = ada.id;
    const gone = next(ada, 'disconnect');
    const back = next(ada, 'connect');
    ada.io.engine.close();
    await gone;
    await back;
    await connected(ada);
    assert.notEqual(ada.id, before);
    assert.equal((await ask(ada, 'leaveRoom', { chatRoomId: 0 }))?.error, undefined, 'joined before this ack');
    await fence(ada, room);
  }
});
