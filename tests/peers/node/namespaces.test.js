// Namespaces, captures, refused connects, what a handshake carries.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Manager } from 'socket.io-client';
import { chatBackend } from '../support/backend.js';
import { ask, askAll, connected, overEachTransport, record, refused, TRANSPORTS } from '../support/clients.js';
import { startSite } from '../support/gateway.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
credentials: {token: ["header:authorization", "auth:token", "cookie:access_token"], cookies: true}
socketio:
  events:
    whoami: {ack: {namespace: "{{ socket.namespace }}", id: "{{ socket.id }}"}}
    gather: {join: crowd}
    shout: {emit: {event: shout, to: crowd, data: "{{ data }}"}}
    handshake: {ack: ["{{ socket.handshake.auth }}", "{{ socket.handshake.query }}", "{{ socket.handshake.headers['x-custom'] }}"]}
  namespaces:
    /support:
      connect:
        request: GET /support/me
        state: {agent: "{{ response.body.agent }}"}
        join: ["agents", "agent:{{ response.body.agent }}"]
        emit: {event: welcome, data: "{{ response.body }}"}
      events:
        whoami: {ack: {namespace: "{{ socket.namespace }}", agent: "{{ state.agent }}", rooms: "{{ socket.rooms }}"}}
        gather: {join: crowd}
        page: {emit: {event: page, to: agents, args: ["{{ args[0] }}", "{{ args[1] }}"]}}
    /org-{id}:
      connect: {request: "GET /orgs/{{ namespace.id }}/me"}
      events:
        gather: {join: crowd}
        shout: {emit: {event: shout, to: crowd, data: "{{ data }}"}}
        whoami: {ack: {id: "{{ namespace.id }}", namespace: "{{ socket.namespace }}"}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

let site;
before(async () => {
  const backend = chatBackend();
  backend.on('GET /support/me', ({ headers }) => {
    const token = headers.authorization?.replace('Bearer ', '');
    if (token === 'agent-7') return { body: { agent: 7, name: 'Zoë' } };
    if (token === 'broken') return { status: 503, text: 'down for repair', headers: { 'content-type': 'text/plain' } };
    return { status: 401, body: { message: 'Agents only', retry: false, needs: ['agent'] } };
  });
  backend.on('GET /orgs/{id}/me', ({ params }) =>
    params.id === 'closed' ? { status: 404, body: { message: 'No such organisation' } } : { body: {} },
  );
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());

/** Namespaces that share one connection. */
function manager(clients, options = {}) {
  const shared = clients.begin(site.url, options).io;
  return (namespace, auth) => shared.socket(namespace, { auth });
}

overEachTransport('namespaces on one connection have their own rules, rooms and ids', async (clients) => {
  const of = manager(clients);
  const [root, support, org] = [of('/'), of('/support', { token: 'agent-7' }), of('/org-acme')];
  await Promise.all([root, support, org].map(connected));

  assert.deepEqual(await ask(root, 'whoami'), { namespace: '/', id: root.id });
  assert.deepEqual(await ask(org, 'whoami'), { id: 'acme', namespace: '/org-acme' });
  const { namespace, agent, rooms } = await ask(support, 'whoami');
  assert.deepEqual([namespace, agent], ['/support', 7], 'state keeps JSON types');
  assert.deepEqual([...rooms].sort(), [support.id, 'agent:7', 'agents'].sort());
  assert.equal(new Set([root.id, support.id, org.id, root.io.engine.id]).size, 4);
  assert.equal((await ask(support, 'shout', 1)).error.code, 'no_rule', 'no rule of another namespace');
});

overEachTransport('a room is a room of one namespace only', async (clients) => {
  const of = manager(clients);
  const sockets = [of('/'), of('/org-acme'), of('/org-globex')];
  await Promise.all(sockets.map(connected));
  const heard = sockets.map((socket) => record(socket, 'shout'));
  for (const socket of sockets) await ask(socket, 'gather');
  await ask(sockets[1], 'shout', 'acme only');
  for (const [i, socket] of sockets.entries()) await ask(socket, 'shout', `end ${i}`);
  for (const [i, log] of heard.entries()) await log.find((text) => text === `end ${i}`);
  assert.deepEqual(heard.map((log) => log.entries), [['end 0'], ['acme only', 'end 1'], ['end 2']]);
});

overEachTransport('an unknown namespace is refused in Node’s words', async (clients) => {
  const of = manager(clients);
  const unknown = of('/nowhere');
  const error = await refused(unknown);
  assert.equal(error.message, 'Invalid namespace');
  assert.equal(error.data, undefined);
  await connected(of('/'));
});

overEachTransport('what the connect rule emits comes right after the connect', async (clients) => {
  const socket = clients.begin(`${site.url}/support`, { auth: { token: 'agent-7' } });
  const order = [];
  socket.on('connect', () => order.push('connect'));
  socket.onAny((event, data) => order.push(event, data));
  await connected(socket);
  await ask(socket, 'whoami');
  assert.deepEqual(order, ['connect', 'welcome', { agent: 7, name: 'Zoë' }]);
});

overEachTransport('a refused connect tells why, harms no other namespace, and may be tried again', async (clients) => {
  let token = 'stranger';
  const of = manager(clients);
  const root = of('/');
  await connected(root);
  const support = of('/support', (answer) => answer({ token }));
  const error = await refused(support);
  assert.equal(error.message, 'Agents only');
  assert.deepEqual(error.data, { message: 'Agents only', retry: false, needs: ['agent'] });
  assert.equal(support.connected, false);
  assert.deepEqual(await ask(root, 'whoami'), { namespace: '/', id: root.id });

  token = 'agent-7';
  support.connect();
  await connected(support);
  assert.equal((await ask(support, 'whoami')).agent, 7);
  assert.ok(root.connected);
});

overEachTransport('a refusal without a JSON body still has a message, a status and a code', async (clients) => {
  const socket = clients.begin(`${site.url}/support`, { auth: { token: 'broken' } });
  const error = await refused(socket);
  assert.ok(error.message.length > 0);
  assert.equal(error.data.status, 503);
  assert.equal(typeof error.data.code, 'string');
});

overEachTransport('a capture goes into the connect rule’s URL', async (clients) => {
  const error = await refused(clients.begin(`${site.url}/org-closed`));
  assert.equal(error.message, 'No such organisation');
  await clients.open(`${site.url}/org-north%20pole`.replace('%20', '-'));
  await site.backend.request('GET /orgs/north-pole/me');
});

overEachTransport('a left namespace can be joined again on the same connection', async (clients) => {
  const of = manager(clients);
  const [root, org] = [of('/'), of('/org-acme')];
  await Promise.all([root, org].map(connected));
  const engine = root.io.engine.id;
  const before = org.id;
  org.disconnect();
  assert.deepEqual(await ask(root, 'whoami'), { namespace: '/', id: root.id });
  org.connect();
  await connected(org);
  assert.notEqual(org.id, before);
  assert.equal(root.io.engine.id, engine);
  assert.equal((await ask(org, 'whoami')).id, 'acme');
});

overEachTransport('a handshake’s auth, query, headers and cookies are there for the rules', async (clients, way) => {
  const auth = { token: 'agent-7', nested: { list: [1, 'two', null] } };
  const socket = await clients.open(site.url, {
    auth,
    query: { plan: 'gold & silver' },
    extraHeaders: { 'x-custom': `via ${way}`, cookie: `theme=dark-${way}` },
  });
  const [seenAuth, query, header] = await askAll(socket, 'handshake');
  assert.deepEqual(seenAuth, auth);
  assert.equal(query.plan, 'gold & silver');
  assert.equal(header, `via ${way}`);

  const support = new Manager(site.url, {
    transports: TRANSPORTS[way],
    extraHeaders: { cookie: `theme=dark-${way}` },
  }).socket('/support', { auth });
  try {
    await connected(support);
    const { headers } = await site.backend.request('GET /support/me', (r) => r.headers.cookie === `theme=dark-${way}`);
    assert.equal(headers.authorization, 'Bearer agent-7');
  } finally {
    support.disconnect();
  }
});
