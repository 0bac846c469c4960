// Several gateways with a Redis between them, behind a plain round-robin nginx without sticky sessions.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway } from './gateway.js';
import { startNginx } from './nginx.js';
import { startRedis } from './redis.js';

export const NODES = 3;

/** The config of a node behind a proxy on this machine; its ports are free ones unless they are given. */
export function nodeConfig({ port = 0, admin = 0, upstream, redis, lease, socketio, shutdown }) {
  return `
listen: "127.0.0.1:${port}"
upstream: "${upstream}"
trusted_proxies: 127.0.0.1
admin: {listen: "127.0.0.1:${admin}"}
log: {access: false, level: error}
cluster:
  lease: ${lease}
  redis: {url: "${redis}"}
  node: {listen: "127.0.0.1:0", advertise: "http://127.0.0.1:0", secret: "a secret of the test"}
socketio: ${socketio}
shutdown: ${shutdown}
`;
}

/** A backend, a Redis, the gateways and nginx before them; `finallyDo` takes what ends them. */
export async function startCluster(finallyDo, { socketio, connections }) {
  const folder = mkdtempSync(join(tmpdir(), 'frontroom-nodes-'));
  finallyDo(() => rmSync(folder, { recursive: true }));
  const backend = createServer((request, response) => response.writeHead(204).end());
  await new Promise((resolve) => backend.listen(0, '127.0.0.1', resolve));
  finallyDo(() => backend.close());
  const redis = await startRedis();
  finallyDo(() => redis.stop());
  const upstream = `http://127.0.0.1:${backend.address().port}`;
  const config = nodeConfig({ upstream, redis: redis.url, lease: '2s', socketio, shutdown: '{grace: 2s}' });
  const gateways = await Promise.all(Array.from({ length: NODES }, () => startGateway({ config })));
  finallyDo(() => Promise.all(gateways.map((gateway) => gateway.kill())));
  for (const gateway of gateways) gateway.admin = await adminOf(gateway);
  const log = join(folder, 'access.log');
  const servers = gateways.map(({ url }) => `server ${new URL(url).host} max_fails=0;`).join(' ');
  const nginx = await startNginx({
    connections,
    http: `upstream nodes { ${servers} } log_format lines '$status $request_method $upstream_addr $request_uri';`,
    server: `access_log ${log} lines; location / { proxy_pass http://nodes; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_read_timeout 75s; }`,
  });
  finallyDo(() => nginx.stop());
  return { url: nginx.url, gateways, lines: () => readFileSync(log, 'utf8').trim().split('\n') };
}

/** Where a gateway's admin listener is. */
async function adminOf(gateway) {
  const read = (text) => /admin on (http:\/\/\S+)/.exec(text)?.[1];
  return read(gateway.output) ?? (await gateway.printed(read, 'the admin listener'));
}

/** Runs a test with what is to be ended afterwards, the last first. */
export async function withEnding(run) {
  const ending = [];
  try {
    await run((end) => ending.push(end));
  } finally {
    for (const end of ending.reverse()) await end();
  }
}
