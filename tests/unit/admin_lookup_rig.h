/* admin_lookup_rig.h — a lookup, and the small archive that it finds jobs and events in. */
#ifndef TESTS_UNIT_ADMIN_LOOKUP_RIG_H
#define TESTS_UNIT_ADMIN_LOOKUP_RIG_H

#include "broker/edge/lookup.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/suite.h"

#define AT          INT64_C(1795428000000)
#define RECORDS_MAX 64

/* ---- an archive: records in the order of writing; the place of a record is its index ---- */

static struct change records[RECORDS_MAX];
static size_t record_count;
static uint64_t moved_place;                             /* reading there finds nothing */
static uint64_t oldest_kept;                             /* events before it are gone */
static uint64_t damaged_key;                             /* what is kept of it cannot be read */
static enum err broken;                                  /* what every question answers, if not ERR_NONE */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: readers wait */

static atomic_int reader_nice; /* that of who found last */

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline enum err archive_read(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (broken != ERR_NONE)
        return broken;
    if (place >= record_count || place == moved_place)
        return ERR_NOT_FOUND;
    visit(visitor, &records[place]);
    return ERR_NONE;
}

static inline enum err archive_find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    reader_nice = getpriority(PRIO_PROCESS, 0); /* of the thread */
    if (broken != ERR_NONE)
        return broken;
    if (key == damaged_key)
        return ERR_DAMAGED;
    for (size_t i = 0; i < record_count; i++) {
        if (records[i].kind == kind && change_key(&records[i]) == key && !visit(visitor, &records[i]))
            break;
    }
    return ERR_NONE;
}

static inline enum err archive_events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit,
                               void *visitor)
{
    if (broken != ERR_NONE)
        return broken;
    *oldest = 0;
    size_t given = 0;
    for (size_t i = 0; i < record_count; i++) {
        uint64_t seq = records[i].event.seq;
        if (seq == 0 || seq < oldest_kept)
            continue;
        if (*oldest == 0)
            *oldest = seq;
        if (seq > after && (given++ == limit || !visit(visitor, &records[i])))
            break;
    }
    return ERR_NONE;
}

static uint64_t durable;

static inline uint64_t archive_durable(void *self)
{
    return durable;
}

static struct lookup *lookup;

static inline void setup(void)
{
    const struct archive archive = {
        .read = archive_read, .find = archive_find, .events = archive_events, .durable_seq = archive_durable};
    record_count = 0;
    oldest_kept = 0;
    moved_place = damaged_key = UINT64_MAX;
    broken = ERR_NONE;
    ck_assert_int_eq(lookup_open(&lookup, &archive, 2), ERR_NONE);
}

static inline void teardown(void)
{
    lookup_close(&lookup);
    ck_assert_ptr_null(lookup);
}

static inline struct change *add(enum change_kind kind, uint64_t seq, enum topic topic)
{
    ck_assert_uint_lt(record_count, RECORDS_MAX);
    struct change *change = &records[record_count++];
    *change = (struct change){.kind = kind, .event = {.seq = seq, .topic = topic, .at_ms = AT + (int64_t)seq * 1000}};
    return change;
}

/* A job of pool eu to +14155550111, from acceptance to its end; seqs first .. first + 2. */
static inline void add_finished_job(uint64_t number, uint64_t first, enum job_state state)
{
    struct change *job = add(CHANGE_JOB, first, TOPIC_JOB_QUEUED);
    job->job = (struct change_job){.number = number, .accepted_at_ms = AT, .conversation = 5};
    job->sections[SECTION_RECIPIENTS] = span_of("[\"+14155550111\"]");
    job->sections[SECTION_ENVELOPE] = span_of("{\"id\":\"order-1\",\"pool\":\"eu\",\"meta\":{\"k\":1}}");
    job->sections[SECTION_PAYLOAD] = span_of("{\"parts\":[\"hello\"]}");
    struct change *try = add(CHANGE_TRY, first + 1, TOPIC_JOB_LEASED);
    try->try = (struct change_try){.number = number, .state = JOB_LEASED, .attempts = 1, .line = 12025550101};
    struct change *end = add(CHANGE_END, first + 2, TOPIC_JOB_SENT);
    end->end = (struct change_end){.number = number, .state = (uint8_t)state, .attempts = 1, .line = 12025550101};
    end->sections[SECTION_RESULT] = span_of("{\"message_id\":\"m-1\"}");
}

static inline struct lookup_answer answer_of(const struct lookup_request *request)
{
    struct lookup_answer answer;
    struct pollfd fd = {.fd = lookup_fd(lookup), .events = POLLIN};
    ck_assert_int_eq(lookup_submit(lookup, request), ERR_NONE);
    ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    ck_assert(lookup_collect(lookup, &answer));
    ck_assert_uint_eq(answer.token, request->token);
    return answer;
}

static inline struct lookup_job *job_asked(const char *asked, uint64_t number)
{
    struct lookup_job *job = calloc(1, sizeof *job);
    ck_assert_ptr_nonnull(job);
    snprintf(job->asked, sizeof job->asked, "%s", asked);
    job->number = number;
    return job;
}

static inline cJSON *item_json(const struct lookup_answer *answer, size_t index)
{
    ck_assert_int_eq(answer->err, ERR_NONE);
    ck_assert_uint_lt(index, answer->item_count);
    size_t at = 0;
    for (size_t i = 0; i < index; i++)
        at += answer->items[i].bytes;
    cJSON *json = json_parse(answer->text.text + at, answer->items[index].bytes, NULL);
    ck_assert_msg(json != NULL, "%.*s", (int)answer->items[index].bytes, answer->text.text + at);
    return json;
}

#endif
