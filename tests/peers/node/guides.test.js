// The chat of docs/guides/chat.md: its config as it stands, before a REST API, and the page of the guide.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { chatBackend } from '../support/backend.js';
import { Clients, ask, rest } from '../support/clients.js';
import { startSite } from '../support/gateway.js';
import { next } from '../support/wait.js';

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
