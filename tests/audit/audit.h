/* audit.h — did the router keep its promises? Judged from outside: from the provider's own log, and from what
 * producers were told. Shares no code with the router but the reading of JSON.
 *
 * Files: docs/sandbox.md tells the log. Acked jobs are JSON Lines, one for each job that a producer holds an ACK
 * for: {"job":"j_1","id":"a17","pool":"default","to":["+1…"],"class":"campaign","n":3,"acked_mono_ms":…}, where
 * `n` counts the jobs of one conversation (pool and set of recipients) and class in the order of their acks, and
 * `state`, if given, is how the job ended (default "sent": it must have been sent).
 *
 * A message says which job it is in its first text part, from the first byte: `#<n> <pool>/<id>`, then a blank
 * and anything, or nothing. */
#ifndef AUDIT_H
#define AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What must not have happened: name in --json, words in the table. */
#define AUDIT_CHECK_LIST(X)                                                                                          \
    X(NOTHING, "nothing_to_audit", "nothing to audit (no acked job)")                                                \
    X(INCOMPLETE, "log_incomplete", "log without its last line")                                                     \
    X(LOST, "lost", "lost: acked, never taken by the provider")                                                      \
    X(SENT_TWICE, "sent_twice", "sent twice")                                                                        \
    X(WITHDRAWN, "sent_though_withdrawn", "sent though expired, cancelled or suppressed")                            \
    X(MIXED_UP, "mixed_up", "sent to others, or not as acked")                                                       \
    X(ORDER, "order_violations", "order violations within conversation and class")                                   \
    X(OVERLAP, "overlaps", "two requests of a conversation at once")                                                 \
    X(MOVED, "moved", "conversations that changed their line")                                                       \
    X(HELD, "held_late", "sends begun on a held line too late")                                                      \
    X(NEW_UNHEALTHY, "new_unhealthy_late", "new conversations on lines not HEALTHY")                                 \
    X(PACE, "faster_than_pace", "sends faster than the line's pace")                                                 \
    X(NEW_MANY, "new_over_budget", "new conversations beyond the line's budget")                                     \
    X(NO_KEY, "without_key", "sends without a key")                                                                  \
    X(TWO_KEYS, "two_keys_for_one_job", "two keys for one job")                                                      \
    X(SHARED_KEY, "one_key_for_two_jobs", "one key for two jobs")                                                    \
    X(BODY_CHANGED, "body_changed", "key repeated with another body")                                                \
    X(NUMBER_REUSED, "job_number_reused", "job numbers used twice, or two for one id")                               \
    X(FEW_HOLDS, "too_few_holds", "fewer holds than asked for")

enum audit_check {
#define X(id, name, words) AUDIT_##id,
    AUDIT_CHECK_LIST(X)
#undef X
        AUDIT_CHECK_COUNT
};

#define AUDIT_EXAMPLES      3
#define AUDIT_EXAMPLE_BYTES 160

struct audit_finding {
    uint64_t count;
    char examples[AUDIT_EXAMPLES][AUDIT_EXAMPLE_BYTES];
};

struct audit_rules {
    int64_t grace_ms; /* after the webhook's 200; a send begun later is too late */
    bool allow_moves, allow_partial;
    uint64_t holds_min;
    int64_t pace_per_min; /* of each line; 0: not judged */
    int64_t new_per_line; /* new conversations of a line in the whole log; 0: not judged */
};

struct audit_report {
    struct audit_finding findings[AUDIT_CHECK_COUNT];
    uint64_t acked, sent, withdrawn;                           /* jobs */
    uint64_t requests, accepted, duplicates, refused, faulted; /* sends that reached the provider */
    uint64_t unmarked, unacked;            /* of the accepted: nobody knows whose; marked, but no ack is known */
    uint64_t status_webhooks, holds;       /* status webhooks answered 2xx; times a line was held by them */
    int64_t held_latest_ms, new_latest_ms; /* the latest seen after the 200; -1: none */
    bool good;
};

struct audit;

struct audit *audit_new(void);
void audit_free(struct audit **audit_p);

/* One line of either file. NULL, or what is wrong with it (static). */
const char *audit_read_log(struct audit *audit, const char *line, size_t bytes);
const char *audit_read_acked(struct audit *audit, const char *line, size_t bytes);

/* Judges what was read; once, after all of both files. */
void audit_judge(struct audit *audit, const struct audit_rules *rules, struct audit_report *out);

void audit_print_table(const struct audit_report *report, FILE *out);
void audit_print_json(const struct audit_report *report, FILE *out);

#endif
