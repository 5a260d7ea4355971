// compat.mjs — the provider's own SDK and the Standard Webhooks library, as published, against a running sandbox: what
// they take for a provider's answer, error or event, the router may take for one too. And a broker beside docs/openapi.yaml
// (admin.mjs). Run by tests/compat/run.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import LinqAPIV3, * as sdk from '@linqapp/sdk';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import { adminTests } from './admin.mjs';
import { Broker } from './broker.mjs';
import { KEY, LINES, Receiver, SECRET, Sandbox, runAll, test } from './harness.mjs';

const OTHER_SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=';

const programs = process.argv[2];
const sandbox = await Sandbox.start(join(programs, 'lineward-sandbox'));
const receiver = await Receiver.start();

function client(more) {
  return new LinqAPIV3({ baseURL: `${sandbox.api}/api/partner`, apiKey: KEY, webhookSecret: SECRET, maxRetries: 0, ...more });
}
const linq = client();

let people = 0;
const somebody = () => `+1415555${String(people++).padStart(4, '0')}`;
let keys = 0;
const key = () => `key-${keys++}`;
const text = (value, more) => ({ parts: [{ type: 'text', value }], ...more });
const open = (to, from = LINES[0], message = text('hello')) => linq.chats.create({ from, to: [].concat(to), message });

// What a call is refused with: of this class, and with this code in its body.
async function refused(promise, kind, code) {
  const error = await promise.then(() => assert.fail('it was not refused'), (thrown) => thrown);
  assert.equal(error.constructor.name, kind.name);
  assert.ok(error instanceof kind && error instanceof sdk.APIError);
  assert.equal(error.error.success, false);
  assert.equal(error.error.error.code, code);
  assert.equal(error.error.error.status, error.status);
  assert.ok(error.headers.get('x-trace-id') === error.error.trace_id);
  return error;
}

// ---- what is installed ----

test('the lock file pins every package by content, whatever registry it comes from', async () => {
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', import.meta.url), 'utf8'));
  const packages = Object.entries(lock.packages).filter(([name]) => name !== '');
  assert.ok(packages.length > 0);
  for (const [name, entry] of packages) {
    assert.equal(entry.resolved, undefined, name);
    assert.match(entry.integrity, /^sha512-/, name);
  }
});

// ---- lines ----

test('lists the lines with their reputation', async () => {
  const { phone_numbers: numbers } = await linq.phoneNumbers.list();
  assert.deepEqual(numbers.map((line) => line.phone_number), LINES);
  for (const line of numbers) {
    assert.equal(line.reputation.status, 'HEALTHY');
    assert.match(line.reputation.doc_url, /^https:/);
    assert.equal(line.health_status.status, 'HEALTHY');
  }
  await sandbox.control('POST', `/lines/${LINES[2]}`, { reputation: 'AT_RISK' });
  const again = await linq.phoneNumbers.list();
  assert.equal(again.phone_numbers[2].reputation.status, 'AT_RISK');
});

test('advises a healthy line, and the line of a chat that exists', async () => {
  const to = somebody();
  const advised = await linq.availableNumber.retrieve();
  assert.ok(LINES.slice(0, 2).includes(advised.phone_number));
  assert.match(advised.vcf_url, /^https:/);
  await open(to, LINES[2]);
  assert.equal((await linq.availableNumber.retrieve({ to: [to] })).phone_number, LINES[2]);
});

// ---- chats and messages ----

test('opens a chat and finds it again', async () => {
  const to = somebody();
  const { data, response } = await open(to).withResponse();
  assert.equal(response.status, 201);
  assert.match(response.headers.get('x-trace-id'), /^[0-9a-f]{32}$/);
  assert.equal(data.chat.is_group, false);
  assert.equal(data.chat.health_status.status, 'HEALTHY');
  assert.equal(data.chat.message.delivery_status, 'pending');
  assert.deepEqual(data.chat.message.parts[0].value, 'hello');
  const chat = await linq.chats.retrieve(data.chat.id);
  assert.deepEqual(chat.handles.map((handle) => [handle.handle, handle.is_me]), [[LINES[0], true], [to, false]]);
  assert.ok(!Number.isNaN(Date.parse(chat.created_at)));
});

test('the same recipients are the same chat, in any order', async () => {
  const [a, b] = [somebody(), somebody()];
  const first = await open([a, b]);
  const second = await open([b, a]);
  assert.equal(first.chat.is_group, true);
  assert.equal(second.chat.id, first.chat.id);
  assert.notEqual(second.chat.message.id, first.chat.message.id);
});

test('sends into a chat and reads the message back', async () => {
  const { chat } = await open(somebody());
  const { data, response } = await linq.chats.messages.send(chat.id, { message: text('more') }).withResponse();
  assert.equal(response.status, 202);
  assert.equal(data.chat_id, chat.id);
  const message = await linq.messages.retrieve(data.message.id);
  assert.equal(message.chat_id, chat.id);
  assert.equal(message.is_from_me, true);
  assert.equal(message.parts[0].value, 'more');
});

test('a key sent again is answered with the first message', async () => {
  const { chat } = await open(somebody());
  const message = text('once', { idempotency_key: key() });
  const first = await linq.chats.messages.send(chat.id, { message });
  const again = await linq.chats.messages.send(chat.id, { message });
  assert.equal(again.message.id, first.message.id);
});

test('lists the chats of a line page by page, each once', async () => {
  const opened = new Set();
  for (let i = 0; i < 7; i++) opened.add((await open(somebody(), LINES[1])).chat.id);
  const seen = [];
  let pages = 0;
  for await (const page of (await linq.chats.listChats({ from: LINES[1], limit: 2 })).iterPages()) {
    pages++;
    assert.ok(page.chats.length <= 2);
    seen.push(...page.chats.map((chat) => chat.id));
  }
  assert.equal(pages, 4);
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual(new Set(seen), opened);
});

test('lists the chats with a recipient, and goes through thousands', async () => {
  const to = somebody();
  const { chat } = await open(to);
  const found = [];
  for await (const one of linq.chats.listChats({ to })) found.push(one.id);
  assert.deepEqual(found, [chat.id]);
  await sandbox.control('POST', '/chats/preload', { count: 2500, lines: [LINES[2]] });
  let count = 0;
  for await (const one of linq.chats.listChats({ from: LINES[2], limit: 100 })) count += one.handles.length > 0;
  assert.ok(count >= 2500);
});

test('lists the messages of a chat page by page, theirs too', async () => {
  const to = somebody();
  const { chat } = await open(to);
  await linq.chats.messages.send(chat.id, { message: text('second') });
  await sandbox.control('POST', '/answers', { recipient: to, text: 'third' });
  const values = [];
  for await (const message of linq.chats.messages.list(chat.id, { limit: 1 }))
    values.push([message.parts[0].value, message.is_from_me]);
  assert.deepEqual(values, [['third', false], ['second', true], ['hello', true]]);
});

// ---- refusals ----

test('400 is a BadRequestError', async () => {
  await refused(open(somebody(), LINES[0], { parts: [{ type: 'link', value: 'https://a.example' }] }),
    sdk.BadRequestError, 1005);
  await refused(open('12345'), sdk.BadRequestError, 1002);
  await refused(open(somebody(), LINES[0], { parts: [] }), sdk.BadRequestError, 1004);
});

test('401 is an AuthenticationError', async () => {
  await refused(client({ apiKey: 'wrong' }).phoneNumbers.list(), sdk.AuthenticationError, 2004);
});

test('403 is a PermissionDeniedError: opted out, blocked, flagged, not ours', async () => {
  const to = somebody();
  const { chat } = await open(to);
  await sandbox.control('POST', '/answers', { recipient: to, text: 'STOP' });
  await refused(linq.chats.messages.send(chat.id, { message: text('more') }), sdk.PermissionDeniedError, 2024);
  await linq.post('/v3/blocked_handles', { body: { handle: to } });
  await refused(open(to, LINES[1]), sdk.PermissionDeniedError, 2026);
  await refused(open(somebody(), '+12025550199'), sdk.PermissionDeniedError, 2006);
  await sandbox.control('POST', `/lines/${LINES[1]}`, { service: 'FLAGGED' });
  await refused(open(somebody(), LINES[1]), sdk.PermissionDeniedError, 2027);
  await sandbox.control('POST', `/lines/${LINES[1]}`, { service: 'ACTIVE' });
});

test('404 is a NotFoundError', async () => {
  const nowhere = '00000000-0000-4000-8000-000000000301';
  await refused(linq.chats.retrieve(nowhere), sdk.NotFoundError, 2001);
  await refused(linq.messages.retrieve(nowhere), sdk.NotFoundError, 2002);
  await refused(linq.webhookSubscriptions.retrieve(nowhere), sdk.NotFoundError, 2010);
});

test('409, 422, 429, 500, 503 and 504 are of their classes', async () => {
  const kinds = [[2009, sdk.ConflictError], [2013, sdk.ConflictError], [4005, sdk.UnprocessableEntityError],
    [1007, sdk.RateLimitError], [3001, sdk.InternalServerError], [4004, sdk.InternalServerError],
    [3005, sdk.InternalServerError]];
  for (const [code, kind] of kinds) {
    await sandbox.rule({ code, times: 1 });
    await refused(open(somebody()), kind, code);
  }
});

test('429 of the pair limit says when to come again', async () => {
  const to = somebody();
  const { chat } = await open(to);
  for (let i = 1; i < 30; i++) await linq.chats.messages.send(chat.id, { message: text(`${i}`) });
  const error = await refused(linq.chats.messages.send(chat.id, { message: text('one more') }), sdk.RateLimitError, 1007);
  assert.ok(Number(error.headers.get('retry-after')) > 0);
  assert.equal(error.error.error.retry_after, Number(error.headers.get('retry-after')));
});

test("a proxy's page is an error of its status", async () => {
  await sandbox.rule({ http: 502, body: 'html', times: 1 });
  await assert.rejects(open(somebody()), (error) => error instanceof sdk.InternalServerError && error.status === 502);
});

test('a reset is an APIConnectionError, silence an APIConnectionTimeoutError', async () => {
  await sandbox.control('POST', '/faults', { rate_reset: 1 });
  await assert.rejects(open(somebody()), (error) => error instanceof sdk.APIConnectionError);
  await sandbox.control('POST', '/faults', { rate_reset: 0, rate_silence: 1 });
  await assert.rejects(client({ timeout: 200 }).chats.create({ from: LINES[0], to: [somebody()], message: text('x') }),
    (error) => error instanceof sdk.APIConnectionTimeoutError);
  await sandbox.control('DELETE', '/faults');
});

test('it tries again by itself, and a key makes one message of that', async () => {
  const before = (await sandbox.control('GET', '/stats')).accepted;
  await sandbox.rule({ code: 3005, after_accept: true, times: 2, retry_after_ms: 1, hint: 'header_ms' });
  const message = text('once', { idempotency_key: key() });
  const { chat } = await client({ maxRetries: 2 }).chats.create({ from: LINES[0], to: [somebody()], message });
  assert.match(chat.message.id, /^[0-9a-f-]{36}$/);
  assert.equal((await sandbox.control('GET', '/stats')).accepted, before + 1);
});

test('it understands every form of the hint', async () => {
  for (const [hint, retry_after_ms] of [['header_ms', 300], ['header', 400], ['both', 1000], ['date', 2000]]) {
    await sandbox.rule({ code: 1007, times: 1, hint, retry_after_ms });
    const begun = performance.now();
    await client({ maxRetries: 1 }).chats.create({ from: LINES[0], to: [somebody()], message: text('x') });
    const waited = performance.now() - begun;
    assert.ok(waited >= Math.min(retry_after_ms, 1000) - 50 && waited < retry_after_ms + 3000, `${hint}: ${waited} ms`);
  }
});

// ---- webhooks ----

async function verified(event, secret = SECRET) {
  const known = linq.webhooks.unwrap(event.body, { headers: event.headers, key: secret });
  assert.deepEqual(new Webhook(secret).verify(event.body, event.headers), known);
  assert.equal(known.api_version, 'v3');
  assert.equal(known.webhook_version, '2026-02-03');
  assert.equal(event.headers['webhook-id'], known.event_id);
  return known;
}

test('status events verify, with both libraries', async () => {
  await sandbox.control('POST', '/webhooks', { url: receiver.url });
  await sandbox.control('POST', `/lines/${LINES[0]}`, { reputation: 'CRITICAL' });
  const { data } = await verified(await receiver.event('phone_number.status_updated'));
  assert.equal(data.phone_number, LINES[0]);
  assert.equal(data.previous_reputation, 'HEALTHY');
  assert.equal(data.new_reputation, 'CRITICAL');
  assert.equal(data.new_status, 'ACTIVE');
  await sandbox.control('POST', `/lines/${LINES[0]}`, { reputation: 'HEALTHY', webhook: false });
});

test('message events verify and lead back to the message and its key', async () => {
  const to = somebody();
  const message = text('für dich \u{1F44B}', { idempotency_key: key() });
  const { chat } = await open(to, LINES[0], message);
  for (const type of ['message.sent', 'message.delivered']) {
    const { data } = await verified(await receiver.event(type));
    assert.equal(data.id, chat.message.id);
    assert.equal(data.idempotency_key, message.idempotency_key);
    assert.equal(data.parts[0].value, message.parts[0].value);
    assert.equal(data.chat.id, chat.id);
    assert.equal(data.chat.health_status.status, 'HEALTHY');
  }
  await sandbox.control('POST', `/messages/${chat.message.id}`, { delivery: 'read' });
  assert.ok((await verified(await receiver.event('message.read'))).data.read_at);
  await sandbox.control('POST', `/messages/${chat.message.id}`, { delivery: 'failed', code: 4001 });
  assert.equal((await verified(await receiver.event('message.failed'))).data.message_id, chat.message.id);
  await sandbox.control('POST', '/answers', { recipient: to, text: 'thanks' });
  const { data } = await verified(await receiver.event('message.received'));
  assert.equal(data.direction, 'inbound');
  assert.equal(data.sender_handle.handle, to);
});

test('another secret, a changed body, a missing header and an old time are refused', async () => {
  await open(somebody());
  const event = await receiver.event('message.sent');
  const isRefused = (body, headers, secret) => {
    assert.throws(() => linq.webhooks.unwrap(body, { headers, key: secret }), WebhookVerificationError);
    assert.throws(() => new Webhook(secret).verify(body, headers), WebhookVerificationError);
  };
  await verified(event);
  isRefused(event.body, event.headers, OTHER_SECRET);
  isRefused(`${event.body} `, event.headers, SECRET);
  isRefused(event.body, { ...event.headers, 'webhook-signature': undefined }, SECRET);
  isRefused(event.body, { ...event.headers, 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 301) }, SECRET);
});

test('events signed wrongly on request are refused', async () => {
  await sandbox.control('POST', '/webhooks', { bad_signature: true });
  await open(somebody(), LINES[1]);
  let event;
  do event = await receiver.event('message.sent'); while (!event.body.includes(LINES[1]));
  assert.throws(() => linq.webhooks.unwrap(event.body, { headers: event.headers }), WebhookVerificationError);
  await sandbox.control('POST', '/webhooks', { url: '' });
});

test('a subscription is made, used, changed and ended', async () => {
  const types = await linq.webhookEvents.list();
  assert.ok(types.events.includes('phone_number.status_updated'));
  const target_url = `${receiver.url}?version=2026-02-03`;
  const made = await linq.webhookSubscriptions.create(
    { target_url, subscribed_events: ['chat.created', 'message.received'], phone_numbers: [LINES[1]] });
  assert.equal(made.is_active, true);
  assert.deepEqual(made.phone_numbers, [LINES[1]]);
  const { chat } = await open(somebody(), LINES[1]);
  const { data } = await verified(await receiver.event('chat.created'), made.signing_secret);
  assert.equal(data.id, chat.id);
  const { subscriptions } = await linq.webhookSubscriptions.list();
  assert.deepEqual(subscriptions.map((one) => [one.id, one.signing_secret]), [[made.id, undefined]]);
  const changed = await linq.webhookSubscriptions.update(made.id, { is_active: false, phone_numbers: null });
  assert.equal(changed.is_active, false);
  assert.equal(changed.phone_numbers, null);
  assert.equal((await linq.webhookSubscriptions.retrieve(made.id)).target_url, target_url);
  await linq.webhookSubscriptions.delete(made.id);
  assert.deepEqual((await linq.webhookSubscriptions.list()).subscriptions, []);
  await refused(linq.webhookSubscriptions.create({ target_url, subscribed_events: ['nothing'] }),
    sdk.BadRequestError, 1005);
});

// A sandbox of its own: the tests above leave webhooks and rules behind.
const world = await Sandbox.start(join(programs, 'lineward-sandbox'));
const broker = await Broker.start(programs, world);
adminTests(broker, world);

const good = await runAll().finally(async () => {
  receiver.stop();
  await broker.stop();
  await world.stop();
  return sandbox.stop();
});
process.exitCode = good ? 0 : 1;
