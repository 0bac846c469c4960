// The page of the book-exchange site, its socket code as it was, before a REST backend alone.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { io } from 'socket.io-client';
import { chatBackend } from '../support/backend.js';
import { ask, connected, rest } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { Log, next } from '../support/wait.js';

let site;
before(async () => (site = await startSite(chatBackend())));
after(() => site?.stop());

/** What the page does when a chat room is opened; `options` is what it came to add later. */
async function openChatRoom(SERVER_URL, accessToken, chatRoomId, options = {}) {
  const messages = new Log();
  const errors = new Log();
  try {
    const response = await fetch(`${SERVER_URL}/chat/rooms/${chatRoomId}/messages`, {
      headers: { Authorization: `Bearer ${accessToken}` },
    });
    if (!response.ok) throw new Error(`history: ${response.status}`);
    for (const message of await response.json()) messages.push(message);
  } catch (error) {
    errors.push(error);
  }

  const socket = io(SERVER_URL, { withCredentials: true, auth: { token: accessToken }, ...options });
  socket.on('connect', () => {
    socket.emit('joinRoom', { chatRoomId });
  });
  socket.on('connect_error', (error) => errors.push(error));
  socket.on('newMessage', (message) => messages.push(message));
  return { socket, messages, errors, leave: () => socket.disconnect() };
}

const PAGES = { 'as it was first': {}, 'with websocket alone': { transports: ['websocket'] } };

for (const [index, [how, options]] of Object.entries(PAGES).entries()) {
  test(`the page ${how} shows earlier messages, then new ones, until it leaves`, async (t) => {
    const room = 10 + index;
    const path = `/chat/rooms/${room}/messages`;
    const say = (user, text) => rest(site.url, 'POST', path, { user, body: { text } });
    await say('bob', 'earlier');
    const page = await openChatRoom(site.url, 'token-ada', room, { ...options, forceNew: true });
    t.after(page.leave);
    await connected(page.socket);
    await ask(page.socket, 'leaveRoom', { chatRoomId: 0 });

    const live = await say('bob', 'live');
    assert.deepEqual(await page.messages.find((m) => m.text === 'live'), live.body);
    assert.deepEqual(page.messages.entries.map((m) => m.text), ['earlier', 'live']);
    assert.deepEqual(page.errors.entries, []);

    const rooms = `GET /chat/rooms/${room}`;
    assert.equal(site.backend.requests(rooms).length, 1, 'the room was asked for once');
    assert.equal(site.backend.requests(rooms)[0].headers.authorization, 'Bearer token-ada');
    const gone = next(page.socket, 'disconnect');
    page.leave();
    assert.equal((await gone)[0], 'io client disconnect');
    await say('bob', 'after');
    assert.equal(page.messages.entries.length, 2);
  });
}

test('a page whose token is no good logs the refusal', async (t) => {
  const page = await openChatRoom(site.url, 'stale', 20, { forceNew: true });
  t.after(page.leave);
  await page.errors.find((error) => error.data !== undefined, 'connect_error with data');
  const [history, connect] = page.errors.entries;
  assert.equal(history.message, 'history: 401');
  assert.equal(connect.message, 'Please log in');
  assert.deepEqual(connect.data, { message: 'Please log in', code: 'login' });
});
