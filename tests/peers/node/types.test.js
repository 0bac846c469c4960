// What `frontroom types` prints: held by TypeScript against socket.io-client's own types, and by the official
// JSON Schema of AsyncAPI.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { binary } from '../support/gateway.js';

const PEERS = fileURLToPath(new URL('..', import.meta.url));
const SITE = join(PEERS, 'types/site.yaml');
const EXAMPLE = join(PEERS, '../../config.example.yaml');
const TSC = join(PEERS, 'node_modules/typescript/bin/tsc');
const OPTIONS = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', ''];

/** What `frontroom types` prints of a config. */
function types(config, ...args) {
  const { status, stdout, stderr } = spawnSync(binary(), ['types', '--config', config, ...args], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout;
}

/** What tsc says of the uses of these types, below tests/peers so that it finds the packages. */
function compile(events, uses) {
  const folder = mkdtempSync(join(PEERS, '.types-'));
  try {
    writeFileSync(join(folder, 'events.ts'), events);
    writeFileSync(join(folder, 'uses.ts'), uses);
    const { status, stdout } = spawnSync(process.execPath, [TSC, ...OPTIONS, 'uses.ts'], { cwd: folder, encoding: 'utf8' });
    return { status, stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('right uses of the interfaces compile, and wrong ones do not', () => {
  const events = types(SITE);
  const uses = readFileSync(join(PEERS, 'types/uses.ts'), 'utf8');
  assert.ok(uses.match(/@ts-expect-error/g).length > 20);
  assert.deepEqual(compile(events, uses), { status: 0, stdout: '' });
  // What is expected is looked for: a wrong use that compiled would be told.
  const right = uses.replace("socket.emit('joinRooms'", "socket.emit('joinRoom'");
  assert.match(compile(events, right).stdout, /Unused '@ts-expect-error'/);
});

test("the example's interfaces compile", () => {
  const uses = `
    import { io, type Socket } from 'socket.io-client';
    import type { ClientToServerEvents, ServerToClientEvents } from './events.js';
    const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
    socket.emit('joinRoom', { chatRoomId: 7 });
    socket.on('newMessage', (message) => message);`;
  assert.deepEqual(compile(types(EXAMPLE, '--format', 'typescript'), uses), { status: 0, stdout: '' });
});

test('the AsyncAPI document is valid, leads nowhere wrong, and describes what is sent', () => {
  const schema = JSON.parse(readFileSync(join(PEERS, 'node_modules/@asyncapi/specs/schemas/3.0.0.json')));
  // Ajv brings its own copy of this one.
  delete schema.definitions['http://json-schema.org/draft-07/schema'];
  const ajv = new Ajv.default({ strict: false });
  addFormats.default(ajv);
  const isAsyncApi = ajv.compile(schema);
  for (const config of [SITE, EXAMPLE]) {
    const document = JSON.parse(types(config, '--format', 'asyncapi'));
    assert.ok(isAsyncApi(document), JSON.stringify(isAsyncApi.errors, null, 1));
    assert.ok(!isAsyncApi({ ...document, channels: { root: { adress: '/' } } }));
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, to]) => to);
    assert.ok(references.length > 20);
    for (const to of references) assert.notEqual(resolve(document, to), undefined, to);
  }

  const document = JSON.parse(types(SITE, '--format', 'asyncapi'));
  ajv.addSchema(document, 'document');
  const payload = (message) => ajv.getSchema(`document#/components/messages/${message}/payload`);
  for (const [message, right, wrong] of [
    ['client.joinRoom', { chatRoomId: 7 }, { chatRoomId: '7' }],
    ['client.sendMessage', { chatRoomId: 7, text: 'x', place: [1, 2], attachments: [{ name: 'a', parts: [] }] }, { chatRoomId: 7, text: 'x', place: [1, 2, 3] }],
    ['ack.sendMessage', { id: 1, status: 201, text: 'x', ok: true }, { id: 1 }],
    ['ack.sendMessage', { error: { status: 400, code: 'bad_event', message: 'no' } }, {}],
    ['server.left', ['a', 'transport close'], ['a']],
    ['OrgId.server.changed', null, 1],
    ['server.roomClosed', { id: '7', reason: 'deleted' }, { id: '7', reason: 'sold' }],
  ]) {
    assert.ok(payload(message)(right), `${message} ${JSON.stringify(right)}`);
    assert.ok(!payload(message)(wrong), `${message} ${JSON.stringify(wrong)}`);
  }
  assert.equal(document.components.messages['server.left']['x-arguments'], undefined);
  assert.equal(document.components.messages['client.move']['x-arguments'], 2);
  assert.deepEqual(document.channels.OrgId.parameters, { id: {} });
  assert.equal(document.operations['client.typing'].reply, undefined);
  assert.equal(document.operations['client.joinRoom'].action, 'receive');
});

test('a config that does not compile has no types', () => {
  const folder = mkdtempSync(join(PEERS, '.types-'));
  try {
    writeFileSync(join(folder, 'bad.yaml'), 'upstream: http://127.0.0.1:1\nsocketio: {events: {a: {schema: 5}}}\n');
    const { status, stdout, stderr } = spawnSync(binary(), ['types', '-c', 'bad.yaml'], { cwd: folder, encoding: 'utf8' });
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /^bad\.yaml:2:33: socketio\.events\.a\.schema: is no JSON Schema/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function resolve(document, pointer) {
  return pointer.split('/').slice(1).reduce((value, key) => value?.[key.replace(/~1/g, '/').replace(/~0/g, '~')], document);
}
