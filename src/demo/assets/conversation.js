// The room that is open: joining, history, sending and who is typing.

import { $, el, say } from './dom.js';
import * as api from './api.js';
import * as rooms from './rooms.js';
import * as thread from './thread.js';

/** Far below what the rule allows (5/s), and often enough to keep the other side's notice alive. */
const TYPING_EVERY = 2_000;
const TYPING_LASTS = 4_000;
const REFUSED = [400, 403, 404];

let live;
let me;
let room = 0;
/** Counts openings, so that an answer for a room left meanwhile is dropped. */
let visit = 0;
let lastTyped = 0;
/** Whether the newest message is in sight and should stay so. */
let pinned = true;
let lastTop = 0;
const drafts = new Map();
const names = new Map();
const typists = new Map();

/** Begins with a connection and the user behind it. */
export function begin(connection, user) {
  live = connection;
  me = user;
}

/** Leaves whatever is open and opens the room; 0 opens none. */
export function open(id) {
  if (id === room) return;
  if (room) leave();
  room = id;
  visit += 1;
  $('#nowhere').hidden = id !== 0;
  $('#conversation').hidden = id === 0;
  rooms.select(id);
  if (!id) return;
  thread.begin(me);
  pinned = true;
  $('#newer').hidden = true;
  forgetTypists();
  refuse('');
  describe(rooms.find(id) ?? { id, name: `Room ${id}`, description: '' });
  $('#composer').value = drafts.get(id) ?? '';
  fit();
  enter();
}

function leave() {
  drafts.set(room, $('#composer').value);
  live.tell('leaveRoom', { chatRoomId: room });
}

/** Joins first, so that nothing said between history and joining is missed. */
export async function enter() {
  if (!room) return;
  const [id, here] = [room, visit];
  const stale = () => here !== visit;
  say($('#history-error span'), '');
  $('#history-error').hidden = true;
  $('#silence').hidden = true;
  $('#loading').hidden = thread.size() > 0;
  try {
    if (live.connected) {
      const profile = await live.request('joinRoom', { chatRoomId: id });
      if (stale()) return;
      if (profile) describe(profile);
    }
    const messages = await api.history(id);
    if (stale()) return;
    show(messages);
  } catch (failure) {
    if (stale()) return;
    if (REFUSED.includes(failure.status)) return refuse(failure.message);
    say($('#history-error span'), `This conversation could not be loaded: ${failure.message}.`);
    $('#history-error').hidden = false;
  } finally {
    if (!stale()) $('#loading').hidden = true;
  }
}

function show(messages) {
  for (const message of messages) names.set(message.userId, message.userName);
  const log = $('#messages');
  log.setAttribute('aria-busy', 'true');
  thread.merge(messages);
  log.removeAttribute('aria-busy');
  $('#silence').hidden = thread.size() > 0;
  if (pinned) toEnd();
}

/** A message of any room that this page hears. */
export function receive(message) {
  names.set(message.userId, message.userName);
  rooms.touch(message);
  if (message.chatRoomId !== room) return;
  typists.get(message.userId)?.();
  const added = thread.merge([message]);
  $('#silence').hidden = true;
  if (pinned || message.userId === me.id) toEnd();
  else if (added) $('#newer').hidden = false;
}

async function send(content) {
  const id = room;
  const entry = thread.pending(content, () => send(content));
  $('#silence').hidden = true;
  toEnd();
  try {
    const message = await live.request('sendMessage', { chatRoomId: id, content });
    rooms.touch(message);
    if (id === room) entry.confirm(message);
  } catch (failure) {
    if (id === room) entry.fail(failure.message);
    else drafts.set(id, content);
  }
}

/** Someone else types. */
export async function typed({ user }) {
  if (user === me.id) return;
  const here = visit;
  if (!names.has(user)) names.set(user, (await api.user(user).catch(() => null))?.name ?? 'Somebody');
  if (here !== visit) return;
  typists.get(user)?.();
  const timer = setTimeout(() => stop(), TYPING_LASTS);
  const stop = () => {
    clearTimeout(timer);
    typists.delete(user);
    showTypists();
  };
  typists.set(user, stop);
  showTypists();
}

function forgetTypists() {
  for (const stop of [...typists.values()]) stop();
}

function showTypists() {
  const who = [...typists.keys()].map((id) => names.get(id));
  const text = who.length > 2 ? 'Several people are typing' : who.length === 2 ? `${who.join(' and ')} are typing` : `${who[0]} is typing`;
  const dots = el('span', 'dots', el('i'), el('i'), el('i'));
  $('#typing').replaceChildren(...(who.length ? [text, dots] : []));
}

function refuse(message) {
  if (message && $('#talk').contains(document.activeElement)) $('#room-name').focus();
  say($('#refusal-message'), message);
  $('#refusal').hidden = !message;
  $('#talk').hidden = Boolean(message);
}

function describe({ id, name, description, book }) {
  $('#room-name').textContent = name;
  $('#room-description').textContent = description;
  document.title = `${name} · Marginalia`;
  const card = $('#book');
  card.hidden = !book;
  if (!book) return;
  $('.cover', card).dataset.tone = id % 8;
  $('.cover b', card).textContent = book.title;
  $('.cover i', card).textContent = book.author;
  $('h2', card).textContent = book.title;
  $('.book-author', card).textContent = book.author;
  const facts = [['Published', book.imprint], ['Condition', book.condition], ['Price', book.price]];
  $('dl', card).replaceChildren(...facts.flatMap(([term, fact]) => [el('dt', '', term), el('dd', '', fact)]));
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $('#scroll');
  return scrollHeight - scrollTop - clientHeight < 80;
}

function toEnd() {
  pinned = true;
  $('#scroll').scrollTop = $('#scroll').scrollHeight;
  $('#newer').hidden = true;
}

/** The composer is as high as its text, up to a bound. */
function fit() {
  const box = $('#composer');
  box.style.height = 'auto';
  box.style.height = `${Math.min(box.scrollHeight, 168)}px`;
  $('#send').disabled = !box.value.trim();
}

function submit() {
  const box = $('#composer');
  const content = box.value.trim();
  if (!content || !room) return;
  box.value = '';
  lastTyped = 0;
  fit();
  send(content);
}

$('#compose').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
  $('#composer').focus();
});
$('#composer').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
$('#composer').addEventListener('input', () => {
  fit();
  if (!$('#composer').value.trim() || Date.now() - lastTyped < TYPING_EVERY) return;
  lastTyped = Date.now();
  live.hint('typing', { chatRoomId: room });
});
$('#newer').addEventListener('click', toEnd);
$('#scroll').addEventListener('scroll', () => {
  // Only scrolling up lets go; growing content or a smaller window does not.
  const { scrollTop } = $('#scroll');
  pinned = isAtEnd() || (pinned && scrollTop >= lastTop);
  lastTop = scrollTop;
  if (pinned) $('#newer').hidden = true;
});
$('#history-error button').addEventListener('click', enter);
// A line more in the composer, or a keyboard on the screen, must not push the last message out of sight.
const resized = new ResizeObserver(() => { if (pinned) toEnd(); });
resized.observe($('#scroll'));
resized.observe($('#scroll .column'));
