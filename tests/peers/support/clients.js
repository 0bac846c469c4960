// Stock socket.io-client sockets over each way of transport.

import assert from 'node:assert/strict';
import test from 'node:test';
import { io } from 'socket.io-client';
import { Log, next, within } from './wait.js';

/** What a page may ask for. */
export const TRANSPORTS = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
};

/** Defines the test once for each way of transport; `run` gets `Clients` that are closed after it. */
export function overEachTransport(name, run) {
  for (const way of Object.keys(TRANSPORTS)) test(`${name} [${way}]`, (t) => run(new Clients(t, way), way));
}

/** Makes sockets for one test. */
export class Clients {
  #t;
  #io;

  /** `client` is the `io` of another version. */
  constructor(t, way = 'upgrade', client = io) {
    this.#t = t;
    this.#io = client;
    this.way = way;
  }

  /** A socket that has begun to connect. */
  begin(url, options = {}) {
    const socket = this.#io(url, {
      transports: TRANSPORTS[this.way],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...options,
    });
    this.#t.after(() => (socket.io._close ?? socket.io.close).call(socket.io));
    return socket;
  }

  /** A connected socket; with `upgrade` the change to websocket has happened. */
  async open(url, options = {}) {
    const socket = this.begin(url, options);
    const upgraded = this.way === 'upgrade' ? upgrade(socket.io.engine) : undefined;
    await connected(socket);
    await upgraded;
    const expected = this.way === 'polling' ? 'polling' : 'websocket';
    assert.equal(socket.io.engine.transport.name, expected, 'the transport in use');
    return socket;
  }

  /** A connected socket of the user, who has joined the rooms; its messages are in `socket.messages`. */
  async enter(url, user, ...rooms) {
    const socket = await this.open(url, { auth: { token: `token-${user}` } });
    socket.messages = record(socket, 'newMessage');
    for (const chatRoomId of rooms) {
      const answer = await ask(socket, 'joinRoom', { chatRoomId });
      assert.equal(answer?.error, undefined, 'joinRoom is not refused');
    }
    return socket;
  }
}

/** Resolves when polling has become websocket; fails if it did not start as polling. */
async function upgrade(engine) {
  assert.equal(engine.transport.name, 'polling', 'the transport at the start');
  const [transport] = await next(engine, 'upgrade', 'the upgrade to websocket');
  assert.equal(transport.name, 'websocket');
}

/** Resolves when the socket is connected; fails with the reason if it is refused. */
export function connected(socket) {
  if (socket.connected) return Promise.resolve();
  return within(
    new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', (error) => reject(new Error(`connect_error: ${error.message}`)));
    }),
    'connect',
  );
}

/** The `connect_error` of a socket that must not connect. */
export function refused(socket) {
  return within(
    new Promise((resolve, reject) => {
      socket.once('connect_error', resolve);
      socket.once('connect', () => reject(new Error('connected, though it should be refused')));
    }),
    'connect_error',
  );
}

/** Emits and waits for the ack's first argument. */
export async function ask(socket, event, ...args) {
  return (await askAll(socket, event, ...args))[0];
}

/** Emits and waits for all arguments of the ack. */
export function askAll(socket, event, ...args) {
  const answer = new Promise((resolve) => socket.emit(event, ...args, (...given) => resolve(given)));
  return within(answer, `ack of ${event}`);
}

/** The log of the first arguments of an event. */
export function record(socket, event) {
  const log = new Log();
  socket.on(event, (first) => log.push(first));
  return log;
}

/** A REST call through the gateway, as the user. */
export async function rest(url, method, path, { user, body, headers } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(user && { authorization: `Bearer token-${user}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text && JSON.parse(text) };
}
