// One policy: what a browser is told is the same for REST, polling, errors and preflights.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { startGateway } from '../support/gateway.js';
import { policyOf, raw, rawUpgrade } from '../support/raw.js';

const CONFIG = `
listen: 127.0.0.1:0
upstreams:
  api: {endpoints: "\${UPSTREAM}"}
  down: {endpoints: "\${DOWN}"}
routes:
  - {match: {path_prefix: /}, upstream: api}
  - {match: {path_prefix: /down}, upstream: down}
cors:
  allow_origins: ["http://shop.test", "https://*.shop.test", {regex: "http://dev[0-9]+\\\\.test"}]
  allow_credentials: true
  expose_headers: [x-total]
  max_age: 5m
socketio: {max_payload: 1KB}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;
const ALLOWED = 'http://shop.test';
const DENIED = 'http://evil.test';

let backend;
let gateway;
const at = (path) => gateway.url + path;
const POLL = '/socket.io/?EIO=4&transport=polling';
before(async () => {
  backend = new Backend();
  backend.on('GET /plain', () => ({ body: { ok: true } }));
  backend.on('POST /plain', () => ({ status: 201, body: { ok: true } }));
  backend.on('OPTIONS /plain', () => ({ status: 200, text: 'the backend’s own', headers: { allow: 'GET, POST' } }));
  backend.on('GET /fails', () => ({ status: 500, body: { message: 'oops' } }));
  backend.on('GET /own', () => ({
    body: {},
    headers: {
      'access-control-allow-origin': '*',
      'access-control-allow-credentials': 'false',
      'access-control-expose-headers': 'x-secret',
      vary: 'Accept-Encoding',
    },
  }));
  await backend.listen();
  const free = await new Backend().listen();
  const down = free.url;
  await free.close();
  gateway = await startGateway({ config: CONFIG, env: { UPSTREAM: backend.url, DOWN: down } });
});
after(async () => {
  await gateway?.stop();
  await backend?.close();
});

const PLACES = {
  GET: {
    'a REST answer': ['/plain', 200],
    'a missing page of the backend': ['/none', 404],
    'a backend’s failure': ['/fails', 500],
    'a backend that is down': ['/down', 502],
    'a polling handshake': [POLL, 200],
    'an unknown session': [`${POLL}&sid=unknown`, 400],
    'an unknown transport': ['/socket.io/?EIO=4&transport=pigeon', 400],
    'another protocol version': ['/socket.io/?EIO=3&transport=polling', 400],
  },
  POST: {
    'a REST answer': ['/plain', 201],
    'a backend that is down': ['/down', 502],
    'a polling handshake by POST': [POLL, 400],
    'an unknown session': [`${POLL}&sid=unknown`, 400],
  },
  PUT: {
    'a missing page of the backend': ['/plain', 404],
    'a backend that is down': ['/down', 502],
    'a polling handshake by PUT': [POLL, 400],
  },
};

for (const [method, places] of Object.entries(PLACES)) {
  for (const [place, [path, status]] of Object.entries(places)) {
    test(`${method}: ${place} carries the one policy`, async () => {
      for (const origin of [ALLOWED, 'https://a.b.shop.test', 'http://dev12.test']) {
        const answer = await raw(at(path), { method, headers: { origin }, body: method === 'GET' ? undefined : '{}' });
        assert.equal(answer.status, status);
        assert.deepEqual(policyOf(answer), {
          access: [
            ['access-control-allow-credentials', 'true'],
            ['access-control-allow-origin', origin],
            ['access-control-expose-headers', 'x-total'],
          ],
          vary: ['origin'],
        });
      }
      const none = await raw(at(path), { method, body: method === 'GET' ? undefined : '{}' });
      assert.equal(none.status, status, 'without an Origin');
      assert.deepEqual(policyOf(none), { access: [], vary: ['origin'] });
    });
  }
}

test('a POST over max_payload carries it too, and so does the poll after it', async () => {
  const headers = { origin: ALLOWED };
  const { sid } = JSON.parse((await raw(at(POLL), { headers })).text.slice(1));
  const session = at(`${POLL}&sid=${sid}`);
  const large = await raw(session, { method: 'POST', headers, body: 'x'.repeat(2000) });
  assert.equal(large.status, 413);
  const posted = await raw(session, { method: 'POST', headers, body: '40' });
  assert.deepEqual([posted.status, posted.text], [200, 'ok']);
  const polled = await raw(session, { headers });
  assert.equal(polled.status, 200);
  for (const answer of [large, posted, polled]) {
    assert.deepEqual(answer.all('access-control-allow-origin'), [ALLOWED]);
    assert.deepEqual(answer.all('access-control-allow-credentials'), ['true']);
    assert.deepEqual(policyOf(answer).vary, ['origin']);
  }
});

test('the backend’s own CORS headers are replaced, its Vary is kept', async () => {
  const allowed = policyOf(await raw(at('/own'), { headers: { origin: ALLOWED } }));
  assert.deepEqual(allowed.vary, ['accept-encoding', 'origin']);
  assert.deepEqual(Object.fromEntries(allowed.access), {
    'access-control-allow-origin': ALLOWED,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-total',
  });
  assert.equal(allowed.access.length, 3);
  const denied = policyOf(await raw(at('/own'), { headers: { origin: DENIED } }));
  assert.deepEqual(denied.access, []);
  assert.deepEqual(denied.vary, ['accept-encoding', 'origin']);
});

const DISALLOWED = [DENIED, 'null', 'http://shop.test.evil.test', 'https://shop.test', 'HTTP://SHOP.TEST', 'http://dev1.test.evil', 'http://xdev1.test', 'garbage'];
for (const origin of DISALLOWED) {
  test(`origin ${origin}: REST is forwarded without CORS headers, sockets are 403`, async () => {
    const headers = { origin };
    const rest = await raw(at('/plain'), { headers });
    assert.equal(rest.status, 200);
    assert.deepEqual(policyOf(rest), { access: [], vary: ['origin'] });

    for (const [path, method] of [[POLL, 'GET'], [`${POLL}&sid=x`, 'GET'], [`${POLL}&sid=x`, 'POST']]) {
      const poll = await raw(at(path), { method, headers });
      assert.equal(poll.status, 403);
      assert.deepEqual(poll.json(), { code: 4, message: 'Forbidden' });
      assert.deepEqual(policyOf(poll), { access: [], vary: ['origin'] });
    }
    const seen = backend.upgrades.length;
    for (const path of ['/socket.io/?EIO=4&transport=websocket', '/graphql']) {
      const upgrade = await rawUpgrade(at(path), headers);
      assert.deepEqual([upgrade.status, upgrade.upgraded], [403, false], path);
      assert.deepEqual(policyOf(upgrade).access, []);
    }
    assert.equal(backend.upgrades.length, seen, 'no upgrade reached the backend');
  });
}

test('two Origins are none that is allowed', async () => {
  const headers = { origin: [ALLOWED, ALLOWED] };
  const rest = await raw(at('/plain'), { headers });
  assert.deepEqual(policyOf(rest).access, []);
  assert.equal((await raw(at(POLL), { headers })).status, 403);
});

test('an allowed origin and no origin may open websockets', async () => {
  for (const headers of [{ origin: ALLOWED }, {}]) {
    const answer = await rawUpgrade(at('/socket.io/?EIO=4&transport=websocket'), headers);
    assert.deepEqual([answer.status, answer.upgraded], [101, true]);
    assert.deepEqual(answer.all('sec-websocket-accept'), ['s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']);
  }
  const seen = backend.upgrades.length;
  await rawUpgrade(at('/graphql'), { origin: ALLOWED });
  assert.equal(backend.upgrades.length, seen + 1, 'other websockets go to the backend');
});

const PREFLIGHT_VARY = ['access-control-request-headers', 'access-control-request-method', 'origin'];
for (const path of ['/plain', '/none', '/down', POLL, `${POLL}&sid=unknown`, '/socket.io/']) {
  test(`a preflight for ${path} is answered here`, async () => {
    const seen = backend.ledger.entries.length;
    const asked = {
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization,content-type',
    };
    const allowed = await raw(at(path), { method: 'OPTIONS', headers: { origin: ALLOWED, ...asked } });
    assert.equal(allowed.status, 204);
    assert.equal(allowed.text, '');
    const { access, vary } = policyOf(allowed);
    const answered = Object.fromEntries(access);
    assert.equal(access.length, 5);
    assert.equal(answered['access-control-allow-origin'], ALLOWED);
    assert.equal(answered['access-control-allow-credentials'], 'true');
    assert.equal(answered['access-control-max-age'], '300');
    assert.ok(answered['access-control-allow-methods'].split(/, */).includes('PUT'));
    assert.deepEqual(
      answered['access-control-allow-headers'].toLowerCase().split(/, */).sort(),
      ['authorization', 'content-type'],
    );
    assert.deepEqual(vary, PREFLIGHT_VARY);

    const denied = await raw(at(path), { method: 'OPTIONS', headers: { origin: DENIED, ...asked } });
    assert.deepEqual(policyOf(denied), { access: [], vary: PREFLIGHT_VARY });
    assert.equal(backend.ledger.entries.length, seen, 'no preflight reached the backend');
  });
}

test('an OPTIONS that is no preflight goes to the backend', async () => {
  const answer = await raw(at('/plain'), { method: 'OPTIONS', headers: { origin: ALLOWED } });
  assert.deepEqual([answer.status, answer.text], [200, 'the backend’s own']);
  assert.deepEqual(answer.all('allow'), ['GET, POST']);
  assert.deepEqual(answer.all('access-control-allow-origin'), [ALLOWED]);
});
