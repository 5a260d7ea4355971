/* admin_rig.h — the admin API over real HTTP with a real core, and the rest of the broker played: effects are durable
 * at once, records are kept in an array, and the clock stands where the test puts it. */
#ifndef LINEWARD_TESTS_ADMIN_RIG_H
#define LINEWARD_TESTS_ADMIN_RIG_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/edge/admin.h"
#include "broker/edge/job_parse.h"

#define RIG_WAIT_MS 20000 /* longer than any test may take */
#ifndef RIG_RECORDS
#define RIG_RECORDS 20000
#endif
#define RIG_ROOM    16384
#ifndef RIG_MORE_POOLS
#define RIG_MORE_POOLS ""
#endif
#ifndef RIG_NAMES_MAX
#define RIG_NAMES_MAX 256
#endif
#define RIG_LINE_EU 12025550101
#define RIG_LINE_US 12025550102

static const char rig_conf[] = "accounts:\n  default:\n    api_key_file: key\n"
                               "pools:\n"
                               "  eu: {account: default, lines: [\"+12025550101\"]}\n"
                               "  us: {account: default, lines: [\"+12025550102\"]}\n"
                               RIG_MORE_POOLS;

static struct rig {
    char folder[64], tokens_path[96];
    struct conf *conf;
    struct core *core;
    struct instant now;
    struct effects effects;
    struct keyed_hash hash;
    struct tokens *tokens;
    struct lookup *lookup;
    struct admin *admin;
    bool ready, hold_effects, refuse_busy, store_full;
    bool hold_records, until_asked; /* records from `durable_count` on are not on disk yet; until an answer waits for them */
    size_t durable_count;
    unsigned waited; /* times that a call waited for all that was decided by then to be on disk */
    size_t bytes, step_bytes_max; /* of all records' texts; the most that one call of admin_serve() has added */
    bool no_events; /* the disk cannot be read for them */
    unsigned events_asked;
    void (*looked_up)(void); /* NULL; else called whenever an answer from disk has come, before it is given on */
    struct outcome_view outcomes; /* of the first pool; no host: it has none */
    pthread_mutex_t mutex; /* of the records */
    struct change records[RIG_RECORDS];
    size_t record_count;
    void *memory[4096];
    size_t memory_count;
    size_t damaged; /* one more than the place of a record that cannot be read; 0: none; SIZE_MAX: all */
} rig;

/* ---- the store's part ---- */

static void *rig_copy(const void *data, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    return copy;
}

static void rig_copy_sections(struct change *record, const struct change *change)
{
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        struct span from = change->sections[s];
        for (size_t i = rig.record_count; (change->copy_mask & 1u << s) != 0 && from.bytes == 0 && i-- > 0;) {
            const struct change *older = &rig.records[i];
            if (older->kind == change->copy_kind && change_key(older) == change->copy_key)
                from = older->sections[s];
        }
        rig.bytes += from.bytes;
        record->sections[s] = (struct span){from.bytes > 0 ? rig_copy(from.data, from.bytes) : NULL, from.bytes};
    }
}

static void rig_record(const struct change *change)
{
    ck_assert_uint_lt(rig.record_count, RIG_RECORDS);
    pthread_mutex_lock(&rig.mutex);
    struct change *record = &rig.records[rig.record_count];
    *record = *change;
    rig_copy_sections(record, change);
    if (change->kind == CHANGE_PAUSE)
        record->pause = rig_copy(change->pause, sizeof *change->pause);
    if (change->kind == CHANGE_ORDERS)
        record->orders = rig_copy(change->orders, sizeof *change->orders);
    if (change->kind == CHANGE_AUDIT)
        record->audit = rig_copy(change->audit, sizeof *change->audit);
    if (change->kind == CHANGE_NAME)
        record->name = rig_copy(change->name, sizeof *change->name);
    if (change->kind == CHANGE_LINE)
        record->line = rig_copy(change->line, sizeof *change->line);
    if (change->kind == CHANGE_START)
        record->start = rig_copy(change->start, sizeof *change->start);
    rig.record_count++;
    pthread_mutex_unlock(&rig.mutex);
}

static size_t rig_readable(void)
{
    return rig.hold_records ? rig.durable_count : rig.record_count;
}

static inline void rig_hold_until_asked(void)
{
    rig.hold_effects = rig.hold_records = rig.until_asked = true;
    rig.durable_count = rig.record_count;
}

static void rig_tell_places(size_t first)
{
    for (size_t i = first; i < rig.record_count; i++)
        core_moved(rig.core, rig.records[i].kind, change_key(&rig.records[i]), UINT64_MAX, i);
}

static void rig_end_hold(void)
{
    bool asked = false;
    for (size_t i = 0; i < rig.effects.effect_count; i++)
        asked = asked || (rig.effects.effects[i].kind == EFFECT_ANSWER && admin_owns(rig.effects.effects[i].token));
    if (!rig.until_asked || !asked)
        return;
    rig.hold_effects = rig.hold_records = rig.until_asked = false;
    rig_tell_places(rig.durable_count);
}

/* What the core asked for is written and, unless the test holds it back, durable at once. */
static void rig_commit(void)
{
    size_t first = rig.record_count;
    for (size_t i = 0; i < rig.effects.change_count; i++)
        rig_record(&rig.effects.changes[i]);
    rig.effects.change_count = 0;
    if (!rig.hold_records)
        rig_tell_places(first);
    rig_end_hold();
    if (rig.hold_effects)
        return;
    for (size_t i = 0; i < rig.effects.effect_count; i++) {
        if (admin_owns(rig.effects.effects[i].token)) {
            rig.waited += rig.effects.effects[i].kind == EFFECT_ANSWER;
            admin_effect(rig.admin, &rig.effects.effects[i]);
        }
    }
    rig.effects.effect_count = 0;
}

static enum err rig_read(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&rig.mutex);
    bool there = place < rig_readable(), damaged = place + 1 == rig.damaged || rig.damaged == SIZE_MAX;
    if (there && !damaged)
        visit(visitor, &rig.records[place]);
    pthread_mutex_unlock(&rig.mutex);
    return damaged ? ERR_DAMAGED : there ? ERR_NONE : ERR_NOT_FOUND;
}

static enum err rig_find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&rig.mutex);
    bool damaged = rig.damaged == SIZE_MAX;
    for (size_t i = 0; i < rig_readable() && !damaged; i++) {
        if (rig.records[i].kind == kind && change_key(&rig.records[i]) == key && !visit(visitor, &rig.records[i]))
            break;
    }
    pthread_mutex_unlock(&rig.mutex);
    return damaged ? ERR_DAMAGED : ERR_NONE;
}

static enum err rig_events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit,
                           void *visitor)
{
    size_t given = 0;
    *oldest = 0;
    pthread_mutex_lock(&rig.mutex);
    rig.events_asked++;
    bool there = !rig.no_events;
    for (size_t i = 0; there && i < rig.record_count; i++) {
        uint64_t seq = rig.records[i].event.seq;
        if (seq != 0 && *oldest == 0)
            *oldest = seq;
        if (seq > after && (given++ == limit || !visit(visitor, &rig.records[i])))
            break;
    }
    pthread_mutex_unlock(&rig.mutex);
    return there ? ERR_NONE : ERR_IO;
}

/* ---- the shell's part ---- */

static void rig_enqueue(void *self, const struct admin_enqueue *ask, struct instant now, struct effects *out)
{
    static struct job_texts texts; /* reused; freed when the rig goes */
    struct job_parser parser = {.conf = rig.conf, .hash = &rig.hash, .core = rig.core, .pools = ask->pools};
    for (uint32_t i = 0; i < ask->count; i++) {
        struct core_enqueue job;
        struct job_refusal refusal = {.code = CODE_BUSY};
        struct span id;
        bool ok = !rig.refuse_busy && job_parse(&parser, ask->jobs[i].data, ask->jobs[i].bytes, &job, &texts, &id,
                                                &refusal, ask->would != NULL ? NULL : out);
        if (!ok) {
            ask->refuse(ask->refuse_self, ask->token, i,
                        &(struct error_view){.code = refusal.code,
                                             .message = refusal.message[0] != '\0' ? refusal.message : NULL,
                                             .field = refusal.field[0] != '\0' ? refusal.field : NULL,
                                             .owner = refusal.owner.producers,
                                             .owner_admin = refusal.owner.admin});
            continue;
        }
        job.token = ask->token;
        job.index = i;
        if (ask->would != NULL) {
            struct core_would would;
            core_would_enqueue(rig.core, &job, rig.store_full, now, &would);
            ask->would(ask->refuse_self, ask->token, i, &would);
            continue;
        }
        size_t before = out->change_count;
        core_enqueue(rig.core, &job, false, now, out);
        if (ask->said != NULL)
            ask->said(ask->refuse_self, ask->token, i, &out->effects[out->effect_count - 1]);
        for (size_t c = before; c < out->change_count; c++) /* the texts are reused for the next one */
            rig_record(&out->changes[c]);
        out->change_count = before;
    }
    job_texts_free(&texts);
}

static enum code rig_requeue(void *self, const struct admin_requeue *ask, struct instant now, struct effects *out)
{
    static struct job_texts texts;
    struct job_parser parser = {.conf = rig.conf, .hash = &rig.hash, .core = rig.core, .pools = ask->pools};
    struct core_requeue letter = *ask->letter;
    struct job_refusal refusal = {0};
    struct span id;
    bool ok = job_parse(&parser, ask->document.data, ask->document.bytes, &letter.job, &texts, &id, &refusal, out);
    size_t before = out->change_count;
    letter.job.expires_ms = ask->expires_ms;
    enum code code = ok ? core_requeue(rig.core, &letter, false, now, out) : refusal.code;
    for (size_t c = before; c < out->change_count; c++) {
        rig_record(&out->changes[c]);
        core_moved(rig.core, out->changes[c].kind, change_key(&out->changes[c]), UINT64_MAX, rig.record_count - 1);
    }
    out->change_count = before;
    job_texts_free(&texts);
    struct conversation_view home = {0};
    if (code == CODE_LINE_CONFLICT && core_conversation_view(rig.core, letter.job.conversation, &home))
        *ask->home = home.line;
    return code;
}

static uint64_t rig_id_hash(void *self, uint32_t pool, const char *id)
{
    return job_id_hash(&rig.hash, rig.conf->pools[pool].name, id);
}

static void rig_store_facts(void *self, struct store_facts *out)
{
    *out = (struct store_facts){.segments = 3, .commits = 12, .full = rig.store_full};
}

static bool rig_is_ready(void *self)
{
    return rig.ready;
}

static void *rig_take(void *self, size_t bytes)
{
    ck_assert_uint_lt(rig.memory_count, sizeof rig.memory / sizeof *rig.memory);
    void *memory = calloc(1, bytes + 1);
    rig.memory[rig.memory_count++] = memory;
    return memory;
}

/* ---- setting up ---- */

static void rig_add_token(FILE *file, const char *name, const char *role, const char *pools, const char *token)
{
    unsigned char hash[32];
    char hex[65];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token, strlen(token), NULL, 0);
    fprintf(file, "%s %s %s %s\n", name, role, pools, sodium_bin2hex(hex, sizeof hex, hash, sizeof hash));
}

static void rig_write_tokens(void)
{
    FILE *file = fopen(rig.tokens_path, "we");
    ck_assert_ptr_nonnull(file);
    rig_add_token(file, "root", "admin", "*", "admin-token");
    rig_add_token(file, "ops", "operator", "*", "operator-token");
    rig_add_token(file, "ops-eu", "operator", "eu", "operator-eu-token");
    rig_add_token(file, "ops-us", "operator", "us", "operator-us-token");
    rig_add_token(file, "eyes", "viewer", "*", "viewer-token");
    rig_add_token(file, "eyes-us", "viewer", "us", "viewer-us-token");
    rig_add_token(file, "eyes-none", "viewer", "elsewhere", "viewer-elsewhere-token");
    rig_add_token(file, "shop", "producer", "eu", "producer-eu-token");
    ck_assert_int_eq(fclose(file), 0);
}

static void rig_open_core(void)
{
    const struct core_limits limits = {.jobs_max = 5000,
                                       .conversations_max = 5000,
                                       .lines_max = 64,
                                       .leases_max = 256,
                                       .workers_max = 16,
                                       .pauses_max = 64,
                                       .names_max = RIG_NAMES_MAX,
                                       .remembered_max = 5000};
    const struct core_memory memory = {rig_take, NULL};
    const uint8_t random[KEY_RANDOM_BYTES] = {1};
    struct conf_problem problem;
    ck_assert_msg(conf_parse(&rig.conf, rig_conf, sizeof rig_conf - 1, "rig.yaml", rig.folder, NULL, 0, &problem) ==
                      ERR_NONE,
                  "%s", problem.text);
    rig.effects = (struct effects){.changes = calloc(RIG_ROOM, sizeof(struct change)),
                                   .change_room = RIG_ROOM,
                                   .effects = calloc(RIG_ROOM, sizeof(struct effect)),
                                   .effect_room = RIG_ROOM};
    ck_assert_int_eq(core_new(&rig.core, &limits, &memory, rig.conf, 42), ERR_NONE);
    core_restored(rig.core, random, rig.now, &rig.effects);
    rig_commit();
}

static void rig_poll_line(uint64_t number, enum reputation reputation)
{
    static uint64_t poll;
    struct core_line_fact fact = {.number = number,
                                  .has_reputation = true,
                                  .reputation = reputation,
                                  .poll = ++poll,
                                  .begun_mono_ms = rig.now.mono_ms};
    core_line_polled(rig.core, &fact, rig.now, &rig.effects);
    rig_commit();
}

static bool rig_outcomes(void *self, uint32_t pool, struct instant now, struct outcome_view *out)
{
    (void)self, (void)now;
    if (rig.outcomes.host[0] == '\0' || pool != 0)
        return false;
    *out = rig.outcomes;
    return true;
}

static void rig_setup(void)
{
    memset(&rig, 0, sizeof rig);
    rig.now = (struct instant){.wall_ms = INT64_C(1795428000000), .mono_ms = 1000000};
    rig.ready = true;
    pthread_mutex_init(&rig.mutex, NULL);
    ck_assert_int_ge(sodium_init(), 0);
    snprintf(rig.folder, sizeof rig.folder, "/tmp/lineward-admin-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig.folder));
    snprintf(rig.tokens_path, sizeof rig.tokens_path, "%s/tokens", rig.folder);
    rig_write_tokens();
    struct tokens_problem tokens_problem;
    bool made_first;
    ck_assert_int_eq(tokens_open(&rig.tokens, rig.tokens_path, &made_first, &tokens_problem), ERR_NONE);
    rig_open_core();
    const struct archive archive = {.read = rig_read, .find = rig_find, .events = rig_events};
    ck_assert_int_eq(lookup_open(&rig.lookup, &archive, 2), ERR_NONE);
    const struct admin_options options = {.listen = "127.0.0.1:0",
                                          .version = "0.1.0",
                                          .broker = "rig",
                                          .conf = rig.conf,
                                          .hash = &rig.hash,
                                          .tokens = rig.tokens,
                                          .lookup = rig.lookup,
                                          .started = rig.now,
                                          .shell = {.enqueue = rig_enqueue,
                                                    .requeue = rig_requeue,
                                                    .id_hash = rig_id_hash,
                                                    .store_facts = rig_store_facts,
                                                    .outcomes = rig_outcomes,
                                                    .ready = rig_is_ready}};
    struct admin_problem problem;
    ck_assert_msg(admin_open(&rig.admin, &options, &problem) == ERR_NONE, "%s", problem.text);
    rig_poll_line(RIG_LINE_EU, REPUTATION_HEALTHY);
    rig_poll_line(RIG_LINE_US, REPUTATION_CRITICAL);
}

static void rig_free_records(void)
{
    for (size_t i = 0; i < rig.record_count; i++) {
        struct change *record = &rig.records[i];
        for (unsigned s = 0; s < SECTION_COUNT; s++)
            free((void *)record->sections[s].data);
        if (record->kind == CHANGE_PAUSE || record->kind == CHANGE_NAME || record->kind == CHANGE_LINE ||
            record->kind == CHANGE_START || record->kind == CHANGE_ORDERS || record->kind == CHANGE_AUDIT)
            free((void *)record->line); /* the union's pointers lie at one place */
    }
}

static void rig_teardown(void)
{
    admin_close(&rig.admin);
    lookup_close(&rig.lookup);
    tokens_free(&rig.tokens);
    rig_free_records();
    for (size_t i = 0; i < rig.memory_count; i++)
        free(rig.memory[i]);
    free(rig.effects.changes);
    free(rig.effects.effects);
    conf_free(&rig.conf);
    unlink(rig.tokens_path);
    rmdir(rig.folder);
}

/* ---- asking ---- */

static int rig_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)admin_port(rig.admin)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* One turn of the owner. */
static void rig_serve(void)
{
    struct lookup_answer answer;
    while (lookup_collect(rig.lookup, &answer)) {
        if (rig.looked_up != NULL)
            rig.looked_up();
        if (admin_owns(answer.token))
            admin_looked_up(rig.admin, &answer);
        else
            lookup_answer_free(&answer);
    }
    bool more;
    do {
        size_t before = rig.bytes;
        more = admin_serve(rig.admin, rig.core, rig.now, &rig.effects);
        rig_commit();
        if (rig.bytes - before > rig.step_bytes_max)
            rig.step_bytes_max = rig.bytes - before;
    } while (more);
    admin_follow(rig.admin, core_next_seq(rig.core), true, rig.now);
}

/* Serves until `fd` can be read (or the answer is whole); false: in vain. */
static bool rig_wait(int fd)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = admin_fd(rig.admin), .events = POLLIN},
                               {.fd = lookup_fd(rig.lookup), .events = POLLIN}};
        if (poll(fds, 3, RIG_WAIT_MS) <= 0)
            return false;
        if (fds[1].revents != 0 || fds[2].revents != 0)
            rig_serve();
        if (fds[0].revents != 0)
            return true;
    }
}

struct reply {
    int status;
    char *text; /* head and body */
    const char *body;
    cJSON *json; /* NULL: the body is none */
};

static void reply_free(struct reply *reply)
{
    cJSON_Delete(reply->json);
    free(reply->text);
    *reply = (struct reply){0};
}

static void rig_send(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        struct pollfd fds = {.fd = fd, .events = POLLOUT};
        ck_assert_int_eq(poll(&fds, 1, RIG_WAIT_MS), 1);
        ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) /* refused and closed before all was sent: the answer is there to be read */
            return;
        text += sent;
        bytes -= (size_t)sent;
    }
}

static struct reply rig_receive(int fd)
{
    struct reply reply = {.text = calloc(1, 1)};
    size_t bytes = 0;
    for (;;) {
        char part[16384];
        ck_assert(rig_wait(fd));
        ssize_t got = recv(fd, part, sizeof part, 0);
        if (got <= 0)
            break;
        reply.text = realloc(reply.text, bytes + (size_t)got + 1);
        ck_assert_ptr_nonnull(reply.text);
        memcpy(reply.text + bytes, part, (size_t)got);
        bytes += (size_t)got;
        reply.text[bytes] = '\0';
    }
    close(fd);
    int status = 0; /* the analyzer takes the whole of `reply` for written to, if a part of it is lent */
    ck_assert_msg(sscanf(reply.text, "HTTP/1.1 %d", &status) == 1, "no answer: %s", reply.text);
    reply.status = status;
    const char *body = strstr(reply.text, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    reply.body = body + 4;
    reply.json = json_parse(reply.body, strlen(reply.body), NULL);
    return reply;
}

static int rig_ask_begin(const char *method, const char *target, const char *token, const char *body)
{
    char head[8192];
    int fd = rig_connect();
    int bytes = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n", method, target);
    if (token != NULL)
        bytes += snprintf(head + bytes, sizeof head - (size_t)bytes, "Authorization: Bearer %s\r\n", token);
    if (body != NULL)
        bytes += snprintf(head + bytes, sizeof head - (size_t)bytes, "Content-Length: %zu\r\n", strlen(body));
    bytes += snprintf(head + bytes, sizeof head - (size_t)bytes, "\r\n");
    ck_assert_uint_lt((size_t)bytes, sizeof head);
    rig_send(fd, head, (size_t)bytes);
    if (body != NULL)
        rig_send(fd, body, strlen(body));
    return fd;
}

static struct reply rig_ask(const char *method, const char *target, const char *token, const char *body)
{
    return rig_receive(rig_ask_begin(method, target, token, body));
}

static void rig_expect(const char *method, const char *target, const char *token, const char *body, int status)
{
    struct reply reply = rig_ask(method, target, token, body);
    ck_assert_msg(reply.status == status, "%s %s: %d, not %d: %s", method, target, reply.status, status, reply.body);
    if (status >= 400) {
        const cJSON *error = json_get(reply.json, "error");
        ck_assert_msg(json_string(error, "code") != NULL && json_string(error, "message") != NULL, "%s", reply.body);
    }
    reply_free(&reply);
}

#endif
