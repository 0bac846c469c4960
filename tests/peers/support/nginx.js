// Starts nginx with a config of the test's own, on a free port.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEADLINE_MS, within } from './wait.js';

/** A port that was free a moment ago: nginx cannot take port 0 and tell. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** nginx with `http` inside its `http {}`, and `server` inside a server that listens. */
export async function startNginx({ http = '', server, connections = 256 }) {
  const folder = mkdtempSync(join(tmpdir(), 'frontroom-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; worker_rlimit_nofile ${2 * connections + 64}; pid ${folder}/pid; error_log stderr;
     events { worker_connections ${connections}; }
     http { access_log off; ${temporary} ${http}
       server { listen 127.0.0.1:${port}; ${server} } }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk)); if (process.env.NGINX_LOG) child.stderr.pipe(process.stderr);
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.once('error', (error) => (log += error.message));
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`nginx does not start: ${log}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await within(exit, 'nginx ends');
      rmSync(folder, { recursive: true });
    },
  };
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => setTimeout(resolve, 20, false));
    socket.once('connect', () => socket.destroy());
  });
}
