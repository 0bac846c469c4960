// Tokens and stock clients: who gets in, what the client is told, and how it renews its token in place.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import test, { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { ask, Clients, connected, overEachTransport, refused } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next, within } from '../support/wait.js';

const SECRET = 'a secret that is as long as HS256 wants it';

const RULES = `
socketio:
  max_sockets_per_user: 3
  connect: {join: "user:{{ claims.sub }}"}
  events:
    who: {ack: ["{{ claims.sub }}", "{{ claims.role }}"]}
    call: {request: GET /me}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
cors: {allow_origins: "http://app.test", allow_credentials: true}
credentials:
  token: ["auth:token", "header:authorization", "cookie:access_token"]
  jwt: {secret: "${SECRET}", algorithms: [HS256], leeway: 0s}
  require: all
  public: ["/auth/**"]
  claims_to_headers: {x-user-id: sub}
${RULES}`;

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Date.now() / 1000;

/** A token by the secret. */
function token(claims) {
  const message = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
  return `${message}.${createHmac('sha256', SECRET).update(message).digest('base64url')}`;
}

let users = 0;
/** A user that no other test has. */
const somebody = () => `user-${(users += 1)}`;

let site;
before(async () => {
  const backend = new Backend();
  backend.on('GET /me', ({ headers }) =>
    headers['x-user-id'] === 'banned'
      ? { status: 401, body: { message: 'Log in again', code: 'session_over' } }
      : { body: { id: headers['x-user-id'], token: headers.authorization } },
  );
  backend.on('POST /auth/login', () => ({ body: { token: token({ sub: 'u' }) } }));
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());

overEachTransport('connect_error says why, and a good token gets in on the same socket', async (clients) => {
  for (const [auth, code, message] of [
    [{}, 'token_missing', 'a token is needed'],
    [{ token: 'garbage' }, 'token_invalid', 'the token is not valid'],
    [{ token: token({ sub: 'u', exp: 1 }) }, 'token_expired', 'the token has expired'],
  ]) {
    const socket = clients.begin(site.url, { auth });
    const error = await refused(socket);
    assert.deepEqual([error.message, error.data], [message, { code }]);
    const sub = somebody();
    socket.auth = { token: token({ sub }) };
    socket.connect();
    await connected(socket);
    assert.deepEqual((await ask(socket, 'call')).id, sub);
  }
});

overEachTransport('a socket leaves when its token expires, and the client knows by whom', async (clients) => {
  const end = now() + 2;
  const socket = await clients.open(site.url, { auth: { token: token({ sub: somebody(), exp: end }) } });
  const [reason] = await next(socket, 'disconnect');
  assert.equal(reason, 'io server disconnect');
  assert.ok(now() >= end, 'not before its time');
  assert.ok(now() < end + 5, 'and soon after it');
  assert.equal(socket.active, false, 'the client does not come back by itself');
});

overEachTransport('frontroom:auth renews a token without reconnecting', async (clients) => {
  const [sub, end] = [somebody(), now() + 2];
  const socket = await clients.open(site.url, { auth: { token: token({ sub, role: 'reader', exp: end }) } });
  const { id } = socket;
  const gone = [];
  socket.on('disconnect', (reason) => gone.push(reason));
  const renew = (given) => within(socket.emitWithAck('frontroom:auth', { token: given }), 'the renewal');

  const codes = [];
  for (const bad of ['garbage', token({ sub, exp: 1 }), token({ sub: 'somebody else' })]) {
    codes.push((await renew(bad)).error.code);
  }
  assert.deepEqual(codes, ['token_invalid', 'token_expired', 'token_other_user']);

  const fresh = token({ sub, role: 'writer', exp: Math.floor(now()) + 3600 });
  assert.equal(await renew(fresh), undefined, 'acked with nothing');
  await within(
    (async () => {
      while (now() < end + 0.3) await ask(socket, 'who');
    })(),
    'the end of the first token',
  );
  const who = await within(new Promise((resolve) => socket.emit('who', (...all) => resolve(all))), 'who');
  assert.deepEqual(who, [sub, 'writer']);
  assert.deepEqual(await ask(socket, 'call'), { id: sub, token: `Bearer ${fresh}` });
  assert.deepEqual([socket.id, socket.connected, gone], [id, true, []]);
});

overEachTransport('the backend’s 401 is the answer of the event, and the socket stays', async (clients) => {
  const socket = await clients.open(site.url, { auth: { token: token({ sub: 'banned' }) } });
  const { error } = await ask(socket, 'call');
  assert.deepEqual([error.status, error.code, error.message], [401, 'session_over', 'Log in again']);
  assert.ok(socket.connected);
  socket.close();
});

overEachTransport('a user has so many sockets and no more', async (clients) => {
  const options = { auth: { token: token({ sub: somebody() }) }, reconnection: false };
  const open = [];
  for (let count = 0; count < 3; count += 1) open.push(await clients.open(site.url, options));
  const error = await refused(clients.begin(site.url, options));
  assert.equal(error.data.code, 'too_many_sockets');
  open[0].close();
  await within(
    (async () => {
      for (;;) {
        const socket = clients.begin(site.url, options);
        const entered = await Promise.race([
          next(socket, 'connect').then(() => true),
          next(socket, 'connect_error').then(() => false),
        ]);
        if (entered) return;
        socket.close();
      }
    })(),
    'a free place',
  );
  assert.equal((await refused(clients.begin(site.url, options))).data.code, 'too_many_sockets');
});

overEachTransport('an HttpOnly cookie is a token as well', async (clients) => {
  const sub = somebody();
  const given = token({ sub });
  const extraHeaders = { cookie: `theme=dark; access_token=${given}`, 'X-User-Id': 'root', X_User_Id: 'root' };
  const socket = await clients.open(site.url, { extraHeaders });
  assert.deepEqual(await ask(socket, 'call'), { id: sub, token: `Bearer ${given}` });
});

test('requests are judged by the same rules, and pages can read why', async () => {
  const call = (path, headers = {}, method = 'GET') =>
    fetch(site.url + path, { method, headers: { origin: 'http://app.test', ...headers } });
  const sub = somebody();
  const good = { authorization: `Bearer ${token({ sub })}`, 'x-user-id': 'root', x_user_id: 'root' };
  assert.equal((await (await call('/me', good)).json()).id, sub);
  assert.equal((await call('/auth/login', {}, 'POST')).status, 200);
  for (const [headers, code] of [
    [{}, 'token_missing'],
    [{ authorization: 'Bearer x' }, 'token_invalid'],
    [{ cookie: `access_token=${token({ exp: 1 })}` }, 'token_expired'],
  ]) {
    const answer = await call('/me', headers);
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
    assert.equal(answer.headers.get('access-control-allow-origin'), 'http://app.test');
    assert.equal((await answer.json()).error.code, code);
  }
});

test('an issuer’s keys are found by their id, also after it has changed them', async (t) => {
  const issuer = { keys: [] };
  const add = (kid, type, options) => {
    const { publicKey, privateKey } = generateKeyPairSync(type, options);
    issuer.keys = [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }];
    return (alg, how, claims) => {
      const message = `${base64({ alg, kid })}.${base64(claims)}`;
      return `${message}.${sign(how.hash, Buffer.from(message), { key: privateKey, ...how.key }).toString('base64url')}`;
    };
  };
  const RS = { hash: 'sha256' };
  const ES = { hash: 'sha256', key: { dsaEncoding: 'ieee-p1363' } };
  const rsa = add('first', 'rsa', { modulusLength: 2048 });
  const backend = new Backend();
  backend.on('GET /.well-known/jwks.json', () => ({ body: issuer }));
  backend.on('GET /me', ({ headers }) => ({ body: { id: headers['x-user-id'] } }));
  const jwt = 'jwt: {jwks_url: "${UPSTREAM}/.well-known/jwks.json", algorithms: [RS256, ES256, EdDSA], audience: chat}';
  const config = CONFIG.replace(/jwt: .*/, jwt);
  const own = await startSite(backend, { config });
  t.after(() => own.stop());
  const clients = new Clients(t, 'websocket');
  const enter = async (given) => {
    const socket = await clients.open(own.url, { auth: { token: given } });
    return (await ask(socket, 'call')).id;
  };
  assert.equal(await enter(rsa('RS256', RS, { sub: 'a', aud: 'chat' })), 'a');
  const error = await refused(clients.begin(own.url, { auth: { token: rsa('RS256', RS, { sub: 'a', aud: 'shop' }) } }));
  assert.equal(error.data.code, 'token_invalid', 'a token for somebody else');
  const ec = add('second', 'ec', { namedCurve: 'P-256' });
  assert.equal(await enter(ec('ES256', ES, { sub: 'b', aud: ['chat'] })), 'b');
  assert.equal(backend.ledger.entries.filter(({ path }) => path.endsWith('jwks.json')).length, 2);
});
