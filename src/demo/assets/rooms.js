// The list of rooms.

import { $, el, say, when } from './dom.js';
import * as api from './api.js';

let known = [];

export const find = (id) => known.find((room) => room.id === id);

/** Asks for the rooms and shows them; a list that is there already stays when the call fails. */
export async function refresh() {
  try {
    known = await api.rooms();
    say($('#rooms-error'), '');
    draw();
  } catch (failure) {
    if (!known.length) say($('#rooms-error'), `The rooms could not be loaded: ${failure.message}`);
  }
}

/** Shows a new message as the room's last one. */
export function touch(message) {
  const room = find(message.chatRoomId);
  if (!room) return;
  room.lastMessage = message;
  draw();
}

export function select(id) {
  for (const link of $('#rooms').querySelectorAll('a')) {
    if (Number(link.dataset.room) === id) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

export function clear() {
  known = [];
  $('#rooms').replaceChildren();
}

/** Keeps the elements that are there, so that focus stays where it is. */
function draw() {
  const list = $('#rooms');
  for (const room of known) {
    const link = $(`[data-room="${room.id}"]`, list) ?? add(list, room);
    const last = room.lastMessage;
    $('.preview', link).textContent = last ? `${last.userName}: ${last.content}` : room.description;
    $('time', link).textContent = last ? when(new Date(last.createdAt)) : '';
  }
}

function add(list, room) {
  const spine = el('span', 'spine');
  spine.dataset.tone = room.id % 8;
  spine.setAttribute('aria-hidden', 'true');
  const name = el('span', 'name', room.name);
  const link = el('a', '', spine, name, el('span', 'preview'), el('time'));
  link.href = `#room=${room.id}`;
  link.dataset.room = room.id;
  if (room.staffOnly) name.append(el('small', 'badge', 'staff'));
  list.append(el('li', '', link));
  return link;
}
