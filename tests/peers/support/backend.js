// A plain REST server that knows nothing of sockets and keeps a ledger of every request it saw.

import http from 'node:http';
import { Log } from './wait.js';

export class Backend {
  ledger = new Log();
  /** Raw upgrade requests that reached the backend. */
  upgrades = [];
  #routes = [];
  #server;

  /** Answers `METHOD /path/{name}` with `handler(request)`: nothing (204) or `{status, headers, body | text}`. */
  on(route, handler) {
    const [method, path] = route.split(' ');
    const pattern = new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    this.#routes.unshift({ method, pattern, handler });
    return this;
  }

  async listen(port = 0) {
    this.#server = http.createServer((req, res) => this.#serve(req, res));
    this.#server.on('upgrade', (req, socket) => {
      this.upgrades.push(req.url);
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    });
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async close() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Ledger entries of `METHOD /path`. */
  requests(route) {
    return this.ledger.entries.filter((entry) => `${entry.method} ${entry.path}` === route);
  }

  /** The first request of `METHOD /path` that also `matches`, now or later. */
  request(route, matches = () => true) {
    return this.ledger.find(
      (entry) => `${entry.method} ${entry.path}` === route && matches(entry),
      `the backend sees ${route}`,
    );
  }

  async #serve(req, res) {
    const chunks = [];
    try {
      for await (const chunk of req) chunks.push(chunk);
    } catch {
      return; // The client went away in the middle of its request.
    }
    const text = Buffer.concat(chunks).toString();
    const [path, query = ''] = req.url.split('?');
    const request = { method: req.method, path, query, headers: req.headers, text, body: parse(text) };
    this.ledger.push(request);
    const answer = await this.#answer(request);
    const body = answer.text ?? (answer.body === undefined ? '' : JSON.stringify(answer.body));
    res.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    res.end(body);
  }

  async #answer(request) {
    for (const { method, pattern, handler } of this.#routes) {
      const match = method === request.method && pattern.exec(request.path);
      if (match) return (await handler({ ...request, params: match.groups ?? {} })) ?? { status: 204 };
    }
    return { status: 404, body: { message: `Cannot ${request.method} ${request.path}` } };
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The chat's REST API: login, who am I, rooms, their messages, presence. Room 9 is private. */
export function chatBackend() {
  const backend = new Backend();
  const rooms = new Map();
  const messagesOf = (id) => rooms.get(id) ?? rooms.set(id, []).get(id);
  let lastId = 0;

  const signedIn = (handler) => (request) => {
    const user = userOf(request.headers);
    return user ? handler(request, user) : { status: 401, body: { message: 'Please log in', code: 'login' } };
  };
  const member = (handler) =>
    signedIn((request, user) =>
      request.params.id === '9'
        ? { status: 403, body: { message: 'This room is private', code: 'room_private' } }
        : handler(request, user),
    );

  backend.on('POST /auth/login', ({ body }) => ({
    body: { token: `token-${body.name}`, user: { id: body.name } },
    headers: { 'set-cookie': `access_token=token-${body.name}; Path=/; HttpOnly; SameSite=Lax` },
  }));
  backend.on('GET /auth/me', signedIn((_, user) => ({ body: { id: user, name: user } })));
  backend.on('GET /chat/rooms/{id}', member(({ params }) => ({ body: { id: params.id } })));
  backend.on('GET /chat/rooms/{id}/messages', member(({ params }) => ({ body: messagesOf(params.id) })));
  backend.on(
    'POST /chat/rooms/{id}/messages',
    member(({ params, body }, user) => {
      const message = { id: (lastId += 1), room: params.id, user, ...body };
      messagesOf(params.id).push(message);
      return { status: 201, body: message };
    }),
  );
  backend.on('POST /presence/left', () => undefined);
  return backend;
}

function userOf({ authorization = '', cookie = '' }) {
  const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? /(?:^|; )access_token=([^;]+)/.exec(cookie)?.[1];
  return /^token-(.+)$/.exec(token ?? '')?.[1];
}
