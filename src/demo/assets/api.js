// The REST API. Nothing here knows of sockets.

import { note } from './wire.js';

const KEY = 'access_token';

/** A call that was refused or did not get through; `status` is 0 for the latter. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Per tab, so that two tabs can be two people; the cookie is one for the browser. */
export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

async function call(method, path, body) {
  const headers = { accept: 'application/json' };
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  if (body) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Failure(0, 'The server cannot be reached');
  }
  note('rest', `${method} ${path}`, String(response.status));
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Failure(response.status, answer?.message ?? answer?.error?.message ?? `The server answered ${response.status}`);
}

export const login = (name) => call('POST', '/auth/login', { name });
export const logout = () => call('POST', '/auth/logout');
export const me = () => call('GET', '/auth/me');
export const user = (id) => call('GET', `/users/${id}`);
export const rooms = () => call('GET', '/chat/rooms');
export const history = (id) => call('GET', `/chat/rooms/${id}/messages?limit=100`);
