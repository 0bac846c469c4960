// Two pages of other origins than the API: one is allowed, with cookies and tokens, the other is not.

import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { chatBackend } from '../support/backend.js';
import { launch } from '../support/browser.js';
import { startSite } from '../support/gateway.js';

const SCRIPT = readFileSync(new URL('../node_modules/socket.io-client/dist/socket.io.min.js', import.meta.url));

let pages;
let site;
let api;
let browser;
let shop;
let evil;

before(async () => {
  pages = http.createServer((req, res) => {
    const script = req.url === '/socket.io.min.js';
    res.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html; charset=utf-8' });
    res.end(script ? SCRIPT : '<!doctype html><title>A shop</title><script src="/socket.io.min.js"></script>');
  });
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const { port } = pages.address();
  const backend = chatBackend();
  backend.on('PUT /profile', ({ headers }) => ({ body: { authorization: headers.authorization } }));
  site = await startSite(backend, { env: { CLIENT_URL: `http://app.shop.test:${port}` } });
  api = site.url.replace('127.0.0.1', 'api.shop.test');
  browser = await launch();
  shop = await open(`http://app.shop.test:${port}/`);
  evil = await open(`http://evil.test:${port}/`);
});
after(async () => {
  await browser?.close();
  await site?.stop();
  pages?.close();
  pages?.closeAllConnections();
});

async function open(url) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(url);
  return page;
}

/** `fetch` in the page: what the page can read of it. */
function fetchIn(page, path, init = {}) {
  return page.evaluate(
    async ([url, init]) => {
      try {
        const response = await fetch(url, { credentials: 'include', ...init });
        return { status: response.status, body: await response.json().catch(() => null) };
      } catch (error) {
        return { failed: error.name };
      }
    },
    [api + path, init],
  );
}

const json = (method, body) => ({ method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

/** Connects in the page over these transports, joins a room, sends a message and waits for it. */
function chatIn(page, transports, room) {
  return page.evaluate(
    ([url, transports, room]) =>
      new Promise((resolve) => {
        const socket = io(url, { withCredentials: true, transports, forceNew: true, reconnection: false });
        const end = (result) => {
          socket.disconnect();
          resolve(result);
        };
        const first = socket.io.engine.transport.name;
        setTimeout(() => end({ failed: 'timeout' }), 8000);
        socket.on('connect_error', (error) => end({ failed: error.message }));
        socket.on('newMessage', ({ user, text }) => end({ first, last: socket.io.engine.transport.name, user, text }));
        const begin = () =>
          socket.emit('joinRoom', { chatRoomId: room }, () => {
            socket.emit('sendMessage', { chatRoomId: room, text: 'hello from a page' });
          });
        if (transports.length > 1) socket.io.engine.once('upgrade', () => (socket.connected ? begin() : socket.once('connect', begin)));
        else socket.on('connect', begin);
      }),
    [api, transports, room],
  );
}

describe('the allowed page', () => {
  test('logs in over REST and reads history with its cookie', async () => {
    assert.equal((await fetchIn(shop, '/auth/me')).status, 401, 'readable, though an error');
    const login = await fetchIn(shop, '/auth/login', json('POST', { name: 'ada' }));
    assert.equal(login.status, 200);
    assert.equal(login.body.token, 'token-ada');
    const history = await fetchIn(shop, '/chat/rooms/1/messages');
    assert.deepEqual(history, { status: 200, body: [] });
    const { headers } = site.backend.requests('GET /chat/rooms/1/messages')[0];
    assert.match(headers.cookie, /access_token=token-ada/);
  });

  for (const [index, transports] of [['polling'], ['websocket'], ['polling', 'websocket']].entries()) {
    test(`chats over ${transports.join(' -> ')} with its cookie`, async () => {
      const asked = site.backend.requests('GET /auth/me').length;
      const result = await chatIn(shop, transports, index + 1);
      assert.deepEqual(result, {
        first: transports[0],
        last: transports.at(-1),
        user: 'ada',
        text: 'hello from a page',
      });
      const connects = site.backend.requests('GET /auth/me').slice(asked);
      assert.equal(connects.length, 1);
      assert.match(connects[0].headers.cookie, /access_token=token-ada/);
    });
  }

  test('may PUT with an Authorization header, after a preflight that the backend never sees', async () => {
    const put = { method: 'PUT', body: '{}', headers: { authorization: 'Bearer abc', 'content-type': 'application/json' } };
    assert.deepEqual(await fetchIn(shop, '/profile', put), { status: 200, body: { authorization: 'Bearer abc' } });
    assert.equal(site.backend.requests('PUT /profile').length, 1);
    assert.deepEqual(site.backend.ledger.entries.filter(({ method }) => method === 'OPTIONS'), []);
  });
});

describe('the page that is not allowed', () => {
  test('cannot read REST', async () => {
    assert.deepEqual(await fetchIn(evil, '/chat/rooms/1'), { failed: 'TypeError' });
    const direct = await fetchIn(evil, '/auth/login', { method: 'POST', body: '{"name":"eve"}' });
    assert.deepEqual(direct, { failed: 'TypeError' });
  });

  test('cannot PUT: its preflight fails and never reaches the backend', async () => {
    const before = site.backend.ledger.entries.length;
    const put = { method: 'PUT', body: '{}', headers: { authorization: 'Bearer abc' } };
    assert.deepEqual(await fetchIn(evil, '/profile', put), { failed: 'TypeError' });
    assert.equal(site.backend.ledger.entries.length, before);
  });

  for (const [transport, message] of Object.entries({ polling: 'xhr poll error', websocket: 'websocket error' })) {
    test(`cannot connect over ${transport}`, async () => {
      const before = site.backend.ledger.entries.length;
      assert.deepEqual(await chatIn(evil, [transport], 1), { failed: message });
      assert.equal(site.backend.ledger.entries.length, before, 'the backend was not asked');
    });
  }
});

test('a backend that is down is a 502 which the page can read', async () => {
  await site.backend.close();
  try {
    const { status, body } = await fetchIn(shop, '/chat/rooms/1');
    assert.equal(status, 502);
    assert.equal(body.error.code, 'upstream_unreachable');
    assert.equal(typeof body.error.message, 'string');
    assert.deepEqual(await fetchIn(evil, '/chat/rooms/1'), { failed: 'TypeError' });
  } finally {
    await site.backend.listen(site.backend.port);
  }
  assert.equal((await fetchIn(shop, '/chat/rooms/1')).status, 200);
});
