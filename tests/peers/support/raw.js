// Requests as bytes: any header, any method, every header of the answer as it came.

import http from 'node:http';
import { within } from './wait.js';

/** Sends a request; `headers` may hold lists. Gives `{status, text, all(name), upgraded}`. */
export function raw(url, { method = 'GET', headers = {}, body } = {}) {
  const answer = new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false });
    request.once('error', reject);
    request.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve(read(response, '', true));
    });
    request.once('response', async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      resolve(read(response, text, false));
    });
    request.end(body);
  });
  return within(answer, `an answer to ${method} ${url}`);
}

/** Asks for a websocket. */
export function rawUpgrade(url, headers = {}) {
  return raw(url, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  });
}

function read(response, text, upgraded) {
  const pairs = [];
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    pairs.push([response.rawHeaders[i].toLowerCase(), response.rawHeaders[i + 1]]);
  }
  return {
    status: response.statusCode,
    text,
    upgraded,
    pairs,
    /** Every value of a header, as it came. */
    all: (name) => pairs.filter(([key]) => key === name).map(([, value]) => value),
    json: () => JSON.parse(text),
  };
}

/** The `Access-Control-*` and `Vary` of an answer, in an order that can be compared. */
export function policyOf(answer) {
  const vary = answer.all('vary').flatMap((value) => value.toLowerCase().split(/\s*,\s*/)).sort();
  const access = answer.pairs.filter(([name]) => name.startsWith('access-control-')).sort();
  return { access, vary };
}
