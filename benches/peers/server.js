// The peer: socket.io on Node with the handlers that every server of the benchmark has.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { Pool } from "undici";

const http = createServer();
const io = new Server(http, { serveClient: false });
// One of several.
if (process.env.REDIS) {
  const [pub, sub] = [0, 1].map(() => createClient({ socket: { path: process.env.REDIS, tls: false } }));
  await Promise.all([pub.connect(), sub.connect()]);
  io.adapter(createAdapter(pub, sub));
}
const api = new Pool(process.env.UPSTREAM, { connections: 128 });

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("broadcast", (data) => io.to(data.room).emit("msg", data));
  socket.on("echo", (data, ack) => ack(data));
  // The rule `post`, by hand.
  socket.on("post", async (data, ack) => {
    try {
      const { statusCode, body } = await api.request({
        method: "POST",
        path: `/rooms/${encodeURIComponent(data.room)}/messages`,
        headers: {
          accept: "application/json",
          "content-type": "application/json",
          "idempotency-key": randomUUID(),
          "x-forwarded-for": socket.handshake.address,
          "x-request-id": randomUUID(),
          "x-socket-id": socket.id,
        },
        body: JSON.stringify(data),
      });
      const answer = await body.json();
      ack(statusCode < 300 ? answer : { error: { status: statusCode, body: answer } });
    } catch (error) {
      ack({ error: { status: 502, message: error.message } });
    }
  });
});

http.listen(0, "127.0.0.1", 1024, () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
