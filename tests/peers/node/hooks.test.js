// Rules that leave every decision to the backend: the envelope it gets, the actions it answers with.

import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';
import { Backend } from '../support/backend.js';
import { ask, askAll, connected, overEachTransport, record, refused } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  connect: {hook: /hooks/socket}
  events: {"*": {hook: /hooks/socket}}
  disconnect: {hook: /hooks/socket}
  namespaces:
    /plain: {}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;

let site;
/** What the backend answers, by event name or, for other types, by type. */
let answers;
before(async () => {
  const backend = new Backend();
  backend.on('POST /hooks/socket', ({ body }) => {
    const answer = answers[body.type === 'event' ? body.event : body.type];
    return typeof answer === 'function' ? answer(body) : answer;
  });
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());
beforeEach(() => {
  answers = { fence: { body: { ack: [] } } };
});

const actions = (body) => ({ status: 200, body });
const envelope = (matches) =>
  site.backend.request('POST /hooks/socket', ({ body }) => matches(body)).then(({ body }) => body);

overEachTransport('a backend that echoes is an echo server', async (clients) => {
  answers.message = ({ args }) => actions({ emit: [{ event: 'message-back', args }] });
  answers['message-with-ack'] = ({ args }) => actions({ ack: args });
  const socket = await clients.open(site.url);
  const args = [1, '2', { 3: [true], binary: Buffer.from([1, 2, 3]), lookalike: { $binary: 'AQID' } }];
  const back = next(socket, 'message-back');
  socket.emit('message', ...args);
  assert.deepEqual(await back, args);
  assert.deepEqual(await askAll(socket, 'message-with-ack', ...args), args);
  assert.deepEqual(await askAll(socket, 'message-with-ack'), []);
});

overEachTransport('the envelope says who, what and from where', async (clients, way) => {
  answers.connect = () => actions({ state: { seat: 4 }, join: [`hall-${way}`] });
  answers.message = () => actions({ ack: ['ok'] });
  const socket = await clients.open(site.url, { auth: { who: way }, query: { lang: 'de' } });
  await ask(socket, 'message', 1, { $x: Buffer.from('hi') });
  const connect = await envelope((e) => e.type === 'connect' && e.socket.id === socket.id);
  const event = await envelope((e) => e.type === 'event' && e.socket.id === socket.id);

  assert.deepEqual(connect.socket.handshake.auth, { who: way });
  assert.equal(connect.socket.handshake.query.lang, 'de');
  assert.equal(connect.socket.handshake.secure, false);
  assert.match(connect.socket.handshake.address, /127\.0\.0\.1/);
  assert.match(connect.socket.handshake.url, /^\/socket\.io\/?\?/);
  assert.ok(Math.abs(Date.now() - connect.socket.handshake.issued) < 60_000, 'issued in milliseconds');
  assert.equal(connect.socket.recovered, false);

  assert.equal(event.event, 'message');
  assert.deepEqual(event.args, [1, { $x: { $binary: Buffer.from('hi').toString('base64') } }]);
  assert.equal(event.ack, true);
  assert.equal(event.socket.namespace, '/');
  assert.deepEqual(event.socket.state, { seat: 4 });
  assert.deepEqual([...event.socket.rooms].sort(), [socket.id, `hall-${way}`].sort());
  assert.ok(event.id && event.id !== connect.id, 'an id of its own');

  const { id } = socket;
  socket.disconnect();
  const gone = await envelope((e) => e.type === 'disconnect' && e.socket.id === id);
  assert.equal(gone.reason, 'client namespace disconnect');
  assert.deepEqual([...gone.socket.rooms].sort(), [id, `hall-${way}`].sort(), 'rooms can still be read');
});

overEachTransport('what a connect hook emits comes before anything else', async (clients) => {
  answers.connect = ({ socket }) => actions({ emit: [{ event: 'auth', data: socket.handshake.auth }] });
  const socket = clients.begin(site.url, { auth: { token: '123' } });
  const order = [];
  socket.on('connect', () => order.push('connect'));
  socket.onAny((...event) => order.push(event));
  await connected(socket);
  await ask(socket, 'fence');
  assert.deepEqual(order, ['connect', ['auth', { token: '123' }]]);
});

overEachTransport('a connect hook refuses by an error or by its status', async (clients) => {
  answers.connect = () => actions({ error: { message: 'not today', data: { open: 'Monday' } } });
  const said = await refused(clients.begin(site.url));
  assert.deepEqual([said.message, said.data], ['not today', { open: 'Monday' }]);
  answers.connect = () => ({ status: 403, body: { message: 'never', level: 2 } });
  const status = await refused(clients.begin(site.url));
  assert.deepEqual([status.message, status.data], ['never', { message: 'never', level: 2 }]);
});

overEachTransport('no ack is sent unless the hook gives one', async (clients) => {
  answers.quiet = () => undefined;
  answers.silent = () => actions({ emit: [{ event: 'done' }] });
  const socket = await clients.open(site.url);
  const acked = [];
  socket.emit('quiet', () => acked.push('quiet'));
  const done = next(socket, 'done');
  socket.emit('silent', () => acked.push('silent'));
  assert.deepEqual(await done, []);
  await ask(socket, 'fence');
  assert.deepEqual(acked, []);
});

overEachTransport('a hook’s error or status fails the event only', async (clients) => {
  answers.bad = () => actions({ error: { message: 'too loud', data: { limit: 3 } } });
  answers.forbidden = () => ({ status: 403, body: { message: 'members only' } });
  const socket = await clients.open(site.url);
  const { error } = await ask(socket, 'bad');
  assert.deepEqual([error.status, error.message], [400, 'too loud']);
  const refusal = await ask(socket, 'forbidden');
  assert.deepEqual([refusal.error.status, refusal.error.message], [403, 'members only']);
  assert.deepEqual(await askAll(socket, 'fence'), []);
});

overEachTransport('actions address rooms, everyone, all but some, and other namespaces', async (clients, way) => {
  const room = `room-${way}`;
  answers.connect = ({ socket }) => actions({ join: socket.handshake.auth.in ? [room] : [] });
  answers.act = ({ args }) => actions({ emit: args[0], ack: [] });
  const [ada, bob, eve] = await Promise.all([true, true, false].map((inside) => clients.open(site.url, { auth: { in: inside } })));
  const plain = await clients.open(`${site.url}/plain`);
  const heard = [ada, bob, eve, plain].map((socket) => record(socket, 'news'));
  await ask(ada, 'act', [
    { event: 'news', data: 'to the room', to: [room] },
    { event: 'news', data: 'to the room but ada', to: [room], except: [ada.id] },
    { event: 'news', data: 'to ada' },
    { event: 'news', data: 'to bob by id', to: [bob.id] },
    { event: 'news', data: 'to plain', namespace: '/plain', everyone: true },
    { event: 'news', data: 'to nobody', to: ['an empty room'] },
    { event: 'news', data: 'the end', everyone: true },
  ]);
  for (const log of heard.slice(0, 3)) await log.find((news) => news === 'the end');
  await heard[3].find(() => true);
  assert.deepEqual(
    heard.map((log) => log.entries),
    [
      ['to the room', 'to ada', 'the end'],
      ['to the room', 'to the room but ada', 'to bob by id', 'the end'],
      ['the end'],
      ['to plain'],
    ],
  );
});

overEachTransport('join and leave act before emit, and state lasts', async (clients) => {
  answers.enter = () => actions({ join: ['now'], emit: [{ event: 'news', to: ['now'], data: 1 }], state: { in: true } });
  answers.exit = () => actions({ leave: ['now'], emit: [{ event: 'news', to: ['now'], data: 2 }] });
  const socket = await clients.open(site.url);
  const news = record(socket, 'news');
  for (const event of ['enter', 'exit']) socket.emit(event);
  await ask(socket, 'fence');
  assert.deepEqual(news.entries, [1]);
  const fence = await envelope((e) => e.event === 'fence' && e.socket.id === socket.id);
  assert.deepEqual([fence.socket.state, fence.socket.rooms], [{ in: true }, [socket.id]]);
});

overEachTransport('the client’s ack goes to the hook', async (clients) => {
  answers.start = () => actions({ emit: [{ event: 'question', args: ['how many?'], ack: true }] });
  const socket = await clients.open(site.url);
  socket.on('question', (text, answer) => answer(42, { text, raw: Buffer.from([9]) }));
  socket.emit('start');
  const ack = await envelope((e) => e.type === 'ack' && e.socket.id === socket.id);
  assert.deepEqual(ack.args, [42, { text: 'how many?', raw: { $binary: 'CQ==' } }]);
});

overEachTransport('a hook disconnects its socket', async (clients) => {
  answers.leave = () => actions({ ack: ['bye'], disconnect: true });
  const socket = await clients.open(site.url);
  const { id } = socket;
  const gone = next(socket, 'disconnect');
  assert.equal(await ask(socket, 'leave'), 'bye');
  assert.equal((await gone)[0], 'io server disconnect');
  const left = await envelope((e) => e.type === 'disconnect' && e.socket.id === id);
  assert.equal(left.reason, 'server namespace disconnect');
});
