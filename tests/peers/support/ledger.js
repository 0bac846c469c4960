// A backend that notes which events arrived.

import { createServer } from 'node:http';

/** Keeps the ids of the events that arrived. */
export async function startLedger() {
  const arrived = new Map();
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { id } = JSON.parse(text);
    arrived.set(id, (arrived.get(id) ?? 0) + 1);
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify({ id }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    arrived,
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
