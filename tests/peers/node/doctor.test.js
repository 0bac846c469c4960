// `frontroom doctor` before sites that are really broken, each in one way, and before healthy ones.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import { Server } from 'socket.io';
import Server2 from 'socket.io-2';
import { binary, startGateway } from '../support/gateway.js';
import { startNginx } from '../support/nginx.js';

const PAGE = 'https://shop.example.com';
const CORS = { origin: [PAGE], credentials: true };
const QUICK = { pingInterval: 300, pingTimeout: 2000 };

/** Passes WebSockets on, as nginx' manual says. */
const UPGRADES =
  'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $host;';

/** A REST backend as NestJS makes them: its own 404, CORS for the page. */
function rest(request, response) {
  response.setHeader('X-Powered-By', 'Express');
  if (request.headers.origin === PAGE) {
    response.setHeader('Access-Control-Allow-Origin', PAGE);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Access-Control-Allow-Headers', 'authorization,content-type');
    response.setHeader('Vary', 'Origin');
  }
  if (request.method === 'OPTIONS') return response.writeHead(204).end();
  if (request.url === '/') return response.end('{}');
  const message = `Cannot ${request.method} ${request.url}`;
  response.writeHead(404, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ message, error: 'Not Found', statusCode: 404 }));
}

async function listen(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

/** A Socket.IO server of Node's beside a REST backend. */
async function startNode(options = {}, handler = rest) {
  const http = createServer(handler);
  const io = new Server(http, { cors: CORS, ...QUICK, ...options });
  return { io, url: await listen(http), stop: () => io.close() };
}

async function startRest(handler = rest) {
  const http = createServer(handler);
  return {
    url: await listen(http),
    stop() {
      http.closeAllConnections();
      return new Promise((resolve) => http.close(resolve));
    },
  };
}

/** Runs doctor to its end. */
function doctor(url, ...args) {
  return new Promise((resolve) => {
    execFile(binary(), ['doctor', url, ...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, lines: stdout.split('\n'), text: stdout + stderr });
    });
  });
}

/** The line of a check. */
function line({ lines, text }, level, check) {
  const found = lines.find((line) => line.startsWith(level) && line.slice(6).startsWith(check));
  assert.ok(found, `no line «${level} ${check}» in:\n${text}`);
  return found;
}

/** The checks that failed. */
function failed({ lines }) {
  return lines.filter((line) => line.startsWith('FAIL')).map((line) => line.slice(6, 28).trim());
}

/** Examines a site that `start` builds; everything that it started is stopped afterwards. */
function broken(name, start, judge) {
  test(name, async () => {
    const parts = [];
    try {
      const { url, args = ['--origin', PAGE] } = await start((part) => (parts.push(part), part));
      const seen = await doctor(url, ...args);
      assert.equal(seen.code, 1, seen.text);
      judge(seen);
    } finally {
      for (const part of parts.reverse()) await part.stop();
    }
  });
}

describe('doctor finds what is broken', { concurrency: 4 }, () => {
  broken(
    'a backend without Socket.IO: the polling handshake is its own 404',
    async (keep) => keep(await startRest()),
    (seen) => {
      assert.match(line(seen, 'FAIL', 'polling handshake'), /the backend's own 404.*Cannot GET \/socket\.io\//);
      assert.deepEqual(failed(seen), ['polling handshake'], seen.text);
      assert.match(seen.text, /nothing serves Socket\.IO on this path[^]*NestJS[^]*, likely here:[^]*IoAdapter\(app\)/);
    },
  );

  broken(
    'nginx without upgrade headers',
    async (keep) => {
      const node = keep(await startNode());
      return keep(await startNginx({ server: `location / { proxy_pass ${node.url}; }` }));
    },
    (seen) => {
      line(seen, 'ok', 'polling handshake');
      assert.match(line(seen, 'FAIL', 'upgrade'), /did not see the Upgrade header/);
      assert.deepEqual(failed(seen), ['websocket', 'upgrade'], seen.text);
      assert.match(seen.text, /a hop drops the Upgrade header[^]*nginx, likely here:[^]*proxy_set_header Upgrade \$http_upgrade;/);
    },
  );

  broken(
    'nginx that strips a prefix',
    async (keep) => {
      const node = keep(await startNode());
      return keep(await startNginx({ server: `location /socket.io/ { proxy_pass ${node.url}/; ${UPGRADES} } location / { proxy_pass ${node.url}; }` }));
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'polling handshake'), /\/socket\.io\/socket\.io is answered by Socket\.IO/);
      assert.match(seen.text, /a hop takes a prefix off the path[^]*nginx[^]*was: proxy_pass/);
    },
  );

  broken(
    'two servers in turn without stickiness',
    async (keep) => {
      const [one, two] = [keep(await startNode()), keep(await startNode())];
      const servers = [one, two].map(({ url }) => `server ${new URL(url).host};`).join(' ');
      return keep(await startNginx({ http: `upstream both { ${servers} }`, server: `location / { proxy_pass http://both; ${UPGRADES} }` }));
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'session affinity'), /of 20 polls: 400 .*Session ID unknown/);
      assert.match(seen.text, /requests of one session reach several servers[^]*ip_hash/);
    },
  );

  broken(
    'Access-Control-Allow-Origin twice',
    async (keep) => {
      const node = keep(await startNode());
      return keep(
        await startNginx({
          server: `location / { proxy_pass ${node.url}; ${UPGRADES} add_header Access-Control-Allow-Origin $http_origin always; }`,
        }),
      );
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'CORS REST'), /access-control-allow-origin 2 times/);
      line(seen, 'FAIL', 'CORS Socket.IO');
      assert.match(seen.text, /two hops add CORS headers[^]*nginx, likely here:[^]*proxy_hide_header/);
    },
  );

  broken(
    '* with credentials',
    async (keep) => {
      const open = (request, response) => {
        response.setHeader('Access-Control-Allow-Origin', '*');
        response.setHeader('Access-Control-Allow-Credentials', 'true');
        response.setHeader('Access-Control-Allow-Headers', 'authorization,content-type');
        response.writeHead(request.method === 'OPTIONS' ? 204 : 200).end();
      };
      return keep(await startNode({ cors: { origin: '*', credentials: true } }, open));
    },
    (seen) => {
      for (const check of ['preflight REST', 'CORS REST', 'CORS Socket.IO']) {
        assert.match(line(seen, 'FAIL', check), /\* with credentials/);
      }
      assert.match(seen.text, /`\*` does not work with credentials[^]*allow_origins: \["https:\/\/app\.example\.com"\]/);
    },
  );

  broken(
    'an error page without CORS headers',
    async (keep) => {
      const bare = (request, response) => {
        if (request.url === '/' || request.method === 'OPTIONS') return rest(request, response);
        response.writeHead(404, { 'Content-Type': 'text/html' }).end('<h1>Not found</h1>');
      };
      return keep(await startNode({}, bare));
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'CORS REST error'), /404: no access-control-allow-origin/);
      assert.deepEqual(failed(seen), ['CORS REST error'], seen.text);
      assert.match(seen.text, /error answers carry no CORS headers[^]*always/);
    },
  );

  broken(
    'a server that speaks Engine.IO 3 only',
    async (keep) => {
      const http = createServer(rest);
      const io = new Server2(http, { origins: '*:*' });
      const url = await listen(http);
      return { url: keep({ url, stop: () => new Promise((resolve) => io.close(resolve)) }).url };
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'polling handshake'), /does not speak Engine\.IO 4/);
      assert.match(seen.text, /speaks Socket\.IO 1\.x\/2\.x only[^]*eio3: true/);
    },
  );

  broken(
    'an idle timeout of 30 seconds under the ping interval',
    async (keep) => {
      const node = keep(await startNode({ pingInterval: 34_000 }));
      return keep(await startNginx({ server: `location / { proxy_pass ${node.url}; ${UPGRADES} proxy_read_timeout 30s; }` }));
    },
    (seen) => {
      const lines = seen.lines.filter((line) => line.startsWith('FAIL  ping'));
      assert.equal(lines.length, 2, seen.text);
      assert.match(lines[0], /polling: cut after (29|30|31)\.\d s of silence/);
      assert.match(lines[1], /websocket: cut after (29|30|31)\.\d s of silence/);
      assert.match(seen.text, /cuts connections that are idle[^]*proxy_read_timeout/);
    },
  );

  broken(
    'a token that is refused, with its reason',
    async (keep) => {
      const node = keep(await startNode());
      node.io.use((socket, next) => {
        const error = new Error(`not with ${socket.handshake.auth.token}`);
        error.data = { code: 'token_invalid' };
        next(error);
      });
      return { url: node.url, args: ['--token', 'stale'] };
    },
    (seen) => {
      assert.match(line(seen, 'FAIL', 'namespace'), /connect_error in \/: `not with stale` \(token_invalid\)/);
      assert.deepEqual(failed(seen), ['namespace'], seen.text);
    },
  );

  broken(
    'a redirect on the path',
    async (keep) => keep(await startNginx({ server: 'location / { return 301 https://$host$request_uri; }' })),
    (seen) => {
      assert.match(line(seen, 'FAIL', 'polling handshake'), /301 to https:/);
      assert.match(seen.text, /a redirect answers on the path/);
    },
  );

  broken(
    'nobody listens',
    async (keep) => {
      const gone = await startRest();
      await gone.stop();
      return gone;
    },
    (seen) => {
      line(seen, 'FAIL', 'reach');
      assert.deepEqual(failed(seen), ['reach'], seen.text);
    },
  );
});

describe('doctor finds nothing wrong', { concurrency: 4 }, () => {
  const healthy = (seen) => {
    assert.equal(seen.code, 0, seen.text);
    assert.deepEqual(failed(seen), [], seen.text);
    for (const check of ['upgrade', 'session affinity', 'namespace', 'ping', 'CORS Socket.IO error', 'CORS REST error']) {
      line(seen, 'ok', check);
    }
  };

  test('with frontroom before a REST backend', async () => {
    const backend = await startRest((request, response) => response.writeHead(request.url === '/' ? 200 : 404).end());
    const config = `{listen: "127.0.0.1:0", upstream: "${backend.url}", admin: {listen: "127.0.0.1:0"}, cors: {allow_origins: "${PAGE}", allow_credentials: true}, socketio: {ping_interval: 300ms}}`;
    const gateway = await startGateway({ config });
    healthy(await doctor(gateway.url, '--origin', PAGE));
    await gateway.stop();
    await backend.stop();
  });

  test("with Node's server behind nginx, in another namespace and below another path", async () => {
    const node = await startNode({ path: '/live/io' });
    node.io.of('/chat').use((socket, next) => next(socket.handshake.auth.token === 'good' ? undefined : new Error('no')));
    const nginx = await startNginx({ server: `location / { proxy_pass ${node.url}; ${UPGRADES} }` });
    const args = ['--origin', PAGE, '--path', '/live/io', '--namespace', '/chat', '--token', 'good'];
    healthy(await doctor(nginx.url, ...args));
    await nginx.stop();
    await node.stop();
  });
});

test('words that make no sense are usage errors', async () => {
  for (const args of [['app.example.com'], ['http://a.test', '--origin', 'a.test'], ['http://a.test', '--path', 'x']]) {
    const seen = await doctor(...args);
    assert.equal(seen.code, 2, seen.text);
    assert.match(seen.text, /write/);
  }
});
