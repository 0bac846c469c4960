// The Socket.IO connection: stock socket.io-client, its state, and events with their acks.

import { Failure } from './api.js';
import { note } from './wire.js';

const ACK_TIMEOUT = 10_000;

/**
 * Connects with the token. `on.state({state, transport, message, code})` tells every change: state is
 * connecting, connected, reconnecting, refused or disconnected. `on.connect()` after each connect;
 * `on.newMessage(message)`, `on.typing({user})`.
 */
export function connect(token, on) {
  const socket = window.io(location.origin, { withCredentials: true, auth: { token } });
  watch(socket, on);
  for (const event of ['newMessage', 'typing']) {
    socket.on(event, (data) => {
      note('event', event, data);
      on[event](data);
    });
  }
  socket.on('exception', (data) => note('refused', data?.event ?? 'exception', data?.error?.message));
  return {
    get connected() { return socket.connected; },
    request: (event, data) => request(socket, event, data),
    /** Sends without an answer, and only if the connection is ready for it. */
    hint(event, data) {
      if (socket.connected) note('emit', event, data);
      socket.volatile.emit(event, data);
    },
    tell(event, data) {
      if (!socket.connected) return;
      note('emit', event, data);
      socket.emit(event, data);
    },
    retry: () => socket.connect(),
    close() {
      socket.removeAllListeners();
      socket.io.removeAllListeners();
      socket.disconnect();
    },
  };
}

/** Emits, waits for the ack, and throws what the server refuses. */
async function request(socket, event, data) {
  note('emit', event, data);
  let answer;
  try {
    answer = await socket.timeout(ACK_TIMEOUT).emitWithAck(event, data);
  } catch {
    throw new Failure(0, 'No answer came in time');
  }
  if (answer?.error) {
    note('refused', event, `${answer.error.status} ${answer.error.message}`);
    throw new Failure(answer.error.status, answer.error.body?.message ?? answer.error.message);
  }
  note('ack', event, answer);
  return answer;
}

function watch(socket, on) {
  const now = { state: 'connecting', transport: '', message: '', code: 0 };
  const tell = (change) => on.state(Object.assign(now, { message: '', code: 0 }, change));

  socket.io.on('open', () => {
    const { engine } = socket.io;
    note('link', engine.transport.name, 'open');
    tell({ transport: engine.transport.name });
    engine.on('upgrade', (transport) => {
      note('link', transport.name, 'upgraded');
      tell({ transport: transport.name });
    });
  });
  socket.on('connect', () => {
    note('link', 'connect', `socket ${socket.id}`);
    tell({ state: 'connected' });
    on.connect();
  });
  socket.on('disconnect', (reason) => {
    note('link', 'disconnect', reason);
    tell({ state: socket.active ? 'reconnecting' : 'disconnected', transport: '', message: reason });
  });
  // An active socket goes on trying; one that the server refused waits to be told.
  socket.on('connect_error', (error) => {
    note(socket.active ? 'link' : 'refused', 'connect_error', error.message);
    const trying = now.state === 'connecting' ? 'connecting' : 'reconnecting';
    const code = error.data?.statusCode ?? error.data?.status ?? 0;
    tell({ state: socket.active ? trying : 'refused', transport: '', message: error.message, code });
  });
  socket.io.on('reconnect_attempt', (attempt) => note('link', 'reconnect', `attempt ${attempt}`));
}
