// A page over TLS, as Chromium speaks it: polling over HTTP/2, WebSockets over a connection of their own.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Backend } from '../support/backend.js';
import { launch } from '../support/browser.js';
import { startSite } from '../support/gateway.js';

const SCRIPT = readFileSync(
  new URL('../node_modules/socket.io-client/dist/socket.io.min.js', import.meta.url),
  'utf8',
);
const CONFIG = `
listen: {address: 127.0.0.1:0, tls: {certificates: {cert: "\${FOLDER}/tls.crt", key: "\${FOLDER}/tls.key"}}}
admin: {listen: 127.0.0.1:0}
upstream: \${UPSTREAM}
socketio: {events: {back: {ack: "{{ data }}"}, how: {ack: "{{ socket.handshake.secure }}"}}}
`;

let folder;
let site;
let browser;
let page;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'frontroom-tls-'));
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-subj', '/CN=secure.test', '-addext', 'subjectAltName=DNS:secure.test'],
    ...['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')],
  ], { stdio: 'ignore' });
  const backend = new Backend();
  const html = { 'content-type': 'text/html; charset=utf-8' };
  backend.on('GET /', () => ({ headers: html, text: `<!doctype html><title>Safe</title><script>${SCRIPT}</script>` }));
  site = await startSite(backend, { config: CONFIG, env: { FOLDER: folder } });
  browser = await launch();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(site.url.replace('127.0.0.1', 'secure.test'));
});
after(async () => {
  await browser?.close();
  await site?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Connects in the page; what was asked of it, and the transport at the end. */
function talk(transports) {
  return page.evaluate(
    (transports) =>
      new Promise((resolve, reject) => {
        const socket = io({ transports, forceNew: true, reconnection: false });
        socket.on('connect_error', reject);
        socket.on('connect', async () => {
          const engine = socket.io.engine;
          if (transports.length === 2 && engine.transport.name === 'polling') {
            await new Promise((done) => engine.once('upgrade', done));
          }
          const back = await socket.emitWithAck('back', { a: [1, 'ü'] });
          const secure = await socket.emitWithAck('how');
          const transport = engine.transport.name;
          socket.close();
          resolve({ back, secure, transport });
        });
      }),
    transports,
  );
}

/** The protocols of the page's requests to Socket.IO. */
const protocols = () =>
  page.evaluate(() => [
    ...new Set(
      performance
        .getEntriesByType('resource')
        .filter((entry) => entry.name.includes('/socket.io/'))
        .map((entry) => entry.nextHopProtocol),
    ),
  ]);

for (const [transports, transport] of [
  [['polling'], 'polling'],
  [['websocket'], 'websocket'],
  [['polling', 'websocket'], 'websocket'],
]) {
  test(`a page over TLS talks by ${transports.join(' and ')}`, async () => {
    assert.deepEqual(await talk(transports), { back: { a: [1, 'ü'] }, secure: true, transport });
    if (transports.includes('polling')) assert.deepEqual(await protocols(), ['h2']);
  });
}
