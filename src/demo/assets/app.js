// The page as a whole: the door, the shop, the connection's state, and the room named in the URL.

import { $, avatar, say } from './dom.js';
import * as api from './api.js';
import * as conversation from './conversation.js';
import * as live from './live.js';
import * as rooms from './rooms.js';
import * as wire from './wire.js';

const RETRY_AFTER = 5_000;
const WORDS = {
  connecting: 'Connecting',
  connected: 'Live',
  reconnecting: 'Reconnecting',
  refused: 'Refused',
  disconnected: 'Offline',
};

const TROUBLE = {
  connecting: (message) => `No connection yet (${message}). Trying again…`,
  reconnecting: (message) => `The connection was lost (${message}). Trying again…`,
  refused: (message) => `The connection was refused: ${message}`,
  disconnected: (message) => `The connection was closed (${message}).`,
};

let connection = null;
let retry = 0;

/** `#room=1`; anything else is the list. */
const roomInUrl = () => Number(/^#room=(\d{1,15})$/.exec(location.hash)?.[1] ?? 0);

function showDoor(message = '') {
  $('#shop').hidden = true;
  $('#door').hidden = false;
  say($('#login-error'), message);
  document.title = 'Marginalia';
  $('#name').focus();
}

async function showShop(user) {
  $('#door').hidden = true;
  $('#shop').hidden = false;
  $('#me-name').textContent = user.name;
  avatar($('#me-avatar'), user);
  connection = live.connect(api.token.get(), {
    state: showState,
    connect: conversation.enter,
    newMessage: conversation.receive,
    typing: conversation.typed,
  });
  conversation.begin(connection, user);
  await rooms.refresh();
  if (connection) follow();
}

/** Opens the room that the URL names. */
function follow() {
  if (!connection) return;
  const id = roomInUrl();
  $('#shop').dataset.pane = id ? 'room' : 'rooms';
  if (!id) document.title = 'Marginalia';
  conversation.open(id);
}

function showState({ state, transport, message, code }) {
  const badge = $('#connection');
  badge.dataset.state = state;
  badge.dataset.transport = transport;
  $('.state', badge).textContent = WORDS[state];
  say($('.transport', badge), transport);
  clearTimeout(retry);
  if (state === 'refused' && code === 401) return leave(message);
  const trouble = message && TROUBLE[state]?.(message);
  $('#notice').hidden = !trouble;
  if ($('#notice p').textContent !== trouble) say($('#notice p'), trouble);
  $('#notice button').hidden = state !== 'refused' && state !== 'disconnected';
  if (state === 'refused') retry = setTimeout(connection.retry, RETRY_AFTER);
}

async function enter(event) {
  event.preventDefault();
  const name = $('#name').value.trim();
  if (!name) return say($('#login-error'), 'A name is needed, any name.');
  $('#login').disabled = true;
  try {
    const { token, user } = await api.login(name);
    api.token.set(token);
    await showShop(user);
  } catch (failure) {
    say($('#login-error'), failure.message);
  } finally {
    $('#login').disabled = false;
  }
}

/** Back to the door: on request, or because the session has ended. */
function leave(message) {
  clearTimeout(retry);
  connection?.close();
  connection = null;
  conversation.open(0);
  api.token.clear();
  rooms.clear();
  wire.clear();
  $('#notice').hidden = true;
  history.replaceState(null, '', location.pathname);
  showDoor(message);
}

async function logout() {
  connection?.close();
  await api.logout().catch(() => {});
  leave();
}

/** A reload keeps the session, if the server still knows it. */
async function resume() {
  if (!api.token.get()) return showDoor();
  try {
    await showShop(await api.me());
  } catch (failure) {
    if (failure.status === 401) api.token.clear();
    showDoor(failure.message);
  }
}

$('#enter').addEventListener('submit', enter);
$('#logout').addEventListener('click', logout);
$('#notice button').addEventListener('click', () => connection?.retry());
window.addEventListener('hashchange', ({ oldURL }) => {
  if (!connection) return;
  follow();
  const left = /#room=(\d+)$/.exec(oldURL)?.[1];
  // A keyboard on the screen should come up only when it is asked for.
  const box = matchMedia('(pointer: fine)').matches ? $('#composer') : $('#room-name');
  (roomInUrl() ? box : $(`[data-room="${left}"]`))?.focus({ preventScroll: true });
});
resume();
