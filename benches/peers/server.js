// The peer: socket.io on Node with the handlers that every server of the benchmark has.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("broadcast", (data) => io.to(data.room).emit("msg", data));
  socket.on("echo", (data, ack) => ack(data));
});

http.listen(0, "127.0.0.1", 1024, () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
