/* admin_triage_rig.h — a backlog to be sorted out, over the admin rig. Included once per test program. */
#ifndef LINEWARD_TESTS_ADMIN_TRIAGE_RIG_H
#define LINEWARD_TESTS_ADMIN_TRIAGE_RIG_H

#include "tests/support/suite.h"
#include "tests/unit/admin_work_rig.h"

#define EU "%2B12025550101"

static inline void enqueue(const char *id, unsigned recipient, const char *more)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"to\":\"+1415555%04u\"%s,"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}}",
             id, recipient, more);
    rig_expect("POST", "/v1/jobs", "admin-token", body, 200);
}

static inline void pass(int64_t ms)
{
    rig.now.wall_ms += ms;
    rig.now.mono_ms += ms;
    core_tick(rig.core, rig.now, &rig.effects);
    rig_commit();
}

/* One job an hour, from 10:00 on: two pools, all classes, campaigns, deadlines; the clock stands at 15:00 then. */
static inline void backlog(void)
{
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue("a", 1, ",\"pool\":\"us\",\"class\":\"campaign\",\"campaign\":\"spring\"");
    pass(3600000);
    enqueue("b", 2, ",\"pool\":\"us\",\"class\":\"campaign\",\"campaign\":\"spring\",\"expires_at\":\"2026-11-24T00:00:00Z\"");
    pass(3600000);
    enqueue("c", 2, ",\"pool\":\"us\",\"class\":\"followup\",\"campaign\":\"autumn\"");
    pass(3600000);
    enqueue("d", 3, ",\"pool\":\"us\",\"class\":\"reply\",\"expires_at\":\"2026-11-26T00:00:00Z\"");
    pass(3600000);
    enqueue("e", 4, ",\"pool\":\"eu\",\"from\":\"+12025550101\"");
    pass(3600000);
    enqueue("f", 5, ",\"pool\":\"eu\",\"send_after\":\"2026-11-25T00:00:00Z\"");
}

static inline int64_t number(const cJSON *object, const char *name)
{
    int64_t value = -1;
    json_int(object, name, &value);
    return value;
}

static inline struct reply triage(const char *action, const char *query)
{
    char target[320];
    snprintf(target, sizeof target, "/v1/triage/%s?%s", action, query);
    struct reply reply = rig_ask("POST", target, "operator-token", "{\"reason\":\"too old\"}");
    ck_assert_msg(reply.status == 200, "%s: %d %s", target, reply.status, reply.body);
    return reply;
}

static inline bool is(const char *pool, const char *id, const char *state)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/jobs/%s%%2F%s", pool, id);
    struct reply reply = rig_ask("GET", target, "viewer-token", NULL);
    bool same = reply.status == 200 && strcmp(json_string(reply.json, "state"), state) == 0;
    reply_free(&reply);
    return same;
}

static inline const char *pool_of(char id)
{
    return id < 'e' ? "us" : "eu";
}

/* What is in `jobs` is over, the rest waits. */
static inline void expect_ended(const char *jobs, const char *state)
{
    for (const char *id = "abcdef"; *id != '\0'; id++) {
        bool ended = strchr(jobs, *id) != NULL;
        const char *waits = *id == 'f' ? "scheduled" : "held";
        ck_assert_msg(is(pool_of(*id), (const char[]){*id, '\0'}, ended ? state : waits), "%c of %s", *id, jobs);
    }
}

static inline void take_no_refusal(void *self, uint64_t token, uint32_t index, const struct error_view *error)
{
    (void)self, (void)token, (void)index;
    ck_abort_msg("refused: %s", code_name(error->code));
}

/* Not by HTTP, which would wait for the disk. */
static inline void enqueue_at_once(const char *id, unsigned recipient, size_t bytes)
{
    char *text = malloc(bytes + 256);
    int used = snprintf(text, 256, "{\"id\":\"%s\",\"to\":\"+1415555%04u\",\"pool\":\"us\",\"message\":{\"text\":\"", id, recipient);
    memset(text + used, 'x', bytes);
    memcpy(text + used + bytes, "\"}}", 4);
    const struct frame job = {text, strlen(text)};
    const struct admin_enqueue ask = {.token = 1, .jobs = &job, .count = 1, .refuse = take_no_refusal};
    rig_enqueue(NULL, &ask, rig.now, &rig.effects);
    rig_commit();
    free(text);
}

enum { EU_POOL, US_POOL }; /* as in rig_conf */

static inline uint64_t lease_to_worker(void)
{
    worker_ready(64);
    return lease_one();
}

static inline struct job_view view_in(uint32_t pool, const char *id)
{
    struct job_view view = {.number = 0};
    uint64_t job = core_job_by_id(rig.core, rig_id_hash(NULL, pool, id));
    ck_assert_uint_ne(job, 0);
    if (!core_job_view(rig.core, job, rig.now, &view))
        view.state = JOB_NONE;
    return view;
}

static inline struct job_view view_of(const char *id)
{
    return view_in(US_POOL, id);
}

/* Slots are given again, the last one first: whoever goes through the next ones' meets the youngest first. */
static inline void turn_slots(unsigned jobs)
{
    char id[16], path[32];
    for (unsigned i = 0; i < jobs; i++) {
        snprintf(id, sizeof id, "old%u", i);
        enqueue(id, 9, ",\"pool\":\"us\"");
    }
    for (unsigned i = 0; i < jobs; i++) {
        snprintf(path, sizeof path, "/v1/jobs/us%%2Fold%u", i);
        rig_expect("DELETE", path, "operator-token", NULL, 200);
    }
}

static inline TCase *triage_case(const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_set_timeout(tests, 60);
    return tests;
}

static inline int triage_run(const char *name, TCase *tests)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}

#endif
