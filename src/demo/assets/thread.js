// The messages of one room: grouped by author, parted by days, own ones pending until acknowledged.

import { $, avatar, dayOf, el, fullTime, timeOf } from './dom.js';

const GROUP_GAP = 5 * 60_000;
const KEPT = 400;

let list;
let me;
/** Elements by message id. */
let byId = new Map();

export function begin(user) {
  me = user;
  list = $('#messages');
  byId = new Map();
  list.replaceChildren();
}

export const size = () => list.querySelectorAll('.message').length;

/** Adds messages that are not there yet, each in its place. Returns how many were new. */
export function merge(messages) {
  const fresh = messages.filter((message) => !byId.has(message.id) && !adopt(message));
  for (const message of fresh) insert(message);
  while (byId.size > KEPT) forget();
  arrange();
  return fresh.length;
}

/** Shows an own message before the server has it. `retry` is called when the user asks again. */
export function pending(content, retry) {
  const item = { id: null, userId: me.id, userName: me.name, content, createdAt: new Date().toISOString() };
  const node = build(item);
  node.dataset.state = 'pending';
  list.append(node);
  arrange();
  return {
    /** The server has it. Its event may have been here before the ack. */
    confirm(message) {
      const known = byId.get(message.id);
      if (!known && node.isConnected && node.dataset.state !== 'sent') settle(node, message);
      else if (!known) merge([message]);
      else if (known !== node && node.dataset.state !== 'sent') node.remove();
      arrange();
    },
    fail(reason) {
      if (node.dataset.state === 'sent') return;
      node.dataset.state = 'failed';
      const again = el('button', 'quiet', 'Try again');
      again.type = 'button';
      again.addEventListener('click', () => { node.remove(); arrange(); retry(); });
      $('.status', node).replaceChildren(`Not sent: ${reason} `, again);
    },
  };
}

/** An own message that comes back as an event while its ack is on the way. */
function adopt(message) {
  if (message.userId !== me.id) return false;
  const waiting = [...list.querySelectorAll('.message[data-state="pending"]')];
  const node = waiting.find((candidate) => candidate.item.content === message.content);
  if (node) settle(node, message);
  return Boolean(node);
}

function settle(node, message) {
  node.dataset.state = 'sent';
  $('.status', node).textContent = '';
  label(node, message);
  byId.set(message.id, node);
}

function insert(message) {
  const node = build(message);
  const later = [...list.querySelectorAll('.message')].find(({ item }) => item.id === null || item.id > message.id);
  if (later) later.before(node);
  else list.append(node);
  byId.set(message.id, node);
}

/** Drops the oldest message. */
function forget() {
  const oldest = Math.min(...byId.keys());
  byId.get(oldest).remove();
  byId.delete(oldest);
}

function build(message) {
  const disc = avatar(el('span', 'avatar'), { id: message.userId, name: message.userName });
  disc.setAttribute('aria-hidden', 'true');
  const meta = el('p', 'meta', el('span', 'author', message.userName), ' ', el('time'));
  const node = el('div', 'message', disc, meta, el('p', 'text', message.content), el('p', 'status'));
  node.dataset.user = message.userId;
  node.dataset.state = 'sent';
  if (message.userId === me.id) node.classList.add('mine');
  label(node, message);
  return node;
}

function label(node, message) {
  node.item = message;
  if (message.id !== null) node.dataset.id = message.id;
  const at = new Date(message.createdAt);
  const time = $('time', node);
  time.dateTime = message.createdAt;
  time.textContent = timeOf(at);
  time.title = fullTime(at);
}

/** Marks where a group begins and ends and where a day does. */
function arrange() {
  let previous = null;
  for (const node of list.querySelectorAll('.message')) {
    const day = dayOf(new Date(node.item.createdAt));
    const newDay = !previous || dayOf(new Date(previous.item.createdAt)) !== day;
    separate(node, newDay ? day : null);
    const gap = previous && Date.parse(node.item.createdAt) - Date.parse(previous.item.createdAt);
    const first = newDay || previous.item.userId !== node.item.userId || gap > GROUP_GAP;
    node.classList.toggle('first', first);
    previous?.classList.toggle('last', first);
    previous = node;
  }
  previous?.classList.add('last');
}

function separate(node, day) {
  const before = node.previousElementSibling;
  const separator = before?.classList.contains('day') ? before : null;
  if (!day) separator?.remove();
  else if (separator) separator.firstChild.textContent = day;
  else node.before(el('div', 'day', el('span', '', day)));
}
