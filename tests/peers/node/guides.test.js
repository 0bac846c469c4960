// What docs/guides says, done: the chat's config as it stands before a REST API, and the notifications of every
// language.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { chatBackend } from '../support/backend.js';
import { Clients, ask, rest } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next, within } from '../support/wait.js';

/** The code blocks of a guide in one language. */
function blocks(guide, language) {
  const text = readFileSync(new URL(`../../../docs/guides/${guide}.md`, import.meta.url), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code]) => code);
}

test("the chat's guide does what it says", async (t) => {
  const [config, ...others] = blocks('chat', 'yaml');
  assert.deepEqual(others, []);
  const own = config.replace('0.0.0.0:4000', '127.0.0.1:0');
  assert.notEqual(own, config);
  const backend = chatBackend();
  const env = { CLIENT_URL: 'https://page.example' };
  // The guide's API has a URL before frontroom starts, as here.
  await backend.listen();
  backend.listen = async () => backend;
  const site = await startSite(backend, { config: own, env: { ...env, API_URL: backend.url } });
  t.after(() => site.stop());

  const clients = new Clients(t);
  const page = (user) => clients.open(site.url, { withCredentials: true, auth: { token: `token-${user}` } });
  const [ada, bob] = [await page('ada'), await page('bob')];
  assert.deepEqual(await ask(ada, 'joinRoom', { chatRoomId: 7 }), { id: '7' });
  const refused = await ask(bob, 'joinRoom', { chatRoomId: 9 });
  assert.equal(refused.error.message, 'This room is private');
  const wrong = await ask(bob, 'joinRoom', { chatRoomId: '7' });
  assert.deepEqual([wrong.error.status, wrong.error.body.errors[0].path], [400, '/chatRoomId']);

  const heard = next(ada, 'newMessage');
  const sent = await ask(bob, 'sendMessage', { chatRoomId: 7, text: 'hello', user: 'eve' });
  assert.deepEqual([sent.user, sent.text], ['bob', 'hello']);
  assert.deepEqual(await heard, [sent]);
  const again = next(ada, 'newMessage');
  const posted = await rest(site.url, 'POST', '/chat/rooms/7/messages', { user: 'bob', body: { text: 'by REST' } });
  assert.deepEqual(await again, [posted.body]);

  const preflight = await fetch(`${site.url}/chat/rooms/7/messages`, {
    method: 'OPTIONS',
    headers: { origin: env.CLIENT_URL, 'access-control-request-method': 'POST' },
  });
  assert.equal(preflight.headers.get('access-control-allow-origin'), env.CLIENT_URL);
  assert.equal(preflight.headers.get('access-control-allow-credentials'), 'true');
});

/** The URL of the admin listener, whose line comes after the first. */
function adminOf(gateway) {
  const line = new Promise((resolve) => {
    const look = () => {
      const found = /admin on (http:\S+)/.exec(gateway.output);
      if (found) resolve(found[1]);
      else setTimeout(look, 10);
    };
    look();
  });
  return within(line, 'the admin listener');
}

/** How a snippet is run: its block's language, its file, and the command before that file. */
const LANGUAGES = [
  { language: 'sh', file: 'notify.sh', command: ['sh'] },
  { language: 'python', file: 'notify.py', command: ['python3'] },
  { language: 'js', file: 'notify.mjs', command: [process.execPath] },
  { language: 'php', file: 'notify.php', command: ['php'] },
  { language: 'java', file: 'Notify.java', command: ['java'] },
  { language: 'go', file: 'notify.go', command: ['go', 'run'] },
];

test('notifications reach all sockets of a user, from every language', async (t) => {
  const [config] = blocks('notifications', 'yaml');
  const own = config.replace('127.0.0.1:4001', '127.0.0.1:0');
  const backend = chatBackend();
  await backend.listen();
  backend.listen = async () => backend;
  const env = { API_URL: backend.url, ADMIN_TOKEN: 'let-me-in' };
  const site = await startSite(backend, { config: `listen: 127.0.0.1:0\n${own}`, env });
  t.after(() => site.stop());
  const admin = await adminOf(site.gateway);
  const clients = new Clients(t, 'websocket');
  const page = (user) => clients.open(site.url, { auth: { token: `token-${user}` } });
  const [first, second, other] = [await page('42'), await page('42'), await page('43')];
  other.on('notification', () => assert.fail('another user hears it'));

  const folder = mkdtempSync(join(tmpdir(), 'frontroom-guide-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const { language, file, command } of LANGUAGES) {
    const snippet = blocks('notifications', language).find((code) => code.includes('/v1/emit'));
    assert.ok(snippet, `${language} is in the guide`);
    writeFileSync(join(folder, file), snippet);
    const heard = [first, second].map((socket) => next(socket, 'notification', `${language}'s notification`));
    const run = spawn(command[0], [...command.slice(1), file], {
      cwd: folder,
      env: { ...process.env, FRONTROOM: admin, ADMIN_TOKEN: env.ADMIN_TOKEN },
    });
    let output = '';
    for (const stream of [run.stdout, run.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    run.on('error', (error) => (output += error));
    const [code] = await next(run, 'close', `the end of ${language}`);
    assert.equal(code, 0, `${language}: ${output}`);
    assert.match(output, /\b2\b/, `${language} tells the sockets: ${output}`);
    for (const event of heard) assert.deepEqual(await event, [{ text: 'Your book has been shipped' }], language);
  }
});
