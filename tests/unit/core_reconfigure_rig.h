/* core_reconfigure_rig.h — another configuration while running. Included once per test program. */
#ifndef TESTS_UNIT_CORE_RECONFIGURE_RIG_H
#define TESTS_UNIT_CORE_RECONFIGURE_RIG_H

#include <string.h>

#include "tests/unit/core_suite.h"

#define ACCOUNTS "accounts:\n  default: {api_key_file: key}\n"
#define FREE                                                                                                         \
    "new_conversations_per_day: 0, daily_messages: 0, distinct_recipients_per_hour: 0, pair_per_min: 0, "            \
    "daily_growth_factor: 0"
#define POLICY(pace) "policies:\n  default: {pace_per_min: " #pace ", " FREE "}\n"
#define POOL_A       "  a: {lines: [\"+12025550100\"]}\n"
#define POOL_B       "  b: {lines: [\"+12025550101\"]}\n"
#define POOL_REST    "  rest: {lines: all}\n"

static inline struct conf *parsed(const char *text)
{
    struct conf *conf = NULL;
    struct conf_problem problem;
    ck_assert_msg(conf_parse(&conf, text, strlen(text), "t.yaml", "/tmp", NULL, 0, &problem) == ERR_NONE, "%s",
                  problem.text);
    return conf;
}

/* As conf_parse() and conf_follow() make it. */
static inline enum err change_to(const char *text)
{
    struct conf *conf = parsed(text);
    struct conf_problem problem;
    ck_assert_int_eq(conf_follow(conf, rig->conf, &problem), ERR_NONE);
    enum err err = core_reconfigure(rig->core, conf, rig->now, &rig->out);
    if (err != ERR_NONE) {
        ck_assert_uint_eq(rig->out.change_count, 0);
        conf_free(&conf);
        return err;
    }
    conf_free(&rig->conf);
    rig->conf = conf;
    rig_keep(rig);
    rig_tick(rig);
    return ERR_NONE;
}

/* A start with another file. */
static inline void restart_with(const char *text)
{
    struct conf *conf = parsed(text);
    conf_free(&rig->conf);
    rig->conf = conf;
    rig_restart(rig, 1000);
}

static inline uint32_t pool_of(const char *name)
{
    for (uint32_t p = 0; p < rig->conf->pool_count; p++)
        if (strcmp(rig->conf->pools[p].name, name) == 0)
            return p;
    ck_abort_msg("no pool %s", name);
}

static inline struct effect enqueue(const char *pool, uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.pool = pool_of(pool);
    struct effect answer = rig_enqueue(rig, &job);
    ck_assert_int_eq(answer.code, CODE_NONE);
    rig_tick(rig);
    return answer;
}

static inline const struct effect *lease_of(uint64_t number)
{
    const struct effect *job;
    for (size_t i = 0; (job = rig_told(rig, EFFECT_JOB, i)) != NULL; i++)
        if (job->number == number)
            return job;
    return NULL;
}

static inline bool is_leased(uint64_t number)
{
    return lease_of(number) != NULL;
}

static inline void end_lease(uint64_t number)
{
    const struct effect *job = lease_of(number);
    if (job != NULL)
        rig_sent(rig, job);
}

static inline void begin(const char *conf, uint32_t lines)
{
    begin_with(conf, lines);
    rig_worker(rig, 1, 64);
}

#endif
