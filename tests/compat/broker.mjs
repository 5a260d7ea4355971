// broker.mjs — a broker and a worker that talk to a sandbox, in a folder of their own, and its admin API.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { KEY, LINES, SECRET, run } from './harness.mjs';

const LIMIT_MS = 20000;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class Broker {
  static async start(folderOfPrograms, sandbox) {
    const broker = new Broker();
    const ports = [];
    for (let i = 0; i < 5; i++) ports.push(await freePort());
    broker.folder = mkdtempSync(join(tmpdir(), 'lineward-compat-'));
    process.once('exit', () => rmSync(broker.folder, { recursive: true, force: true }));
    broker.admin = `http://127.0.0.1:${ports[4]}`;
    const configuration = join(broker.folder, 'lineward.yaml');
    writeFileSync(join(broker.folder, 'key'), `${KEY}\n`, { mode: 0o600 });
    writeFileSync(join(broker.folder, 'secrets'), `${SECRET}\n`, { mode: 0o600 });
    writeFileSync(configuration, `
broker: {producers: "tcp://127.0.0.1:${ports[0]}", workers: "tcp://127.0.0.1:${ports[1]}",
         events: "tcp://127.0.0.1:${ports[2]}", webhooks: "127.0.0.1:${ports[3]}", admin: "127.0.0.1:${ports[4]}",
         outcome_hosts: ["http://127.0.0.1"]}
pools: {default: {outcome_url: "http://127.0.0.1:9/", outcome_secrets_file: secrets}, # nobody listens
        small: {account: default, lines: ["${LINES[2]}"], policy: small}}
policies: {default: {pace_per_min: 0}, small: {new_conversations_per_day: 1}}
store: {segment_mb: 1}
accounts: {default: {base_url: "${sandbox.api}/api/partner", api_key_file: key, webhook_secrets_file: secrets,
                     poll_interval_ms: 200}}
worker: {broker: ["tcp://127.0.0.1:${ports[1]}"]}
`);
    broker.processes = ['lineward-broker', 'lineward-worker'].map((program) => run(join(folderOfPrograms, program),
      ['--config', configuration], ['ignore', 'ignore', 'pipe']));
    for (const child of broker.processes) {
      child.stderr.setEncoding('utf8');
      child.stderr.on('data', (text) => { broker.said = (broker.said ?? '') + text; });
    }
    await broker.until('it is ready', async () => {
      const answer = await fetch(`${broker.admin}/readyz`).catch(() => null);
      return answer?.status === 200;
    });
    broker.token = readFileSync(join(broker.folder, 'tokens.first'), 'utf8').trim();
    return broker;
  }

  async until(what, look) {
    for (const limit = Date.now() + LIMIT_MS; Date.now() < limit;) {
      if (await look()) return;
      const gone = this.processes.find((child) => child.exitCode !== null || child.signalCode !== null);
      if (gone) throw new Error(`${gone.spawnfile} has ended, before ${what}\n${this.said}`);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    throw new Error(`not within ${LIMIT_MS} ms: ${what}\n${this.said}`);
  }

  call(method, path, body) {
    return fetch(this.admin + path, { method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body) });
  }

  async stop() {
    for (const process of this.processes.reverse()) {
      const ended = once(process, 'exit');
      process.kill();
      await ended;
    }
    rmSync(this.folder, { recursive: true });
  }
}
