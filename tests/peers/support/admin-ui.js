// A gateway with the Admin UI's namespace, and a Node server with the real one, whose applications do the same.

import { createServer } from 'node:http';
import { instrument } from '@socket.io/admin-ui';
import bcrypt from 'bcryptjs';
import { Server } from 'socket.io';
import { Backend } from './backend.js';
import { startSite } from './gateway.js';

/** What opens both. */
export const LOGIN = { username: 'ada', password: 'the right one' };
export const HASH = bcrypt.hashSync(LOGIN.password, 4);

const RULES = `
  events:
    joinRoom: {join: "{{ data }}"}
    leaveRoom: {leave: "{{ data }}"}
    remember: {state: {user: "{{ data }}"}}
    hello: {emit: {event: answer, args: ["{{ data }}", 2.5]}, ack: [hi]}
    say: {ack: false}
`;

/** A config with the section `admin_ui`; `more` stands beside what opens it. */
export function config(more = '', rest = '', origins = '["https://admin.socket.io"]') {
  const admin = `{enabled: true, username: ${LOGIN.username}, password: "${HASH}"${more}}`;
  return `listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", token: s3cret}
upstream: \${UPSTREAM}
log: {access: false}
cors: {allow_origins: ${origins}, allow_credentials: true}
${rest}
socketio:
  admin_ui: ${admin}
${RULES}`;
}

/** Starts the gateway. */
export function startOurs(text) {
  return startSite(new Backend(), { config: text });
}

/** Starts the Node server. */
export async function startNodes({ mode, readonly = false }) {
  const http = createServer();
  const io = new Server(http);
  instrument(io, { auth: { type: 'basic', username: LOGIN.username, password: HASH }, mode, readonly });
  io.on('connection', (socket) => {
    socket.on('joinRoom', (room, ack) => void socket.join(room) ?? ack());
    socket.on('leaveRoom', (room, ack) => void socket.leave(room) ?? ack());
    socket.on('remember', (user, ack) => void (socket.data.user = user) ?? ack());
    socket.on('hello', (data, ack) => {
      socket.emit('answer', data, 2.5);
      ack('hi');
    });
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${http.address().port}`, stop: () => io.close() };
}
