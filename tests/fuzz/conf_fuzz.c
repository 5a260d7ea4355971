/* The configuration file, with what --set may add behind a line "%%": what is taken obeys its bounds, reads the same
 * twice, and what is refused says where and why. */
#include "fuzz.h"
#include "lineward/conf.h"

#define SETS_MAX 8

static void check_numbers(const struct conf *conf)
{
    fuzz_check(conf->broker.jobs_max >= 1 && conf->broker.heartbeat_ms >= 10 && conf->broker.restart_wait_ms >= 0);
    fuzz_check(conf->store.segment_mb >= 1 && conf->store.segment_mb <= 1024);
    fuzz_check(conf->pool_count <= CONF_POOLS_MAX && conf->account_count <= CONF_ACCOUNTS_MAX);
    fuzz_check(conf->policy_count <= CONF_POLICIES_MAX && conf->worker.broker_count >= 1);
    fuzz_check(conf->worker.broker_count <= CONF_WORKER_BROKERS_MAX);
    for (size_t i = 0; i < conf->policy_count; i++) {
        const struct conf_policy *policy = &conf->policies[i];
        fuzz_check(name_is_valid(policy->name) && strcmp(policy->release_at, "HEALTHY") == 0);
        fuzz_check(policy->ramp_steps >= 1 && policy->ramp_steps <= CONF_RAMP_STEPS_MAX);
        fuzz_check(policy->cadence_steps <= CONF_CADENCE_MAX && policy->pace_per_min >= 0);
        fuzz_check(policy->at_risk_factor >= 0 && policy->at_risk_factor <= 1);
        fuzz_check(conf->worker.request_timeout_ms + 3 * conf->broker.heartbeat_ms < policy->lease_ms);
    }
    for (size_t i = 0; i < conf->pool_count; i++) {
        const struct conf_pool *pool = &conf->pools[i];
        fuzz_check(name_is_valid(pool->name) && pool->account < conf->account_count &&
                   pool->policy < conf->policy_count);
        for (size_t l = 0; l < pool->line_count; l++)
            fuzz_check(e164_is_valid(pool->lines[l].number));
    }
    for (size_t i = 0; i < conf->account_count; i++)
        fuzz_check(name_is_valid(conf->accounts[i].name) && conf->accounts[i].api_key_file[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    struct input file = input;
    const char *sets[SETS_MAX];
    size_t set_count = 0;
    struct conf_problem problem = {""};
    struct conf *conf = NULL, *again = NULL;
    while (input.left > 0) {
        const uint8_t *begin = input.at;
        struct input line = input_line(&input);
        if (line.left == 2 && memcmp(line.at, "%%", 2) == 0) {
            file.left = (size_t)(begin - data);
            break;
        }
    }
    while (input.left > 0 && set_count < SETS_MAX)
        sets[set_count++] = input_text(input_line(&input));
    char *text = input_copy(file);
    enum err err = conf_parse(&conf, text, file.left, "f.yaml", "/etc/lineward", sets, set_count, &problem);
    fuzz_check((err == ERR_NONE) == (conf != NULL));
    fuzz_check(err == ERR_NONE || (err == ERR_BAD_INPUT && problem.text[0] != '\0'));
    if (conf != NULL) {
        const char *names[64];
        const char *const *idle = NULL;
        check_numbers(conf);
        (void)conf_idle_keys(conf, &idle);
        fuzz_check(conf_parse(&again, text, file.left, "f.yaml", "/etc/lineward", sets, set_count, &problem) ==
                   ERR_NONE);
        fuzz_check(conf_fixed_differences(again, conf, names, 64) == 0);
        fuzz_check(conf_follow(again, conf, &problem) == ERR_NONE);
        fuzz_check(again->pool_count == conf->pool_count && again->account_count == conf->account_count);
        fuzz_check(conf_keep_fixed(again, conf, &problem) == ERR_NONE);
    }
    conf_free(&again);
    conf_free(&conf);
    fuzz_forget();
    return 0;
}
