// The peer: http-proxy on Node with keep-alive upstream connections.
import http from "node:http";
import httpProxy from "http-proxy";

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 });
const proxy = httpProxy.createProxyServer({ target: process.env.BACKEND, agent, xfwd: true });
// It would pass on what the client says of its own connection.
proxy.on("proxyReq", (request) => request.setHeader("connection", "keep-alive"));
proxy.on("error", (error, request, response) => response.writeHead?.(502).end());

const server = http.createServer((request, response) => proxy.web(request, response));
server.keepAliveTimeout = 300_000;
server.listen(0, "127.0.0.1", 4096, () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
