/* conf_table.c — the table of all keys (PROTOCOL, Configuration), and finding in it. */
#include "conf_table.h"

#include <string.h>

#include "lineward/conf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define KEY(section, type_, field, default_)                                                                         \
    .path = #section "." #field, .name = #field, .type = type_, .fallback = default_
#define AT(struct_, field) .offset = offsetof(struct struct_, field)
#define LIST(struct_, field, count, max_)                                                                            \
    AT(struct_, field), .count_offset = offsetof(struct struct_, count), .items_max = max_
#define INT(section, struct_, field, default_, min_, max_)                                                           \
    KEY(section, TYPE_INT, field, default_), AT(struct_, field), .min = min_, .max = max_
#define OTHER(section, struct_, type_, field, default_) KEY(section, type_, field, default_), AT(struct_, field)

#define HOUR_MS 3600000.0
#define DAY_MS  (24 * HOUR_MS)
#define IDLE    .idle = ""

static const struct conf_key broker_keys[] = {
    {OTHER(broker, conf_broker, TYPE_LISTENER, producers, "tcp://127.0.0.1:7710")},
    {OTHER(broker, conf_broker, TYPE_LISTENER, workers, "tcp://127.0.0.1:7711")},
    {OTHER(broker, conf_broker, TYPE_LISTENER, events, "tcp://127.0.0.1:7712")},
    {OTHER(broker, conf_broker, TYPE_ADDRESS, producers_address, NULL)},
    {OTHER(broker, conf_broker, TYPE_BASE_URL, admin_address, NULL)},
    {OTHER(broker, conf_broker, TYPE_HOST_PORT, webhooks, "127.0.0.1:7780")},
    {OTHER(broker, conf_broker, TYPE_HOST_PORT, admin, "127.0.0.1:7781")},
    {OTHER(broker, conf_broker, TYPE_PATH, admin_tokens_file, "tokens")},
    {OTHER(broker, conf_broker, TYPE_PATH, admin_tls_cert_file, NULL)},
    {OTHER(broker, conf_broker, TYPE_PATH, admin_tls_key_file, NULL)},
    {OTHER(broker, conf_broker, TYPE_PATH, curve_secret_key_file, NULL)},
    {OTHER(broker, conf_broker, TYPE_PATH, authorized_keys_dir, NULL)},
    {OTHER(broker, conf_broker, TYPE_BOOL, insecure, "false")},
    {OTHER(broker, conf_broker, TYPE_BOOL, metrics_by_line, "true")},
    {INT(broker, conf_broker, jobs_max, "20000000", 1, 29000000)},
    {INT(broker, conf_broker, heartbeat_ms, "1000", 10, 60000)},
    {INT(broker, conf_broker, restart_wait_ms, "5000", 10, HOUR_MS)},
    {KEY(broker, TYPE_OUTCOME_HOSTS, outcome_hosts, "[]"),
     LIST(conf_broker, outcome_hosts, outcome_host_count, CONF_OUTCOME_HOSTS_MAX)},
};

static const struct conf_key store_keys[] = {
    {OTHER(store, conf_store, TYPE_WORD, kind, "embedded"), .choices = "embedded|redis"},
    {OTHER(store, conf_store, TYPE_PATH, path, "data")},
    {INT(store, conf_store, segment_mb, "64", 1, 1024)},
    {INT(store, conf_store, history_retention_h, "72", 1, 8760)},
    {INT(store, conf_store, dedupe_window_h, "72", 1, 8760)},
    {INT(store, conf_store, dedupe_max, "50000000", 1, 1e9)},
};

static const struct conf_key cache_keys[] = {
    {OTHER(cache, conf_cache, TYPE_WORD, kind, "memory"), .choices = "memory|redis"},
    {OTHER(cache, conf_cache, TYPE_REDIS_URL, redis, "redis://127.0.0.1:6379/0")},
    {OTHER(cache, conf_cache, TYPE_PATH, redis_password_file, NULL)},
    {OTHER(cache, conf_cache, TYPE_PATH, sentinel_password_file, NULL)},
    {OTHER(cache, conf_cache, TYPE_PATH, secret_file, NULL)},
};

static const struct conf_key account_keys[] = {
    {OTHER(accounts, conf_account, TYPE_BASE_URL, base_url, "https://api.linqapp.com/api/partner")},
    {OTHER(accounts, conf_account, TYPE_PATH, api_key_file, NULL), .is_required = true},
    {OTHER(accounts, conf_account, TYPE_PATH, webhook_secrets_file, NULL)},
    {INT(accounts, conf_account, poll_interval_ms, "30000", 10, DAY_MS)},
    {INT(accounts, conf_account, stale_after_ms, "180000", 10, 7 * DAY_MS)},
    {INT(accounts, conf_account, blind_after_ms, "900000", 10, 7 * DAY_MS)},
};

static const struct conf_key policy_keys[] = {
    {INT(policies, conf_policy, pace_per_min, "30", 0, 60000)},
    {INT(policies, conf_policy, burst, "1", 1, 1000)},
    /* not 0: a pace of 0 would mean no limit, the opposite of what it says here */
    {OTHER(policies, conf_policy, TYPE_REAL, at_risk_factor, "0.25"), .min = 0.001, .max = 1},
    {OTHER(policies, conf_policy, TYPE_WORD, release_at, "HEALTHY"), .choices = "HEALTHY"},
    {KEY(policies, TYPE_RISING_LIST, ramp_percent, "[10, 25, 50, 100]"),
     LIST(conf_policy, ramp_percent, ramp_steps, CONF_RAMP_STEPS_MAX), .min = 1, .max = 100},
    {INT(policies, conf_policy, ramp_step_ms, "1800000", 10, 7 * DAY_MS)},
    {INT(policies, conf_policy, daily_messages, "7000", 0, 1e7)},
    {INT(policies, conf_policy, new_conversations_per_day, "50", 0, 1e6)},
    {INT(policies, conf_policy, distinct_recipients_per_hour, "200", 0, 1e6)},
    {INT(policies, conf_policy, pair_per_min, "30", 0, 60000)},
    {OTHER(policies, conf_policy, TYPE_REAL, daily_growth_factor, "3.0"), .min = 0, .max = 1000},
    {INT(policies, conf_policy, growth_floor, "100", 0, 1e7)},
    {OTHER(policies, conf_policy, TYPE_BOOL, allow_at_risk_new, "false")},
    {OTHER(policies, conf_policy, TYPE_ON_CLOSED, on_flagged, "hold"), .choices = "hold|move"},
    {INT(policies, conf_policy, flag_probe_ms, "900000", 10, 7 * DAY_MS)},
    {OTHER(policies, conf_policy, TYPE_ON_CLOSED, on_gone, "hold"), .choices = "hold|move"},
    {KEY(policies, TYPE_INT_LIST, cadence_ms, "[86400000, 259200000]"),
     LIST(conf_policy, cadence_ms, cadence_steps, CONF_CADENCE_MAX), .min = 10, .max = 366 * DAY_MS},
    {INT(policies, conf_policy, at_risk_chat_gap_ms, "86400000", 10, 366 * DAY_MS)},
    {KEY(policies, TYPE_QUIET_HOURS, quiet_hours, NULL)},
    {KEY(policies, TYPE_LINKS, first_message_links, "refuse"), AT(conf_policy, first_message_links_allowed),
     .choices = "refuse|allow"},
    {INT(policies, conf_policy, attempts_max, "8", 1, 50)},
    {INT(policies, conf_policy, retry_base_ms, "1000", 10, HOUR_MS)},
    {INT(policies, conf_policy, retry_cap_ms, "300000", 10, DAY_MS)},
    {INT(policies, conf_policy, lease_ms, "60000", 10, HOUR_MS)},
};

static const struct conf_key worker_keys[] = {
    {KEY(worker, TYPE_ENDPOINT_LIST, broker, "[\"tcp://127.0.0.1:7711\"]"),
     LIST(conf_worker, brokers, broker_count, CONF_WORKER_BROKERS_MAX)},
    {OTHER(worker, conf_worker, TYPE_PATH, curve_secret_key_file, NULL)},
    {OTHER(worker, conf_worker, TYPE_PATH, broker_public_key_file, NULL)},
    {OTHER(worker, conf_worker, TYPE_NAME, name, NULL)},
    {INT(worker, conf_worker, slots, "64", 1, 4096)},
    {INT(worker, conf_worker, request_timeout_ms, "30000", 10, HOUR_MS)},
};

static const struct conf_key pool_keys[] = {
    {OTHER(pools, conf_pool, TYPE_ACCOUNT, account, "default")},
    {OTHER(pools, conf_pool, TYPE_POLICY, policy, "default")},
    {OTHER(pools, conf_pool, TYPE_LINES, lines, "all"), .min = 0, .max = 1e7}, /* of daily_level */
    {OTHER(pools, conf_pool, TYPE_ADDRESS, owner, NULL)},
    {OTHER(pools, conf_pool, TYPE_BASE_URL, owner_admin, NULL)},
    {OTHER(pools, conf_pool, TYPE_OUTCOME_URL, outcome_url, NULL)},
    {OTHER(pools, conf_pool, TYPE_PATH, outcome_secrets_file, NULL)},
    {KEY(pools, TYPE_TOPICS, outcome_topics,
         "[job.sent, job.failed, job.expired, job.cancelled, job.suppressed, job.delivery]"),
     LIST(conf_pool, outcome_topics, outcome_topic_count, CONF_OUTCOME_TOPICS_MAX)},
    {INT(pools, conf_pool, outcome_timeout_ms, "10000", 100, 60000)},
    {INT(pools, conf_pool, outcome_in_flight, "16", 1, 64)},
};

#define PLAIN(name_, keys_)                                                                                          \
    {                                                                                                                \
        .name = #name_, .keys = keys_, .key_count = COUNT(keys_), .offset = offsetof(struct conf, name_)             \
    }
#define NAMED(name_, keys_, count_, struct_, max_)                                                                   \
    {                                                                                                                \
        .name = #name_, .keys = keys_, .key_count = COUNT(keys_), .offset = offsetof(struct conf, name_),            \
        .is_named = true, .count_offset = offsetof(struct conf, count_), .entry_bytes = sizeof(struct struct_),      \
        .entries_max = max_                                                                                          \
    }

const struct conf_section conf_sections[CONF_SECTION_COUNT] = {
    PLAIN(broker, broker_keys),
    PLAIN(store, store_keys),
    PLAIN(cache, cache_keys),
    PLAIN(worker, worker_keys),
    NAMED(accounts, account_keys, account_count, conf_account, CONF_ACCOUNTS_MAX),
    NAMED(policies, policy_keys, policy_count, conf_policy, CONF_POLICIES_MAX),
    NAMED(pools, pool_keys, pool_count, conf_pool, CONF_POOLS_MAX),
};

_Static_assert(COUNT(policy_keys) <= CONF_KEYS_MAX, "room for the largest section");
_Static_assert(offsetof(struct conf_account, name) == 0 && offsetof(struct conf_policy, name) == 0 &&
                   offsetof(struct conf_pool, name) == 0,
               "an entry begins with its name");

const struct conf_section *conf_section_find(const char *name)
{
    for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
        if (strcmp(conf_sections[i].name, name) == 0)
            return &conf_sections[i];
    }
    return NULL;
}

const struct conf_key *conf_key_find(const struct conf_section *section, const char *name)
{
    for (size_t i = 0; i < section->key_count; i++) {
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    }
    return NULL;
}

#define WORD_MAX 40

/* Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
static size_t distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_bytes; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_bytes];
}

const char *conf_nearest(const char *text, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t bytes = strlen(text);
    size_t least = bytes / 3 + 1; /* further away it is another word, not a slip */
    if (bytes > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t word_bytes = strlen(words[i]);
        if (word_bytes > WORD_MAX)
            continue;
        size_t steps = distance(text, bytes, words[i], word_bytes);
        if (steps < least || (steps == least && nearest == NULL)) {
            least = steps;
            nearest = words[i];
        }
    }
    return nearest;
}
