// How pages use the events of site.yaml. It has to compile as it stands: each `@ts-expect-error` needs its error.

import { io, type Socket } from 'socket.io-client';
import type {
  ClientToServerEvents,
  ErrorResponse,
  OrgIdClientToServerEvents,
  OrgIdServerToClientEvents,
  SendMessageAttachment,
  SendMessageData,
  ServerToClientEvents,
  SupportClientToServerEvents,
  SupportServerToClientEvents,
} from './events.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>): void => {};

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io('http://localhost:4000');

// With an ack or without.
socket.emit('joinRoom', { chatRoomId: 7 });
socket.emit('joinRoom', { chatRoomId: 7 }, (response) => same<typeof response, unknown>(true));
socket.timeout(5000).emit('joinRoom', { chatRoomId: 7 }, (error, response) => {
  same<typeof error, Error>(true);
  same<typeof response, unknown>(true);
});
socket.volatile.emit('typing', { chatRoomId: 7, long: true });
socket.emit('ping');
socket.emit('ping', (...response) => {
  if (response.length === 2) same<typeof response, [data: string, arg2: 2]>(true);
});
socket.emit('with-dash', (response) => same<typeof response, ErrorResponse | undefined>(true));
socket.emit('move', 1, { y: 2 });
socket.emit('decide', 'anything', 7, (answer: unknown) => answer);
socket.emit('frontroom:auth', { token: 'new' }, (response) => response?.error.code.toUpperCase());
await socket.emitWithAck('joinRoom', { chatRoomId: 7 });
// @ts-expect-error the room is a number
await socket.emitWithAck('joinRoom', { chatRoomId: '7' });

// @ts-expect-error no such event
socket.emit('joinRooms', { chatRoomId: 7 });
// @ts-expect-error the room is missing
socket.emit('joinRoom', {});
// @ts-expect-error no data at all
socket.emit('joinRoom');
// @ts-expect-error the room is a number
socket.emit('joinRoom', { chatRoomId: '7' });
// @ts-expect-error nothing more is allowed
socket.emit('joinRoom', { chatRoomId: 7, more: 1 });
// @ts-expect-error `ack: false` never acks
socket.emit('typing', { chatRoomId: 7 }, () => {});
// @ts-expect-error the rule reads nothing
socket.emit('ping', 7);
// @ts-expect-error the second argument is needed
socket.emit('move', 1);

// Every keyword of a schema.
const message: SendMessageData = {
  chatRoomId: 7,
  text: 'hello',
  kind: 'image',
  replyTo: null,
  sentAt: new Date().toISOString(),
  attachments: [{ name: 'a.png', data: new Uint8Array(3), parts: [{ name: 'b' }] }],
  place: [1.5, 2],
  labels: { any: 'text' },
  payment: { method: 'card', card: '1' },
  'old-name': 'x',
};
socket.emit('sendMessage', message, (response) => {
  if ('error' in response) {
    same<typeof response, ErrorResponse>(true);
    return response.error.status.toFixed();
  }
  same<typeof response, { id: unknown; status: number; text: string; ok: true }>(true);
});
const wrong = (_: SendMessageData): void => {};
const base = { chatRoomId: 7, text: '' };
wrong({ ...base, kind: 7 });
// @ts-expect-error none of the enum
wrong({ ...base, kind: 'video' });
// @ts-expect-error null is for replyTo alone
wrong({ ...base, text: null });
// @ts-expect-error an item of the wrong type
wrong({ ...base, attachments: [{ title: 'x' }] });
// @ts-expect-error one of two
wrong({ ...base, place: [1] });
// @ts-expect-error two of three
wrong({ ...base, place: [1, 2, 3] });
// @ts-expect-error labels are text
wrong({ ...base, labels: { a: 1 } });
// @ts-expect-error a card needs its number
wrong({ ...base, payment: { method: 'card' } });
// @ts-expect-error the text is missing
wrong({ chatRoomId: 7 });
const attachment: SendMessageAttachment = { name: 'a', data: new ArrayBuffer(1) };
// @ts-expect-error base64 is not binary
attachment.data = 'AQID';
socket.emit('upload', new Uint8Array(1), (response) => same<typeof response, 'stored' | ErrorResponse | undefined>(true));

// What clients get.
socket.on('connect', () => {});
socket.on('connect_error', (error) => error.message);
socket.on('welcome', ({ id, rooms, user }) => {
  same<typeof id, string>(true);
  same<typeof rooms, string[]>(true);
  same<typeof user, unknown>(true);
});
socket.on('typing', ({ room, who }) => same<[typeof room, typeof who], [number, string]>(true));
socket.on('typing:7', (...args) => args.length);
socket.on('left', (id, reason) => same<[typeof id, typeof reason], [string, string]>(true));
socket.on('newMessage', (data) => same<typeof data, unknown>(true));
socket.on('roomClosed', ({ reason }) => same<typeof reason, 'deleted'>(true));
socket.on('exception', ({ error, event }) => [error.status.toFixed(), event]);
// @ts-expect-error no such event
socket.on('newMesage', () => {});
// @ts-expect-error what the API answers is not known
socket.on('newMessage', (data: { id: number }) => data.id);
// @ts-expect-error a name that no template makes
socket.on('typing-7', () => {});
// @ts-expect-error it has no such member
socket.on('typing', ({ name }) => name);

// Other namespaces.
const support: Socket<SupportServerToClientEvents, SupportClientToServerEvents> = io('/support');
support.emit('anything', 1, 2);
support.on('something', (value: number) => value);
support.on('exception', (failure) => failure.error.code);
const org: Socket<OrgIdServerToClientEvents, OrgIdClientToServerEvents> = io('/org-7');
org.emit('rename', 'new');
org.emit('rename', { name: 'new' });
org.on('renamed', ({ name }) => same<typeof name, string | { name: string }>(true));
org.on('changed', () => {});
// @ts-expect-error neither text nor an object with a name
org.emit('rename', { title: 'new' });
// @ts-expect-error an event of another namespace
org.on('newMessage', () => {});

// What hooks send is added by hand.
interface All extends ServerToClientEvents {
  decided: (by: string) => void;
}
const all: Socket<All, ClientToServerEvents> = io();
all.on('decided', (by) => by.length);
