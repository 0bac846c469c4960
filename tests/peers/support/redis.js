// Starts a Redis of the test's own, on a free port and without a file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { freePort } from './nginx.js';
import { within } from './wait.js';

export async function startRedis() {
  const port = await freePort();
  let child = await launch(port);
  const stop = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await within(ended, 'redis ends');
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    stop,
    async restart() {
      await stop();
      child = await launch(port);
    },
  };
}

async function launch(port) {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
  const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ready = new Promise((resolve, reject) => {
    let log = '';
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`redis-server ended:\n${log}`)));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      log += text;
      if (log.includes('Ready to accept connections')) resolve();
    });
  });
  await within(ready, 'redis-server is ready');
  return child;
}
