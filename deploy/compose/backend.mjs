// A REST backend to try frontroom with: two chat rooms, kept in memory, no line about sockets.

import { createServer } from 'node:http';

const rooms = new Map([
  ['1', { id: 1, name: 'Books', messages: [] }],
  ['2', { id: 2, name: 'Maps', messages: [] }],
]);

function send(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

async function read(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw new Error('too long');
  }
  return JSON.parse(text);
}

async function answer(request, response) {
  const [, id, messages] = /^\/chat\/rooms\/(\d+)(\/messages)?$/.exec(request.url) ?? [];
  const room = rooms.get(id);
  if (!room) return send(response, 404, { message: 'there is no such room' });
  if (request.method === 'GET') return send(response, 200, messages ? room.messages : { id: room.id, name: room.name });
  if (request.method !== 'POST' || !messages) return send(response, 405, { message: 'GET, or POST to /messages' });
  const { text } = await read(request);
  if (typeof text !== 'string' || text === '') return send(response, 400, { message: 'text is missing' });
  const message = { id: room.messages.length + 1, room: room.id, text, at: new Date().toISOString() };
  room.messages.push(message);
  send(response, 201, message);
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => send(response, 400, { message: 'that is no JSON' }));
});
server.listen(Number(process.env.PORT ?? 3000), () => console.log(`backend on ${server.address().port}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
