// The official Admin UI, out of its npm package and on a site of its own, looks at a gateway and does things there.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { dirname, extname, join, normalize } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { LOGIN, config, startOurs } from '../support/admin-ui.js';
import { launch } from '../support/browser.js';
import { ask, connected } from '../support/clients.js';
import { next } from '../support/wait.js';

const SCREENSHOTS = process.env.SCREENSHOTS ?? fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));
const UI = join(dirname(createRequire(import.meta.url).resolve('@socket.io/admin-ui/package.json')), 'ui/dist');
const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' };

let browser;
let client;
let page;
let site;
let http;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  http = createServer((req, res) => {
    const path = normalize(new URL(req.url, 'http://ui').pathname);
    try {
      const file = readFileSync(join(UI, path === '/' ? 'index.html' : path));
      res.setHeader('content-type', KINDS[extname(path)] ?? 'text/html').end(file);
    } catch {
      res.writeHead(404).end();
    }
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://ui.test:${http.address().port}`;
  site = await startOurs(config(', mode: development', '', `["${origin}"]`));
  browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.failures = [];
  page.on('pageerror', (error) => page.failures.push(String(error)));
  page.origin = origin;
  // The page looks at the namespace `/` where somebody is in it.
  client = io(site.url, { forceNew: true });
  await connected(client);
});
after(async () => {
  client?.close();
  await browser?.close();
  await site?.stop();
  http?.closeAllConnections();
  await new Promise((resolve) => http?.close(resolve) ?? resolve());
});

const picture = (name) => page.screenshot({ path: `${SCREENSHOTS}admin-ui-${name}.png` });
const go = (name) => page.locator('.v-navigation-drawer').getByText(name, { exact: true }).click();
const field = (label) => page.locator('.v-dialog .v-text-field', { hasText: label }).locator('input').first();

async function login(password) {
  await field('Server URL').fill(site.url);
  await field('Username').fill(LOGIN.username);
  await field('Password').fill(password);
  await page.locator('.v-dialog').getByRole('button', { name: /connect/i }).click();
}

test('the page logs in across origins, and is refused with a wrong password', async () => {
  await page.goto(page.origin);
  await login('wrong');
  await page.locator('.v-dialog').getByText('invalid credentials').waitFor();
  await picture('refused');
  await login(LOGIN.password);
  await page.locator('.v-dialog').waitFor({ state: 'hidden' });
});

test('it shows the server, its sockets and their events, and disconnects one', async () => {
  const { id } = client;
  await ask(client, 'joinRoom', 'room-1');
  await ask(client, 'hello', 'content');
  await page.getByRole('cell', { name: '/admin', exact: true }).waitFor();
  await picture('dashboard');
  await go('Sockets');
  await page.locator('tr', { hasText: id }).waitFor();
  await picture('sockets');
  await go('Rooms');
  await page.getByText('room-1').first().waitFor();
  await picture('rooms');
  await go('Events');
  await page.getByText('hello').first().waitFor();
  await page.getByText('answer').first().waitFor();
  await picture('events');
  await go('Servers');
  await page.locator('tr', { hasText: hostname() }).waitFor();
  await picture('servers');
  await go('Sockets');
  const row = page.locator('tr', { hasText: id });
  const left = next(client, 'disconnect');
  await row.getByRole('button').last().click();
  assert.equal((await left)[0], 'io server disconnect');
  await go('Sockets');
  await row.first().waitFor({ state: 'detached' });
});

test('a page that is loaded again comes in by its session', async () => {
  await page.reload();
  await go('Sockets');
  await page.getByText('/admin').first().waitFor({ state: 'attached' });
  assert.equal(await page.locator('.v-dialog--active').count(), 0, 'nobody is asked for a password');
  await picture('again');
  assert.deepEqual(page.failures, []);
});
