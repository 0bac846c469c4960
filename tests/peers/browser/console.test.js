// The console on the admin listener, as who runs a site uses it, while stock clients chat.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chatBackend } from '../support/backend.js';
import { launch, newPage } from '../support/browser.js';
import { ask, Clients, record } from '../support/clients.js';
import { CHAT, startSite } from '../support/gateway.js';
import { next, within } from '../support/wait.js';

const SCREENSHOTS = process.env.SCREENSHOTS ?? fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));
const TOKEN = 's3cret-admin-token';
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 860 };

let browser;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** A site whose admin listener has this token, or none. */
async function start(token) {
  const admin = `admin: {listen: "127.0.0.1:0"${token ? `, token: ${token}` : ''}}\n`;
  const site = await startSite(chatBackend(), { config: CHAT.replace(/^admin:.*\n/m, '') + admin });
  const address = (line) => /admin on (http:\/\/\S+)/.exec(line)?.[1];
  site.admin = address(site.gateway.output) ?? (await site.gateway.printed(address, 'the admin listener'));
  return site;
}

/** The console in a context of its own; what it complains of is kept. */
async function visit(site, options = {}) {
  const page = await newPage(browser, site.admin, { viewport: WIDE, ...options });
  await page.goto(`${site.admin}/`);
  assert.equal(page.url(), `${site.admin}/console`, 'the root leads to the console');
  return page;
}

/** Sends some twenty messages a second, until the returned function is called. */
function chatter(socket) {
  let going = true;
  const done = (async () => {
    while (going) {
      await ask(socket, 'sendMessage', { chatRoomId: 7, text: 'content-of-ada' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return async () => {
    going = false;
    await done;
  };
}

const plot = (page, title) => page.locator('.plot', { hasText: title });
const value = async (page, title, line) => {
  const text = await plot(page, title).locator('li', { hasText: line }).locator('b').textContent();
  return Number.parseFloat(text);
};

/** Waits until the page shows what is looked for. */
const eventually = (page, what, look) =>
  within(
    (async () => {
      for (;;) {
        const seen = await look();
        if (seen) return seen;
        await page.waitForTimeout(100);
      }
    })(),
    what,
  );

describe('with a token', () => {
  let site;
  let page;
  before(async () => {
    site = await start(TOKEN);
    page = await visit(site);
  });
  after(() => site?.stop());

  test('it asks for the token, and for the right one', async () => {
    await page.waitForSelector('#login:not([hidden])');
    assert.equal(await page.locator('#main').isHidden(), true);
    await page.fill('#token', 'wrong');
    await page.click('#login button');
    await page.waitForSelector('text=the admin token is another');
    await page.fill('#token', TOKEN);
    await page.click('#login button');
    await page.waitForSelector('#main:not([hidden])');
    await page.waitForSelector('#state.good');
    assert.equal(await page.textContent('#state'), 'ready');
    // The browser itself notes each 401.
    assert.deepEqual(page.complaints.filter((text) => !text.includes('401')), []);
    page.complaints = [];
    assert.ok(!page.url().includes(TOKEN));
  });

  test('it finds a socket, follows it, emits to its room, and disconnects it', async (t) => {
    const clients = new Clients(t, 'websocket');
    const ada = await clients.enter(site.url, 'ada', 7);
    const bob = await clients.enter(site.url, 'bob', 7);
    const notes = record(ada, 'note');
    const stop = chatter(ada);

    await eventually(page, 'two WebSockets', async () => (await value(page, 'Connections', 'WebSocket')) === 2);
    await eventually(page, 'events', async () => (await value(page, 'Events and deliveries', 'events')) > 0);
    await eventually(page, 'deliveries', async () => (await value(page, 'Events and deliveries', 'deliveries')) > 0);
    await eventually(page, 'latencies', async () => (await value(page, 'Upstream latency', '95 %')) > 0);
    await eventually(page, 'latencies', async () => (await value(page, 'Latency of rules', 'median')) > 0);
    await eventually(page, 'the chat room and two users', async () => (await value(page, 'Rooms', 'rooms')) >= 3);
    const drawn = await plot(page, 'Events and').locator('path.one').getAttribute('d');
    await eventually(page, 'a plot that moves', async () => (await plot(page, 'Events and').locator('path.one').getAttribute('d')) !== drawn);

    await page.fill('#what', 'user:ada');
    await page.click('#find button');
    await page.waitForSelector('#socket:not([hidden])');
    assert.equal(await page.textContent('#socket-id'), ada.id);
    assert.equal(await page.textContent('#found'), 'One socket');
    const shown = await page.textContent('#socket');
    assert.match(shown, /chat:7/);
    assert.match(shown, /EIO/);
    assert.doesNotMatch(shown, /token-ada/);

    await page.click('#follow');
    await page.waitForSelector('#moments td:has-text("sendMessage")');
    await page.waitForSelector('#moments td:has-text("newMessage")');
    await page.waitForSelector('#moments .kind:has-text("ack sent")');
    assert.doesNotMatch(await page.textContent('#moments'), /content-of-ada/, 'no contents unless they are asked for');
    await page.check('#payload');
    await page.waitForSelector('#moments td:has-text("content-of-ada")');
    await page.fill('#only', 'note');

    await page.fill('#to', 'chat:7');
    await page.fill('#event', 'note');
    await page.fill('#data', '{"text": ');
    await page.click('#emit button');
    await page.waitForSelector('text=The data is not JSON');
    await page.fill('#data', '{"text": "from the console <b>"}');
    await page.click('#emit button');
    await page.waitForSelector('text=Queued for 2 sockets');
    assert.deepEqual(await notes.find(() => true, 'the note'), { text: 'from the console <b>' });
    await page.waitForSelector('#moments td:has-text("from the console <b>")');
    await page.screenshot({ path: `${SCREENSHOTS}/console-follow.png`, fullPage: true });

    await stop();
    const left = next(ada, 'disconnect', 'the disconnect');
    await page.click('#disconnect');
    await page.click('#disconnect:has-text("Click again")');
    assert.deepEqual((await left)[0], 'io server disconnect');
    await page.waitForSelector('#done:has-text("Disconnected")');
    await page.waitForSelector('#moments .kind:has-text("disconnected")');
    await page.waitForSelector('#live-state:has-text("the socket has left")');
    assert.equal(bob.connected, true);
    assert.deepEqual(page.complaints, []);
  });

  test('it tells what the log warned of', async () => {
    await site.backend.close();
    try {
      assert.equal((await fetch(`${site.url}/chat/rooms/7`)).status, 502);
      await page.waitForSelector('#errors li:has-text("upstream request failed")');
      await page.waitForSelector('#errors li:has-text("upstream=default")');
    } finally {
      await site.backend.listen(site.backend.port);
    }
  });

  test('it can be read in the dark and on a telephone', async (t) => {
    const clients = new Clients(t, 'websocket');
    const ada = await clients.enter(site.url, 'ada', 7);
    const stop = chatter(ada);
    for (const [name, options] of Object.entries({
      'console-light': {},
      'console-dark': { colorScheme: 'dark' },
      'console-narrow': { viewport: NARROW },
      'console-narrow-dark': { viewport: NARROW, colorScheme: 'dark' },
    })) {
      const other = await visit(site, options);
      await other.fill('#token', TOKEN);
      await other.click('#login button');
      await other.waitForSelector('#main:not([hidden])');
      await other.click('#find button');
      await other.waitForSelector('#socket:not([hidden])');
      await eventually(other, 'events', async () => (await value(other, 'Events and', 'events')) > 0);
      const wider = await other.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wider, 0, `${name}: nothing is cut off at the side`);
      await other.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
      await other.context().close();
    }
    await stop();
  });

  test('it says when the gateway is not reached, and goes on when it is again', async () => {
    await page.route('**/metrics', (route) => route.abort());
    await page.waitForSelector('#state:has-text("not reached")');
    await page.waitForSelector('.plot .big:has-text("–")');
    await page.unroute('**/metrics');
    await page.waitForSelector('#state.good');
    await eventually(page, 'values', async () => (await value(page, 'Connections', 'open')) >= 0);
  });

  test('the token is forgotten', async () => {
    await page.click('#forget');
    await page.waitForSelector('#login:not([hidden])');
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
});

describe('without a token, on this machine', () => {
  let site;
  before(async () => (site = await start()));
  after(() => site?.stop());

  test('it opens at once, and acts', async (t) => {
    const ada = await new Clients(t, 'websocket').enter(site.url, 'ada', 7);
    const notes = record(ada, 'note');
    const page = await visit(site);
    await page.waitForSelector('#main:not([hidden])');
    await page.fill('#to', 'user:ada');
    await page.fill('#event', 'note');
    await page.fill('#data', '[1]');
    await page.click('#emit button');
    await page.waitForSelector('text=Queued for 1 socket');
    assert.deepEqual(await notes.find(() => true, 'the note'), [1]);
    assert.deepEqual(page.complaints, []);
  });

  test('a page of another origin, or under another name, gets nowhere', async () => {
    const { port } = new URL(site.admin);
    const page = await (await browser.newContext()).newPage();
    const rebound = await page.goto(`http://admin.test:${port}/console`);
    assert.equal(rebound.status(), 403);
    await page.goto(`${site.url}/auth/me`);
    const answer = await page.evaluate(
      (url) => fetch(url, { method: 'POST', mode: 'no-cors', body: '{"event":"e","everyone":true}' }).then(({ type }) => type, String),
      `${site.admin}/v1/emit`,
    );
    const metrics = await (await fetch(`${site.admin}/metrics`)).text();
    assert.match(metrics, /frontroom_admin_calls_total\{path="\/v1\/emit",status="403"\} 1/, answer);
  });
});
