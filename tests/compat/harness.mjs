// harness.mjs — a sandbox to talk to, a receiver of webhooks, and a list of tests run one after the other.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
export const KEY = 'k';
export const LINES = ['+12025550101', '+12025550102', '+12025550103'];
const LIMIT_MS = 20000; // of whatever is waited for

// A program that does not outlive this one, however that ends.
export function run(program, args, stdio) {
  const child = spawn(program, args, { stdio });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

export class Sandbox {
  static async start(program) {
    const sandbox = new Sandbox();
    const args = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--api-key', KEY, '--webhook-secret', SECRET];
    sandbox.process = run(program, [...args, '--webhook-retry-ms', '10', '--audit-ms', '0'], ['ignore', 'pipe', 'inherit']);
    let said = '';
    sandbox.process.stdout.setEncoding('utf8');
    for await (const text of sandbox.process.stdout) {
      said += text;
      if (/^control .*\n/m.test(said)) break;
    }
    sandbox.api = said.match(/^listening (.*)$/m)[1];
    sandbox.controls = said.match(/^control (.*)$/m)[1];
    return sandbox;
  }

  async control(method, path, body) {
    const answer = await fetch(this.controls + path, { method, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  // The next requests are answered so; none before are any more.
  async rule(body) {
    await this.control('DELETE', '/rules');
    await this.control('POST', '/rules', body);
  }

  async stop() {
    const ended = once(this.process, 'exit');
    this.process.kill();
    const [status] = await ended;
    if (status !== 0) throw new Error(`the sandbox ended with ${status}`);
  }
}

// Keeps each event that comes: {headers, body (its exact text)}.
export class Receiver {
  static async start() {
    const receiver = new Receiver();
    receiver.events = [];
    receiver.waiting = [];
    receiver.server = createServer(async (request, answer) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      answer.end();
      receiver.events.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      receiver.waiting.splice(0).forEach((look) => look());
    });
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/hook`;
    return receiver;
  }

  // The first event of this type that came or comes; it is taken out.
  async event(type) {
    const until = Date.now() + LIMIT_MS;
    for (;;) {
      const at = this.events.findIndex((event) => JSON.parse(event.body).event_type === type);
      if (at >= 0) return this.events.splice(at, 1)[0];
      await within(new Promise((resolve) => this.waiting.push(resolve)), until - Date.now(), `no ${type}`);
    }
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections?.();
  }
}

function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${LIMIT_MS} ms`)), Math.max(ms, 0));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const tests = [];

export function test(name, body) {
  tests.push({ name, body });
}

// Runs all, tells of each, ends with the counts. True: none failed.
export async function runAll() {
  let failed = 0;
  for (const { name, body } of tests) {
    try {
      await within(body(), LIMIT_MS, 'not done');
      console.log(`  ok      ${name}`);
    } catch (error) {
      failed++;
      console.log(`  FAILED  ${name}\n    | ${String(error?.stack ?? error).replaceAll('\n', '\n    | ')}`);
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  return failed === 0;
}
