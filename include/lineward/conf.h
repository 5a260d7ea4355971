/* conf.h — the one configuration file of broker and workers (PROTOCOL, Configuration): every key, its default,
 * its bounds. One table in lib/conf_table.c describes all of it; check-config, the sample file and --set use the same.
 *
 * A struct conf owns all its memory; paths are absolute (relative ones start at the file's folder). */
#ifndef LINEWARD_CONF_H
#define LINEWARD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/err.h"
#include "lineward/ids.h"

#define CONF_POOLS_MAX 4096
#define CONF_ACCOUNTS_MAX 256
#define CONF_POLICIES_MAX 1024
#define CONF_RAMP_STEPS_MAX 16
#define CONF_CADENCE_MAX 8
#define CONF_WORKER_BROKERS_MAX 64
#define CONF_OUTCOME_HOSTS_MAX 64
#define CONF_OUTCOME_TOPICS_MAX 16
#define CONF_ADDRESS_MAX 255
#define TOKENS_MAX 4096            /* lines of broker.admin_tokens_file ... */
#define TOKEN_POOLS_BYTES_MAX 8192 /* ... and bytes of one's list of pools */

enum on_closed { ON_CLOSED_HOLD, ON_CLOSED_MOVE };

struct conf_broker {
    char *producers, *workers, *events; /* ZeroMQ endpoints */
    char *webhooks, *admin;             /* HOST:PORT */
    char *producers_address;            /* where others find `producers`; NULL: not said */
    char *admin_address;                /* and `admin`: a URL; NULL: not said */
    char *admin_tokens_file, *admin_tls_cert_file, *admin_tls_key_file;
    char *curve_secret_key_file, *authorized_keys_dir; /* NULL: not set */
    bool insecure;
    bool metrics_by_line; /* GET /metrics has samples of each line */
    int64_t jobs_max, heartbeat_ms, restart_wait_ms;
    char *outcome_hosts[CONF_OUTCOME_HOSTS_MAX]; /* outcome_target.h */
    size_t outcome_host_count;
};

struct conf_store {
    char *kind, *path;
    int64_t segment_mb, history_retention_h, dedupe_window_h, dedupe_max;
};

static inline int64_t conf_ms_of_hours(int64_t hours) /* of the keys that end in _h */
{
    return hours * 3600000;
}

/* How long history is kept: a producer's id is told by the record of its job, which must last as long. */
static inline int64_t conf_history_ms(const struct conf_store *store)
{
    bool ids = store->dedupe_window_h > store->history_retention_h;
    return conf_ms_of_hours(ids ? store->dedupe_window_h : store->history_retention_h);
}

struct conf_cache {
    char *kind, *redis, *redis_password_file, *sentinel_password_file, *secret_file;
};

struct conf_account {
    char name[NAME_MAX_BYTES + 1];
    char *base_url, *api_key_file, *webhook_secrets_file;
    int64_t poll_interval_ms, stale_after_ms, blind_after_ms;
    bool gone; /* not in the file any more: conf_follow() */
};

struct conf_pool_line {
    char number[E164_MAX_BYTES + 1];
    int64_t daily_level; /* -1: not given */
};

struct conf_pool {
    char name[NAME_MAX_BYTES + 1];
    size_t account, policy;       /* indices into conf.accounts and conf.policies */
    bool all_lines;               /* what no other pool of the account names */
    struct conf_pool_line *lines; /* else these */
    size_t line_count;
    char *owner, *owner_admin;    /* the broker that owns it: endpoint, URL; NULL: not said, and this one does */
    bool elsewhere;               /* it is another one */
    char *outcome_url, *outcome_secrets_file;      /* NULL: no outcome webhook */
    char *outcome_topics[CONF_OUTCOME_TOPICS_MAX]; /* prefixes */
    size_t outcome_topic_count;
    int64_t outcome_timeout_ms, outcome_in_flight;
    bool gone; /* not in the file any more: conf_follow(); has no lines, and its policy is none */
};

struct conf_policy {
    char name[NAME_MAX_BYTES + 1];
    int64_t pace_per_min, burst;
    double at_risk_factor;
    char *release_at; /* "HEALTHY": the only value (DESIGN trap 5) */
    int64_t ramp_percent[CONF_RAMP_STEPS_MAX];
    size_t ramp_steps;
    int64_t ramp_step_ms;
    int64_t daily_messages, new_conversations_per_day, distinct_recipients_per_hour, pair_per_min;
    double daily_growth_factor;
    int64_t growth_floor;
    bool allow_at_risk_new;
    enum on_closed on_flagged, on_gone;
    int64_t flag_probe_ms;
    int64_t cadence_ms[CONF_CADENCE_MAX];
    size_t cadence_steps;
    int64_t at_risk_chat_gap_ms;
    char *quiet_from, *quiet_to, *quiet_zone; /* NULL: no quiet hours */
    bool first_message_links_allowed;
    int64_t attempts_max, retry_base_ms, retry_cap_ms, lease_ms;
};

struct conf_worker {
    char *brokers[CONF_WORKER_BROKERS_MAX];
    size_t broker_count;
    char *curve_secret_key_file, *broker_public_key_file, *name; /* NULL: not set */
    int64_t slots, request_timeout_ms;
};

struct conf {
    struct conf_broker broker;
    struct conf_store store;
    struct conf_cache cache;
    struct conf_account *accounts;
    size_t account_count;
    struct conf_pool *pools;
    size_t pool_count;
    struct conf_policy *policies;
    size_t policy_count;
    struct conf_worker worker;
};

/* What is wrong, for a person: "lineward.yaml:12: policies.default.burst: 0 is out of range: 1 to 1000". */
struct conf_problem {
    char text[512];
};

/* Reads `path` (NULL: all defaults) and then applies `sets` ("broker.admin=127.0.0.1:9000"; keys inside a named
 * entry as "policies.default.burst=2", lists as YAML flow "[1, 2]"). ERR_NONE: *out is the caller's, free with
 * conf_free(). Else *problem says file, line, key, value and what would be right, and *out is untouched. */
enum err conf_load(struct conf **out, const char *path, const char *const *sets, size_t set_count,
                   struct conf_problem *problem);
/* The same from an open file, which is closed; `path` is where its text comes from. */
enum err conf_load_from(struct conf **out, int fd, const char *path, const char *const *sets, size_t set_count,
                        struct conf_problem *problem);
/* The text that conf_load() has read, as it was then; NULL: there was no file. Lent. */
const char *conf_file_text(const struct conf *conf, size_t *bytes);
/* The same from memory; `name` stands for the file in problems, `folder` for where relative paths start. */
enum err conf_parse(struct conf **out, const char *text, size_t bytes, const char *name, const char *folder,
                    const char *const *sets, size_t set_count, struct conf_problem *problem);
void conf_free(struct conf **conf_p);

/* ---- read anew while running ---- */

/* Puts accounts and pools of `conf` in the order of `before`: what is in both keeps its index, what is new comes behind,
 * what is not there any more stays as `gone`. ERR_FULL: too many have come and gone; ERR_NO_MEMORY; `conf` is only good
 * for conf_free() then. */
enum err conf_follow(struct conf *conf, const struct conf *before, struct conf_problem *problem);
/* The keys in which they differ and that only a start takes over; static texts. Returns how many, at most `room`. */
size_t conf_fixed_differences(const struct conf *conf, const struct conf *before, const char **names, size_t room);
/* The same of what a worker goes by. */
size_t conf_worker_fixed_differences(const struct conf_worker *worker, const struct conf_worker *before,
                                     const char **names, size_t room);
/* Gives `conf` the broker's numbers among them that are in force; addresses and paths are only asked for at the start.
 * ERR_BAD_INPUT: what else is in `conf` does not go with these. */
enum err conf_keep_fixed(struct conf *conf, const struct conf *before, struct conf_problem *problem);

/* Keys set in the file that are accepted but do nothing yet in this version: the start warns of each.
 * Returns how many, *names points to static text. */
size_t conf_idle_keys(const struct conf *conf, const char *const **names);

/* The shape of an address to connect to, tcp://HOST:PORT or ipc://PATH: no `*`, no port 0, at most CONF_ADDRESS_MAX
 * bytes. False: *why says what would be right. */
bool conf_address_is_valid(const char *text, const char **why);
/* The same of https://HOST[:PORT][/PATH], or http where that is loopback; of any length. */
bool conf_base_url_is_valid(const char *text, const char **why);
/* Is `endpoint` (ZeroMQ endpoint, HOST:PORT or URL) on loopback, ipc or inproc? */
bool conf_endpoint_is_local(const char *endpoint);

/* Reads a small secret file: first line, blanks at its ends cut. Free with free(). NULL: errno says. */
char *conf_read_secret(const char *path);

#endif
