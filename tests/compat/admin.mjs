// admin.mjs — what a running broker answers, compared with docs/openapi.yaml by a library for such documents: every call
// of it is made, and no answer has a member that the document does not name.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

import { LINES, test } from './harness.mjs';

const document = parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8'));
const made = new Set(); // "GET /v1/lines": calls that were made and answered well

// For clients members are only ever added; here nothing may come that is not written down.
function tighten(schema, inside) {
  if (schema === null || typeof schema !== 'object') return;
  for (const [name, value] of Object.entries(schema))
    for (const item of Array.isArray(value) ? value : [value]) tighten(item, name === 'allOf');
  const closed = (schema.properties || schema.allOf) && !inside && !schema['x-part'] && !schema['x-any'];
  if (closed && schema.additionalProperties === undefined) schema.unevaluatedProperties = false;
}

function validator() {
  const whole = structuredClone(document);
  tighten(whole.components.schemas);
  tighten(whole.components.responses);
  tighten(whole.paths);
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(whole, 'api');
  return ajv;
}
const ajv = validator();

const escape = (part) => part.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');

// The place of the schema of that answer in the document; $ref are followed.
function schemaAt(path, method, status) {
  const operation = document.paths[path][method];
  const key = operation.responses[status] ? String(status) : 'default';
  const answer = operation.responses[key];
  assert.ok(answer, `${method} ${path}: no answer ${status} in the document`);
  const place = answer.$ref ?? `#/paths/${escape(path)}/${method}/responses/${key}`;
  return `api${place}/content/application~1json/schema`;
}

function wrongs(errors) {
  return errors.map((e) => `${e.instancePath} ${e.message} ${e.params.unevaluatedProperty ?? ''}`).join('; ');
}

export function adminTests(broker, sandbox) {
  const fill = (path, parts) => path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name]).replaceAll('%2C', ','));

  // Makes the call that the document names, checks the answer, and returns it.
  async function ask(call, parts = {}, { query = '', body, status = 200 } = {}) {
    const [method, path] = call.split(' ');
    const answer = await broker.call(method, fill(path, parts) + query, body);
    const text = await answer.text();
    assert.equal(answer.status, status, `${call}: ${text}`);
    const json = JSON.parse(text);
    const validate = ajv.getSchema(schemaAt(path, method.toLowerCase(), status));
    assert.ok(validate, `${call}: no schema`);
    if (!validate(json)) assert.fail(`${call}: ${wrongs(validate.errors)}\n${text.slice(0, 2000)}`);
    if (status < 300) made.add(call);
    return json;
  }

  const message = { parts: [{ type: 'text', value: 'hello' }] };
  const [line, other] = LINES;
  const conversation = { pool: 'default', to: '+14155550101' };

  test('admin: jobs and all that shows them', async () => {
    const jobs = [{ id: 'a1', to: conversation.to, message, meta: { x: 1 } },
      { id: 'a2', to: '+14155550102', campaign: 'spring', class: 'campaign', message },
      { id: 'a3', to: ['+14155550103', '+14155550104'], message },
      { id: 'a4', to: '+14155550105', send_after: '2099-01-01T00:00:00Z', message },
      { to: 'nobody', message }];
    const { results } = await ask('POST /v1/jobs', {}, { body: { jobs } });
    assert.equal(results.length, 5);
    await ask('POST /v1/jobs', {}, { query: '?dry_run=1', body: { to: '+14155550109', message } });
    await broker.until('a1 is sent', async () => (await (await broker.call('GET', '/v1/jobs/a1')).json()).state === 'sent');
    const job = await ask('GET /v1/jobs/{id}', { id: 'a1' }, { query: '?body=1' });
    assert.deepEqual(job.message.parts, message.parts);
    await ask('GET /v1/jobs/{id}', { id: 'a4' });
    await ask('GET /v1/jobs/{id}', { id: 'none' }, { status: 404 });
    await ask('GET /v1/jobs/{id}/why-not/{line}', { id: 'a4', line });
    for (const by of ['line', 'pool', 'campaign', 'reason']) {
      const { total, shape } = await ask('GET /v1/shape', {}, { query: `?by=${by}` });
      assert.ok(total.jobs >= 1 && shape.length >= 1);
    }
    for (const by of ['line', 'class', 'campaign']) {
      const { total } = await ask('GET /v1/replies', {}, { query: `?by=${by}` });
      assert.ok(by === 'campaign' || total.sent >= 1);
    }
    assert.ok((await ask('GET /v1/jobs')).jobs.length >= 4);
    await ask('POST /v1/jobs/{id}/settle', { id: 'a4' }, { body: { outcome: 'sent', reason: 'seen' }, status: 422 });
    await ask('DELETE /v1/jobs/{id}', { id: 'a4' });
    await ask('DELETE /v1/jobs/{id}', { id: 'a4' }, { status: 409 });
  });

  test('admin: dead letters come back', async () => {
    await ask('POST /v1/lines/{line}/pause', { line }, { body: { reason: 'check' } });
    await ask('POST /v1/jobs', {}, { body: { id: 'd1', to: '+14155550111', from: line, message } });
    await ask('POST /v1/jobs', {}, { body: { id: 'd2', to: '+14155550112', from: line, message } });
    await ask('POST /v1/lines/{line}/drain', { line }, { body: { mode: 'fail', dry_run: true } });
    await ask('POST /v1/lines/{line}/drain', { line }, { body: { mode: 'fail' } });
    await broker.until('both are dead', async () => (await (await broker.call('GET', '/v1/dead')).json()).dead.length === 2);
    await ask('GET /v1/dead');
    await ask('POST /v1/dead/{id}/requeue', { id: 'd1' }, { body: { expires_at: null } });
    await ask('POST /v1/dead/requeue', {}, { query: '?code=held' });
    await ask('POST /v1/lines/{line}/drain', { line }, { body: { mode: 'ramp', pace_per_min: 10, dry_run: true } });
    await ask('POST /v1/lines/{line}/drain', { line }, { body: { mode: 'ramp', pace_per_min: 10 } });
    await ask('GET /v1/lines/{line}', { line });
    await ask('DELETE /v1/lines/{line}/drain', { line });
    await ask('POST /v1/lines/{line}/drain', { line }, { body: { mode: 'x' }, status: 422 });
    await ask('POST /v1/lines/{line}/resume', { line });
  });

  test('admin: a backlog is sorted out before it goes', async () => {
    await ask('POST /v1/lines/{line}/pause', { line }, { body: { reason: 'check' } });
    const jobs = [1, 2, 3].map((n) => ({ id: `t${n}`, to: `+1415555012${n}`, from: line, class: n === 3 ? 'reply' : 'campaign', message }));
    await ask('POST /v1/jobs', {}, { body: { jobs } });
    const query = `?line=${encodeURIComponent(line)}&class=campaign`;
    const dry = await ask('POST /v1/triage/cancel', {}, { query: `${query}&dry_run=1` });
    assert.equal(dry.jobs, 2);
    assert.equal(dry.recipients, 2);
    const exported = (await ask('GET /v1/triage/export', {}, { query })).export;
    assert.equal(exported.length, 2);
    const done = await ask('POST /v1/triage/cancel', {}, { query, body: { reason: 'check' } });
    assert.deepEqual([done.jobs, done.sample], [dry.jobs, dry.sample]);
    assert.equal((await ask('POST /v1/triage/expire', {}, { query: '?class=reply&pool=default' })).jobs, 1);
    await ask('POST /v1/triage/cancel', {}, { status: 422 });
    const again = () => ask('POST /v1/jobs', {}, { body: { jobs: exported.map((item) => item.document) } });
    assert.ok((await again()).results.every((result) => result.state === 'held'));
    assert.ok((await again()).results.every((result) => result.state === 'duplicate'));
    assert.equal((await ask('POST /v1/triage/redate', {}, { query, body: { expires_at: '2099-01-01T00:00:00Z' } })).jobs, 2);
    await ask('POST /v1/triage/redate', {}, { query, body: {}, status: 422 });
    const moved = await ask('POST /v1/triage/move', {}, { query: `?to=${encodeURIComponent('+14155550121')}`, body: { pool: 'default' } });
    assert.equal(moved.jobs, 0); // they are in that pool already
    await ask('POST /v1/triage/cancel', {}, { query });
    await ask('POST /v1/lines/{line}/resume', { line });
  });

  test('admin: lines', async () => {
    assert.equal((await ask('GET /v1/lines')).lines.length, LINES.length);
    await ask('POST /v1/lines/{line}/cordon', { line: other });
    await ask('POST /v1/lines/{line}/uncordon', { line: other });
    await ask('POST /v1/lines/{line}/reputation', { line: other },
      { body: { status: 'CRITICAL', for_ms: 60000, reason: 'drill' } });
    await ask('GET /v1/lines/{line}', { line: other });
    await ask('DELETE /v1/lines/{line}/reputation', { line: other });
    await ask('GET /v1/lines/{line}', { line: '+19995550100' }, { status: 404 });
  });

  test('admin: pauses of every scope', async () => {
    const scopes = [['/v1', {}], ['/v1/pools/{pool}', { pool: 'default' }], ['/v1/accounts/{account}', { account: 'default' }],
      ['/v1/campaigns/{pool}/{campaign}', { pool: 'default', campaign: 'spring' }],
      ['/v1/conversations/{pool}/{to}', conversation]];
    for (const [path, parts] of scopes) {
      const { pause } = await ask(`POST ${path}/pause`, parts, { body: { reason: 'check', for_ms: 3600000 } });
      await ask('GET /v1/pauses');
      await ask('GET /v1/pools');
      await ask('GET /v1/campaigns');
      await ask('GET /v1/conversations/{pool}/{to}', conversation);
      await ask(`POST ${path}/resume`, parts, { body: { pause } });
      await ask(`POST ${path}/resume`, parts, { status: 404 });
    }
  });

  test('admin: conversations and suppressions', async () => {
    await ask('GET /v1/conversations');
    await ask('GET /v1/lines/{line}/conversations', { line }, { query: '?health=AT_RISK,CRITICAL' });
    await ask('POST /v1/conversations/import', {}, { body: { conversations: [
      { line, to: '+14155550121', chat_id: 'chat-1' }, { line, to: '+14155550121', chat_id: 'chat-1' }, { line }] } });
    await ask('PUT /v1/conversations/{pool}/{to}/line', { pool: 'default', to: '+14155550121' },
      { body: { line: other, reason: 'asked' } });
    const who = { account: 'default', to: '+14155550131' };
    await ask('PUT /v1/suppressions/{account}/{to}', who, { body: { cause: 'operator', reason: 'asked' } });
    await ask('GET /v1/suppressions/{account}', who);
    await ask('DELETE /v1/suppressions/{account}/{to}', who, { body: { reason: 'asked again' } });
  });

  test('admin: what tries came to, and what waits', async () => {
    const view = (id) => ask('GET /v1/jobs/{id}', { id });
    const until = (id, look) => broker.until(`${id} is so`, async () => look(await view(id)));
    const pinned = (id, to) => ({ id, to, from: line, message });
    await sandbox.rule({ code: 3005, after_accept: true, times: 1 });
    await ask('POST /v1/jobs', {}, { body: pinned('f1', '+14155550141') });
    await until('f1', (job) => job.history.some((item) => item.http_status === 504 && item.code === 3005 && item.unknown && item.due_at));
    await until('f1', (job) => job.state === 'sent');
    await sandbox.rule({ code: 1003, times: 1 });
    await ask('POST /v1/jobs', {}, { body: pinned('f2', '+14155550142') });
    await until('f2', (job) => job.state === 'failed');
    await sandbox.control('POST', '/faults', { latency_ms: 3000 });
    await ask('POST /v1/jobs', {}, { body: pinned('f3', '+14155550143') });
    await until('f3', (job) => job.state === 'leased' && job.why.reason === null);
    assert.equal((await ask('DELETE /v1/jobs/{id}', { id: 'f3' })).cancel, 'asked');
    await sandbox.control('DELETE', '/faults');
    await until('f3', (job) => job.state === 'sent');
    const small = (id, to) => ({ id, pool: 'small', to, message });
    await ask('POST /v1/jobs', {}, { body: small('s1', '+14155550144') });
    await broker.until('s1 is sent', async () => (await view('small/s1')).state === 'sent');
    await ask('POST /v1/jobs', {}, { body: small('s2', '+14155550145') });
    const { against } = await ask('GET /v1/jobs/{id}/why-not/{line}', { id: 'small/s2', line: LINES[2] });
    assert.equal(against[0].budget.key, 'new_conversations_per_day');
  });

  test('admin: the whole, and what happened', async () => {
    await ask('GET /healthz');
    await ask('GET /readyz');
    await ask('GET /v1/status');
    await ask('GET /v1/workers');
    const dry = await ask('POST /v1/erasures', {}, { body: { to: '+14155550166', dry_run: true }, status: 202 });
    await ask('POST /v1/erasures', {}, { body: { to: '+14155550166', reason: 'asked' }, status: 202 });
    await ask('POST /v1/erasures', {}, { body: { to: 'nobody', reason: 'asked' }, status: 422 });
    await ask('GET /v1/erasures');
    await ask('GET /v1/erasures/{erasure}', { erasure: dry.erasure });
    await ask('GET /v1/audit');
    assert.ok((await ask('GET /v1/events')).events.length > 10);
    const refused = await fetch(`${broker.admin}/v1/status`);
    assert.equal(refused.status, 401);
  });

  test('admin: every call of the document that answers in JSON was made', async () => {
    const seldom = new Set(['POST /v1/jobs/{id}/settle']); // only an unknown outcome is settled: see unit/core_operate_test
    for (const [path, operations] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(operations)) {
        const call = `${method.toUpperCase()} ${path}`;
        const answer = operation.responses?.['200'];
        const json = answer && (answer.$ref || answer.content?.['application/json']);
        if (json && !seldom.has(call)) assert.ok(made.has(call), `${call} was not made`);
      }
  });
}
