// The list "On the wire": what the page sends and gets, newest last.

import { $, el } from './dom.js';

const KEPT = 60;

/** Adds a line. `kind` is rest, emit, ack, event, refused or link. */
export function note(kind, name, detail = '') {
  const text = typeof detail === 'string' ? detail : JSON.stringify(detail) ?? '';
  const line = el('li', '', el('b', '', kind), el('code', '', name), el('span', '', text));
  line.dataset.kind = kind;
  line.title = `${name} ${text}`.trim();
  const list = $('#wire');
  list.append(line);
  while (list.children.length > KEPT) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

export function clear() {
  $('#wire').replaceChildren();
}
