// The console: polls the admin listener's metrics once a second, and calls its API.
// What comes from outside is only ever set as text.
'use strict';

const EVERY_MS = 1000;
/** Samples that a plot shows, at first and at most. */
const FEW = 60;
const SAMPLES = 300;
/** Latencies are those of so many samples, so that a plot of few events is no comb. */
const WINDOW = 10;
const MAX_LINES = 500;
const TOKEN = 'frontroom-token';

const $ = (id) => document.getElementById(id);

/** An element with these properties and children. */
function el(tag, props = {}, ...children) {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
}

function svg(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const time = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });
const count = (value) => (value >= 10_000 ? value.toLocaleString(undefined, { notation: 'compact', maximumFractionDigits: 1 }) : String(Math.round(value * 10) / 10));
const seconds = (value) => (value >= 1 ? `${value.toFixed(1)} s` : `${(value * 1000).toPrecision(value < 0.1 ? 2 : 3)} ms`);
const say = (format, value) => (value === null || value === undefined ? '–' : format(value));

// --- Calls -----------------------------------------------------------------------------------

class Refused extends Error {}

/** Makes a call; fails with the words of the answer. */
async function call(path, { method = 'GET', body, signal } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(path, {
    method,
    signal,
    cache: 'no-store',
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  const message = said.error?.message ?? `${response.status} ${response.statusText}`;
  if (response.status === 401) throw new Refused(message);
  throw new Error(message);
}

const get = async (path) => (await call(path)).json();
const post = async (path, body) => (await call(path, { method: 'POST', body })).json();

/** Shows what became of something. */
function tell(element, text, bad = false) {
  element.textContent = text;
  element.classList.toggle('bad', bad);
}

/** Does something for the user, who is told where it fails. */
const doing = (where, work) => async (event) => {
  event?.preventDefault();
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused) return ask(error.message);
    tell(where, error.message, true);
  }
};

// --- The token -------------------------------------------------------------------------------

function ask(why) {
  $('main').hidden = true;
  $('login').hidden = false;
  $('forget').hidden = true;
  tell($('login-error'), sessionStorage.getItem(TOKEN) ? why : '', true);
  tell($('state'), 'locked');
  $('state').className = 'pill';
  $('token').focus();
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $('token').value.trim());
  $('token').value = '';
  $('login').hidden = true;
  tick();
});

$('forget').addEventListener('click', () => {
  sessionStorage.removeItem(TOKEN);
  location.reload();
});

// --- Metrics ---------------------------------------------------------------------------------

/** Prometheus' text format, as `{name: [{labels, value}]}`. */
function read(text) {
  const metrics = {};
  for (const line of text.split('\n')) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    (metrics[found[1]] ??= []).push({ labels, value: Number(found[3]) });
  }
  return metrics;
}

/** The sum of a metric over what `matches`. */
function sum(metrics, name, matches = () => true) {
  const series = metrics[`frontroom_${name}`] ?? [];
  return series.reduce((total, { labels, value }) => total + (matches(labels) ? value : 0), 0);
}

/** The buckets of a histogram over all its labels: `{bound: count of samples up to it}`. */
function buckets(metrics, name) {
  const totals = {};
  for (const { labels, value } of metrics[`frontroom_${name}_bucket`] ?? []) {
    totals[labels.le] = (totals[labels.le] ?? 0) + value;
  }
  return totals;
}

/** A quantile of what came between two looks at a histogram, in its unit; null where nothing came. */
function quantile(before, after, share) {
  const grown = Object.entries(after).map(([le, value]) => [le === '+Inf' ? Infinity : Number(le), value - (before[le] ?? 0)]);
  grown.sort(([one], [other]) => one - other);
  const all = grown.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return null;
  const rank = share * all;
  let [low, below] = [0, 0];
  for (const [bound, upTo] of grown) {
    if (upTo >= rank) return bound === Infinity ? low : low + (bound - low) * ((rank - below) / Math.max(upTo - below, 1e-9));
    [low, below] = [bound, upTo];
  }
  return low;
}

/** What one look at the metrics is reduced to. */
function look(metrics) {
  const over = (transport) => sum(metrics, 'sockets', (labels) => labels.transport === transport);
  return {
    at: performance.now(),
    connections: sum(metrics, 'connections'),
    websocket: over('websocket'),
    polling: over('polling'),
    rooms: sum(metrics, 'rooms'),
    events: sum(metrics, 'socket_events_total', ({ event }) => event !== 'connect' && event !== 'disconnect'),
    deliveries: sum(metrics, 'deliveries_total'),
    slow: sum(metrics, 'slow_consumers_total'),
    dropped: sum(metrics, 'dropped_total'),
    upstream: buckets(metrics, 'upstream_request_duration_seconds'),
    rules: buckets(metrics, 'event_duration_seconds'),
  };
}

const looks = [];

/** How fast a counter grows, for a second; null where it was started anew. */
function rate(key) {
  const [before, now] = looks.slice(-2);
  if (!now || now[key] < before[key]) return null;
  return (now[key] - before[key]) / ((now.at - before.at) / 1000);
}

const latency = (key, share) => quantile(looks.at(-1 - WINDOW)?.[key] ?? looks[0][key], looks.at(-1)[key], share);
const last = (key) => looks.at(-1)[key];

// --- Plots -----------------------------------------------------------------------------------

/** The next round number that is not below. */
function roundUp(value, least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, least)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= Math.max(value, least) * 0.999);
}

class Plot {
  #points = [];
  #paths;
  #fill = svg('path', { class: 'fill' });
  #cursor = svg('line', { class: 'cursor', y1: 0, y2: 100, visibility: 'hidden' });
  #top = el('span', { className: 'top' });
  #big = el('span', {}, '–');
  #values;
  #hovered = null;

  /** `series` gives each line's name and its newest value. */
  constructor(title, { format, least, series, big = [series[0][0], series[0][1]] }) {
    Object.assign(this, { title, format, least, series, big });
    this.#paths = series.map((_, index) => svg('path', { class: ['one', 'two', 'three'][index] }));
    this.#values = series.map(() => el('b', {}, '–'));
    const area = svg('svg', { viewBox: `0 0 ${FEW - 1} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title });
    const grid = [0, 50, 100].map((y) => svg('line', { x1: 0, x2: '100%', y1: y, y2: y }));
    this.area = area;
    area.append(...grid, this.#fill, ...this.#paths, this.#cursor);
    area.addEventListener('pointermove', (event) => {
      const box = area.getBoundingClientRect();
      this.#hover(Math.round(((event.clientX - box.left) / box.width) * (this.#span() - 1)));
    });
    area.addEventListener('pointerleave', () => this.#hover(null));
    const legend = series.map(([name], index) => el('li', {}, `${name} `, this.#values[index]));
    $('plots').append(
      el('article', { className: 'card plot' }, el('h3', {}, title),
        el('p', { className: 'big' }, this.#big, ' ', el('small', {}, this.big[0])),
        el('div', { className: 'area' }, area, this.#top), el('ul', { className: 'legend' }, ...legend)),
    );
  }

  /** Takes the newest values, or that there are none, and draws. */
  push(known) {
    this.#points.push(this.series.map(([, value]) => (known ? value() : null)));
    if (this.#points.length > SAMPLES) this.#points.shift();
    this.#big.textContent = say(this.format, known ? this.big[1]() : null);
    this.#draw();
  }

  /** How many samples its width stands for. */
  #span() {
    return Math.max(FEW, this.#points.length);
  }

  #draw() {
    const top = roundUp(Math.max(0, ...this.#points.flat().filter((value) => value !== null)), this.least);
    const start = this.#span() - this.#points.length;
    this.area.setAttribute('viewBox', `0 0 ${this.#span() - 1} 100`);
    this.#top.textContent = this.format(top);
    this.#paths.forEach((path, line) => {
      let [text, pen] = ['', 'M'];
      this.#points.forEach((values, index) => {
        if (values[line] === null) return void (pen = 'M');
        text += `${pen}${start + index} ${(100 - (values[line] / top) * 100).toFixed(2)}`;
        // A lone value is a dot.
        if (pen === 'M') text += 'h.01';
        pen = 'L';
      });
      path.setAttribute('d', text);
      if (line === 0) this.#fill.setAttribute('d', text.includes('L') && !text.includes('M', 1) ? `${text}V100H${start}Z` : '');
    });
    this.#hover(this.#hovered);
  }

  /** Shows the values below the pointer, or the newest. */
  #hover(at) {
    this.#hovered = at;
    const values = at === null ? this.#points.at(-1) : this.#points[at - (this.#span() - this.#points.length)];
    this.#cursor.setAttribute('visibility', at === null ? 'hidden' : 'visible');
    if (at !== null) ['x1', 'x2'].forEach((name) => this.#cursor.setAttribute(name, at));
    this.#values.forEach((value, line) => (value.textContent = say(this.format, values?.[line])));
  }
}

const plots = [
  new Plot('Connections', {
    format: count, least: 5,
    series: [['open', () => last('connections')], ['WebSocket sockets', () => last('websocket')], ['polling sockets', () => last('polling')]],
  }),
  new Plot('Rooms', { format: count, least: 5, series: [['rooms', () => last('rooms')]] }),
  new Plot('Events and deliveries a second', {
    format: count, least: 5, series: [['events', () => rate('events')], ['deliveries', () => rate('deliveries')]],
  }),
  new Plot('Upstream latency', {
    format: seconds, least: 0.005, big: ['95 %', () => latency('upstream', 0.95)],
    series: [['median', () => latency('upstream', 0.5)], ['95 %', () => latency('upstream', 0.95)]],
  }),
  new Plot('Latency of rules that ask a backend', {
    format: seconds, least: 0.005, big: ['95 %', () => latency('rules', 0.95)],
    series: [['median', () => latency('rules', 0.5)], ['95 %', () => latency('rules', 0.95)]],
  }),
  new Plot('Slow consumers', {
    format: count, least: 1, big: ['closed since the start', () => last('slow')],
    series: [['closed a second', () => rate('slow')], ['events dropped a second', () => rate('dropped')]],
  }),
];

function showErrors({ errors, total }) {
  $('errors-total').textContent = total ? `${total} since the start` : 'none since the start';
  $('errors').replaceChildren(
    ...[...errors].reverse().map(({ time: at, level, message, fields, count: times }) => {
      const more = Object.entries(fields).map(([name, value]) => `${name}=${value}`).join('  ');
      return el('li', { className: level },
        el('time', { dateTime: new Date(at).toISOString() }, time(at)), el('span', { className: 'level' }, level),
        message, times > 1 ? ` (${times} times)` : '', more ? el('code', {}, more) : '');
    }),
  );
}

let timer;
let looking = false;

async function tick() {
  clearTimeout(timer);
  if (looking) return;
  looking = true;
  try {
    await observe();
    timer = setTimeout(tick, EVERY_MS);
  } catch (error) {
    if (error instanceof Refused) return ask(error.message);
    tell($('state'), error instanceof TypeError ? 'not reached' : error.message);
    $('state').className = 'pill bad';
    if (looks.length) plots.forEach((plot) => plot.push(false));
    timer = setTimeout(tick, EVERY_MS);
  } finally {
    looking = false;
  }
}

/** Looks at everything once, and shows it. */
async function observe() {
  const [text, ready, errors] = await Promise.all([
    call('metrics').then((response) => response.text()),
    fetch('readyz', { cache: 'no-store' }).then((response) => response.json()),
    get('v1/errors'),
  ]);
  looks.push(look(read(text)));
  if (looks.length > WINDOW + 2) looks.shift();
  if ($('main').hidden) {
    $('main').hidden = false;
    $('forget').hidden = !sessionStorage.getItem(TOKEN);
  }
  plots.forEach((plot) => plot.push(true));
  showErrors(errors);
  tell($('state'), ready.status);
  $('state').className = `pill ${ready.status === 'ready' ? 'good' : 'bad'}`;
}

// --- Sockets ---------------------------------------------------------------------------------

const SHOWN = 200;
let current = null;

$('find').addEventListener('submit', doing($('found'), find));

async function find() {
  const [what, where] = [$('what').value.trim(), $('where').value.trim()];
  const query = new URLSearchParams({ room: what, namespace: where, limit: SHOWN });
  // Every socket is in the room named by its id.
  const { sockets, total } = await get(`v1/sockets?${query}`);
  const more = total > sockets.length ? `, the first ${sockets.length} are shown` : '';
  tell($('found'), total === 1 ? 'One socket' : `${total} sockets${more}`);
  $('list').hidden = total === 0;
  $('list').tBodies[0].replaceChildren(...sockets.map(row));
  if (total === 1) await open(sockets[0].id);
}

function row(socket) {
  const link = el('button', { type: 'button' }, socket.id);
  link.addEventListener('click', doing($('found'), () => open(socket.id)));
  const line = el('tr', {},
    el('td', { className: 'mono' }, link), el('td', {}, socket.namespace), el('td', {}, socket.transport),
    el('td', {}, socket.address), el('td', { className: 'wide' }, socket.rooms.slice(1).join(', ') || '–'),
    el('td', {}, time(socket.issued)));
  line.dataset.id = socket.id;
  return line;
}

function list(element, pairs) {
  element.replaceChildren(...pairs.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

async function open(id) {
  const socket = await get(`v1/sockets/${encodeURIComponent(id)}`);
  if (current?.id !== id) stop();
  current = socket;
  $('socket').hidden = false;
  $('socket-id').textContent = id;
  tell($('done'), '');
  list($('facts'), [
    ['namespace', socket.namespace], ['rooms', socket.rooms.slice(1).join(', ') || '–'], ['transport', socket.transport],
    ['address', socket.address], ['secure', socket.secure ? 'yes' : 'no'], ['since', new Date(socket.issued).toLocaleString()],
    ['recovered', socket.recovered ? 'yes' : 'no'], ['state', JSON.stringify(socket.state)],
  ]);
  const { path, query, headers, hidden, request_id: request } = socket.handshake;
  list($('handshake'), [
    ['path', path], ['request id', request], ...Object.entries(query).map(([name, value]) => [`?${name}`, value]),
    ...Object.entries(headers), ...(hidden.length ? [['not shown', hidden.join(', ')]] : []),
  ]);
  for (const line of $('list').tBodies[0].rows) line.toggleAttribute('aria-current', line.dataset.id === id);
}

// A second click within four seconds, so that a slip of the hand throws nobody out.
$('disconnect').addEventListener('click', doing($('done'), async () => {
  const button = $('disconnect');
  if (!button.classList.contains('sure')) {
    button.classList.add('sure');
    button.textContent = 'Click again to disconnect';
    setTimeout(unsure, 4000);
    return;
  }
  unsure();
  const { id, namespace } = current;
  const { sockets } = await post('v1/disconnect', { to: id, namespace, close: $('close').checked });
  tell($('done'), sockets ? 'Disconnected' : 'It had left already');
}));

function unsure() {
  $('disconnect').classList.remove('sure');
  $('disconnect').textContent = 'Disconnect';
}

// --- Following -------------------------------------------------------------------------------

let following = null;

$('follow').addEventListener('click', doing($('done'), async () => {
  if (following) return stop();
  await follow(current.id, $('payload').checked);
}));

$('payload').addEventListener('change', doing($('done'), async () => {
  if (!following) return;
  stop();
  await follow(current.id, $('payload').checked);
}));

function stop(why = 'stopped') {
  following?.abort();
  following = null;
  $('follow').textContent = 'Follow live';
  $('live-state').textContent = why;
}

async function follow(id, payload) {
  const mine = (following = new AbortController());
  const ended = (why) => following === mine && stop(why);
  try {
    const path = `v1/sockets/${encodeURIComponent(id)}/events?payload=${payload}`;
    const response = await call(path, { signal: mine.signal });
    $('moments').tBodies[0].replaceChildren();
    $('live').hidden = false;
    $('live-state').textContent = 'following';
    $('follow').textContent = 'Stop following';
    // Not waited for: it goes on until the socket leaves.
    lines(response, showMoments).then(() => ended('the socket has left'), () => ended('the connection ended'));
  } catch (error) {
    ended('');
    throw error;
  }
}

/** Hands the JSON lines of a response to `take`, as many as came together. */
async function lines(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (rest + part.value).split('\n');
    rest = whole.pop();
    take(whole.filter(Boolean).map((line) => JSON.parse(line)));
  }
}

const KINDS = {
  following: ['following', ''], received: ['received', 'in'], sent: ['sent', 'out'], dropped: ['not sent', 'end'],
  ack_received: ['ack received', 'in'], ack_sent: ['ack sent', 'out'], joined: ['joined', ''], left: ['left', ''],
  lost: ['not shown', 'end'], disconnected: ['disconnected', 'end'],
};

/** Shows what the filter lets through, the newest on top. */
function showMoments(moments) {
  const wanted = $('only').value.trim();
  const body = $('moments').tBodies[0];
  const shown = moments.filter(({ type, event }) => !wanted || ['following', 'disconnected', 'lost'].includes(type) || event?.includes(wanted));
  body.prepend(...shown.slice(-MAX_LINES).reverse().map(momentRow));
  while (body.rows.length > MAX_LINES) body.lastElementChild.remove();
}

function momentRow({ time: at, type, event, ack, bytes, args, room, reason, count: lost, rooms }) {
  const [name, way] = KINDS[type] ?? [type, ''];
  const more = args !== undefined ? JSON.stringify(args) : (room ?? reason ?? rooms?.slice(1).join(', ') ?? (lost ? `${lost} lines came too fast` : ''));
  return el('tr', {},
    el('td', {}, time(at)), el('td', {}, el('span', { className: `kind ${way}` }, name)),
    el('td', { className: 'mono' }, event ?? ''), el('td', { className: 'mono' }, ack ?? ''),
    el('td', { className: 'number' }, bytes === undefined ? '' : String(bytes)), el('td', { className: 'mono wide' }, more));
}

// --- Emitting --------------------------------------------------------------------------------

$('emit').addEventListener('submit', doing($('emitted'), async () => {
  const text = $('data').value.trim();
  let data;
  try {
    data = text ? JSON.parse(text) : undefined;
  } catch {
    return tell($('emitted'), 'The data is not JSON', true);
  }
  const body = { to: $('to').value.trim(), event: $('event').value.trim(), namespace: $('nsp').value.trim() };
  const { sockets } = await post('v1/emit', data === undefined ? { ...body, args: [] } : { ...body, data });
  tell($('emitted'), `Queued for ${sockets} socket${sockets === 1 ? '' : 's'}`);
}));

tick();
