// `frontroom demo` as two people use it, each in a browser of their own.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, newPage } from '../support/browser.js';
import { Process } from '../support/gateway.js';

const SCREENSHOTS = fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

let demo;
let url;
let browser;
let ada;
let bob;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  demo = new Process(['demo', '--listen', '127.0.0.1:0']);
  url = await demo.printed((line) => /(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1], 'the demo prints its URL');
  browser = await launch();
  ada = await visit(WIDE);
  bob = await visit(NARROW);
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** A page of a browser of its own; what it complains of is kept. */
async function visit(viewport) {
  const page = await newPage(browser, url, { viewport });
  page.on('requestfailed', (request) => {
    // Socket.IO gives up its waiting poll when it goes over to websocket.
    if (!request.url().includes('/socket.io/')) page.complaints.push(`${request.url()} failed`);
  });
  await page.goto(url);
  return page;
}

async function enter(page, name) {
  await page.fill('#name', name);
  await page.click('#login');
  await page.waitForSelector('#connection[data-state="connected"][data-transport="websocket"]');
}

const say = async (page, text) => {
  await page.fill('#composer', text);
  await page.click('#send');
};
const message = (page, text) => page.locator('#messages .message', { hasText: text });
const picture = (page, name) => page.screenshot({ path: `${SCREENSHOTS}${name}.png` });

test('two people come in and the connection reaches websocket', async () => {
  await picture(ada, 'login-wide');
  await picture(bob, 'login-narrow');
  const transports = await ada.evaluateHandle(() => {
    const seen = [];
    new MutationObserver(() => seen.push(document.querySelector('#connection').dataset.transport)).observe(
      document.querySelector('#connection'),
      { attributes: true, attributeFilter: ['data-transport'] },
    );
    return seen;
  });
  await enter(ada, 'Ada');
  await enter(bob, 'Bob');
  const seen = (await transports.jsonValue()).filter(Boolean);
  assert.deepEqual([seen[0], seen.at(-1)], ['polling', 'websocket']);
  await picture(bob, 'rooms-narrow');
});

test('each sees the other’s message, once, and the history before it', async () => {
  for (const page of [ada, bob]) {
    await page.click('[data-room="1"]');
    await page.waitForSelector('#messages .message');
  }
  await say(ada, 'Good morning, Bob');
  await message(bob, 'Good morning, Bob').waitFor();
  await say(bob, 'Good morning, Ada <b>not bold</b>');
  await message(ada, 'Good morning, Ada <b>not bold</b>').waitFor();
  for (const page of [ada, bob]) {
    assert.equal(await message(page, 'Good morning, Bob').count(), 1);
    assert.equal(await message(page, 'Good morning, Ada').count(), 1);
  }
  assert.equal(await bob.inputValue('#composer'), '');
  await picture(ada, 'chat-wide');
  await picture(bob, 'chat-narrow');
});

test('who types is shown to the other only', async () => {
  await bob.locator('#composer').pressSequentially('I am writing', { delay: 20 });
  await ada.waitForFunction(() => document.querySelector('#typing').textContent.includes('Bob'));
  await picture(ada, 'typing-wide');
  assert.equal((await bob.textContent('#typing')).trim(), '');
  await bob.fill('#composer', '');
});

test('a message posted over REST appears at once', async () => {
  const headers = { 'content-type': 'application/json' };
  const post = (path, body, more) =>
    fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers: { ...headers, ...more } });
  const { token } = await (await post('/auth/login', { name: 'Carol' })).json();
  const posted = await post('/chat/rooms/1/messages', { content: 'By the back door' }, { authorization: `Bearer ${token}` });
  assert.equal(posted.status, 201);
  await Promise.all([ada, bob].map((page) => message(page, 'By the back door').waitFor()));
});

test('a reload keeps the session, the room and its messages', async () => {
  await ada.reload();
  await ada.waitForSelector('#connection[data-state="connected"][data-transport="websocket"]');
  await message(ada, 'Good morning, Bob').waitFor();
  await say(bob, 'Still there?');
  await message(ada, 'Still there?').waitFor();
});

test('a room for others is refused in words', async () => {
  await ada.click('[data-room="3"]');
  await ada.waitForSelector('#refusal:visible');
  assert.ok((await ada.textContent('#refusal')).trim().length > 0);
  assert.equal(await ada.locator('#messages .message:visible').count(), 0);
  await picture(ada, 'refused-wide');
});

test('nothing was complained of, and who logs out is at the door', async () => {
  assert.deepEqual(ada.complaints, []);
  assert.deepEqual(bob.complaints, []);
  await ada.click('#logout');
  await ada.waitForSelector('#name:visible');
});
