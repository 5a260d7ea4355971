/* audit_test.c — the audit outlives what the store does to its files: cleaning, SIGKILL, restarts; and the broker's own
 * start, stop and reload stand in it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define CALLS        700 /* past two shelves of records */
#define CLEANED      (3 << 20) /* bytes that cleaning has made history, before it is looked at */
#define JOBS_AT_ONCE 64
#define BATCHES_MAX  4000

static struct rig rig;
static struct producer producer;

static int64_t store_number(const char *path)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t number = number_at(status, path);
    cJSON_Delete(status);
    return number;
}

/* Every record that `query` lets through, page by page, each counted once; the last one stays in *last (cJSON_Delete()). */
static unsigned count(const char *query, cJSON **last)
{
    char path[128];
    unsigned records = 0;
    int64_t before = 0;
    snprintf(path, sizeof path, "/v1/audit?limit=150&%s", query);
    for (bool more = true; more;) {
        cJSON *page = rig_ask(&rig, "GET", path, NULL, NULL);
        const char *next = text_at(page, "next");
        const cJSON *record;
        cJSON_ArrayForEach(record, json_get(page, "audit"))
        {
            int64_t number = number_at(record, "audit");
            MUST(number > before, "record %lld comes behind %lld", (long long)number, (long long)before);
            MUST(text_at(record, "call") != NULL, "record %lld does not say what was done", (long long)number);
            before = number;
            records++;
            if (last != NULL) {
                cJSON_Delete(*last);
                *last = cJSON_Duplicate(record, true);
            }
        }
        more = next != NULL;
        if (more)
            snprintf(path, sizeof path, "/v1/audit?limit=150&%s&after=%.20s", query, next);
        cJSON_Delete(page);
    }
    return records;
}

static void cordon(unsigned n)
{
    char path[64];
    long status = 0;
    snprintf(path, sizeof path, "/v1/lines/%s/%s", rig.lines[0], n % 2 == 0 ? "cordon" : "uncordon");
    cJSON_Delete(rig_ask(&rig, "POST", path, "{\"reason\":\"back and forth\"}", &status));
    MUST(status == 200, "POST %s: %ld", path, status);
}

/* Jobs that end at once: segments fill with what is over, and are cleaned. */
static void fill(unsigned batch)
{
    char job[1200], padding[900], request[16];
    memset(padding, 'x', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    for (unsigned i = 0; i < JOBS_AT_ONCE; i++) {
        snprintf(request, sizeof request, "b%u", i);
        snprintf(job, sizeof job,
                 "{\"id\":\"f%u-%u\",\"to\":\"+14157070001\",\"expires_at\":\"2020-01-01T00:00:00Z\","
                 "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"%s\"}]}}",
                 batch, i, padding);
        SEND(&producer, "LW1", "ENQUEUE", request, job);
    }
    for (unsigned i = 0; i < JOBS_AT_ONCE; i++)
        MUST(producer_receive(&producer, LIMIT_MS), "no ACK");
}

START_TEST(every_record_is_there_after_cleaning_and_sigkill)
{
    static const char *const sets[] = {"store.segment_mb=1", NULL};
    unsigned calls = 0;
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    for (unsigned batch = 0; calls < CALLS || store_number("store.bytes_history") < CLEANED; batch++) {
        MUST(batch < BATCHES_MAX, "nothing is cleaned");
        for (unsigned i = 0; i < 20 && calls < CALLS; i++)
            cordon(calls++);
        fill(batch);
    }
    MUST(count("by=first", NULL) == CALLS, "%u of %d calls are in the audit", count("by=first", NULL), CALLS);
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(count("by=first", NULL) == CALLS, "%u of %d calls are in it after a SIGKILL", count("by=first", NULL), CALLS);
    cordon(0);
    MUST(count("by=first", NULL) == CALLS + 1, "numbers do not go on");
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

/* The system's records are so many soon (one is there when its batch is on the disk), and the last one is this. */
static void await_last(unsigned records, const char *what, const char *code)
{
    cJSON *last = NULL;
    AWAIT(count("by=system", NULL) >= records, "%s %s leaves no record: %u of %u", what, code, count("by=system", NULL),
          records);
    MUST(count("by=system", &last) == records, "%u records of the system, not %u", count("by=system", NULL), records);
    const char *said = text_at(last, "code");
    MUST(strcmp(text_at(last, "call"), what) == 0 && strcmp(said != NULL ? said : "", code) == 0,
         "the system's last record is %s %s, not %s %s", text_at(last, "call"), said, what, code);
    MUST(text_at(last, "role") == NULL, "the system has a role");
    cJSON_Delete(last);
}

START_TEST(start_stop_and_reload_stand_in_it)
{
    rig_open(&rig, NULL);
    rig_start(&rig, 0);
    await_last(1, "start", "");
    program_signal(&rig.broker, SIGHUP);
    await_last(2, "reload", "");
    rig_configure(&rig, "nonsense: true\n");
    program_signal(&rig.broker, SIGHUP);
    await_last(3, "reload", "invalid_field");
    char *text = rig_read(&rig, "lineward.yaml");
    *strstr(text, "nonsense") = '\0';
    rig_write(&rig, "lineward.yaml", text);
    free(text);
    program_end(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    await_last(5, "start", "");
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("audit", 90, every_record_is_there_after_cleaning_and_sigkill, start_stop_and_reload_stand_in_it);
}
