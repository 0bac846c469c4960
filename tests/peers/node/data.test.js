// What goes through unchanged: binary, Unicode, numbers, nesting.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { ask, askAll, overEachTransport, record, rest } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

const CONFIG = `
listen: 127.0.0.1:0
upstream: \${UPSTREAM}
socketio:
  connect: {join: files}
  events:
    echo: {ack: ["{{ data }}"]}
    send: {emit: {event: file, to: files, except: "{{ socket.id }}", args: ["{{ args[0] }}", "{{ args[1] }}"]}}
    store: {request: POST /store}
taps:
  - {on: POST /publish, emit: {event: published, to: files, data: "{{ response.body }}"}}
admin: {listen: "127.0.0.1:0"}
shutdown: {grace: 1s}
`;
const EXACT = '{"z":1.0,"a":12345678901234567890,"e":1e3,"s":"\\u00e9","n":{"b":[],"a":{}}}';

let site;
before(async () => {
  const backend = new Backend();
  backend.on('POST /store', ({ text }) => ({ text }));
  backend.on('POST /publish', () => ({ text: EXACT }));
  site = await startSite(backend, { config: CONFIG });
});
after(() => site?.stop());

overEachTransport('binary reaches the others byte for byte', async (clients) => {
  const [ada, bob] = [await clients.open(site.url), await clients.open(site.url)];
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const given = [every, { name: 'a.bin', parts: [Buffer.alloc(0), { inner: Buffer.from('héllo') }], n: 1 }];
  const file = next(bob, 'file');
  ada.emit('send', ...given);
  assert.deepEqual(await file, given);
});

overEachTransport('binary comes back in an ack', async (clients) => {
  const socket = await clients.open(site.url);
  const data = { picture: Buffer.from([0, 1, 254, 255]), list: [Buffer.from('x'), 'y'] };
  assert.deepEqual(await askAll(socket, 'echo', data), [data]);
});

overEachTransport('an object that looks like our form of binary stays an object', async (clients) => {
  const [ada, bob] = [await clients.open(site.url), await clients.open(site.url)];
  const data = { a: { $binary: 'AQID' }, b: { $$binary: 'AQID' }, c: Buffer.from([1, 2, 3]) };
  assert.deepEqual(await ask(ada, 'echo', data), data);
  const file = next(bob, 'file');
  ada.emit('send', data, { $binary: 'AQID' });
  assert.deepEqual(await file, [data, { $binary: 'AQID' }]);
});

overEachTransport('Unicode and JSON of every kind pass as they are', async (clients) => {
  const socket = await clients.open(site.url);
  const values = [
    'ünïcödé 😀 \u0000 \u2028 "quotes" \\ \n \u001e 漢字',
    { 'ключ': 'значение', '': 0, 'a.b': { '{{ data }}': '{{ 1 + 1 }}' } },
    '12345678901234567890',
    9007199254740991,
    -0.000001,
    [[], {}, [null, true, false]],
    null,
    false,
    0,
    '',
  ];
  for (const value of values) {
    assert.deepEqual(await ask(socket, 'echo', value), value);
    assert.deepEqual(await ask(socket, 'store', value), value);
  }
  assert.equal(site.backend.requests('POST /store').at(-1).text, '""');
});

overEachTransport('a long message is one message', async (clients) => {
  const [ada, bob] = [await clients.open(site.url), await clients.open(site.url)];
  const files = record(bob, 'file');
  const long = 'ä€😀x'.repeat(20_000);
  ada.emit('send', long, 1);
  assert.equal(await files.find(() => true), long);
});

test('key order and the spelling of numbers survive', async (t) => {
  const base = `${site.url}/socket.io/?EIO=4&transport=polling`;
  const open = await (await fetch(base)).text();
  const session = `${base}&sid=${JSON.parse(open.slice(1)).sid}`;
  t.after(() => fetch(session, { method: 'POST', body: '1' }).catch(() => {}));
  const post = async (body) => assert.equal(await (await fetch(session, { method: 'POST', body })).text(), 'ok');
  const poll = async () => (await fetch(session)).text();

  await post('40');
  assert.match(await poll(), /^40\{"sid":"[^"]+"\}$/);
  const published = await rest(site.url, 'POST', '/publish', { body: {} });
  assert.equal(published.text, EXACT);
  const event = (await poll()).replaceAll('é', '\\u00e9');
  assert.equal(event, `42["published",${EXACT}]`);
  await post(`427["store",${EXACT}]`);
  assert.equal((await poll()).replaceAll('é', '\\u00e9'), `437[${EXACT}]`);
  assert.equal(site.backend.requests('POST /store').at(-1).text.replaceAll('é', '\\u00e9'), EXACT);
});
