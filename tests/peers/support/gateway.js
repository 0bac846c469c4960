// Starts and stops frontroom binaries, each with its own config and free ports.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from './wait.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const EXIT_MS = 15_000;

/** The chat rules that most tests run. */
export const CHAT = readFileSync(new URL('../chat.yaml', import.meta.url), 'utf8');

/** The binary under test: `FRONTROOM_BIN`, else what cargo built. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const built = [join(target, 'debug/frontroom'), join(target, 'release/frontroom')];
  const found = process.env.FRONTROOM_BIN ?? built.find(existsSync);
  assert.ok(found, `no frontroom binary: run cargo build, or set FRONTROOM_BIN (looked for ${built.join(', ')})`);
  return found;
}

/** A running process of the binary; what it printed is kept to explain failures. */
export class Process {
  output = '';
  #child;
  #exit;

  constructor(args, env = {}) {
    this.#child = spawn(binary(), args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.#exit.catch(() => {});
  }

  /** The first line on stdout or stderr for which `read` gives a value: that value. */
  printed(read, what) {
    const line = new Promise((resolve) => {
      let rest = '';
      const take = (chunk) => {
        this.output += chunk;
        if (process.env.PEERS_LOG) process.stderr.write(chunk);
        const lines = (rest + chunk).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          const value = read(line.replace(/\x1b\[[0-9;]*m/g, ''));
          if (value !== undefined) resolve(value);
        }
      };
      this.#child.stdout.setEncoding('utf8').on('data', take);
      this.#child.stderr.setEncoding('utf8').on('data', take);
    });
    const ended = this.#exit.then(({ code }) => {
      throw new Error(`${what}: exited with ${code}, having printed:\n${this.output}`);
    });
    return within(Promise.race([line, ended]), what);
  }

  /** SIGTERM; it must exit with 0 in time. */
  async stop(ms = EXIT_MS) {
    this.#child.kill('SIGTERM');
    const { code, signal } = await within(this.#exit, 'exit after SIGTERM', ms).catch((late) => {
      this.#child.kill('SIGKILL');
      throw new Error(`${late.message}\n${this.output}`);
    });
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `exit after SIGTERM:\n${this.output}`);
  }

  /** SIGKILL: the end that nobody can prepare for. */
  async kill() {
    this.#child.kill('SIGKILL');
    await within(this.#exit, 'exit after SIGKILL');
  }
}

/** Starts `frontroom run` with this YAML text; `${NAME}` in it comes from `env`. */
export async function startGateway({ config = CHAT, env = {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'frontroom-peers-'));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, config);
  const gateway = new Process(['run', '--config', file], env);
  gateway.url = await gateway.printed(listening, 'frontroom listens');
  rmSync(folder, { recursive: true });
  return gateway;
}

/** The URL of a start line, `listening on https://..`; the admin listener has its own line. */
function listening(line) {
  return /admin/i.test(line) ? undefined : /listening on (https?:\/\/[^\s"]+)/.exec(line)?.[1];
}

/** A backend and the gateway before it; `backend` must not be listening yet. */
export async function startSite(backend, { config, env } = {}) {
  await backend.listen();
  const gateway = await startGateway({ config, env: { UPSTREAM: backend.url, ...env } });
  return {
    backend,
    gateway,
    url: gateway.url,
    async stop() {
      await gateway.stop();
      await backend.close();
    },
  };
}
