/* keys_test.c — what the configuration file says is what the programs do: addresses, files, the store, leases, polls
 * and workers. What policies say is tested with the core and in reasons_test. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "lineward/json.h"
#include "session.h"

#define HELLO "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}"
#define READY "{\"worker\":\"raw\",\"instance\":\"raw-1\",\"slots\":1}"

static char number[JOB_NUMBER_TEXT_MAX];

static void enqueue(const char *id, unsigned to)
{
    char job[256];
    snprintf(job, sizeof job, "{\"id\":\"%s\",\"to\":\"+1415730%04u\"," HELLO "}", id, to);
    producer_enqueue(&producer, job, number, NULL);
}

static void await_sent(const char *id)
{
    AWAIT(producer_is(&producer, id, "sent", NULL), "%s is not sent", id);
}

/* ---- addresses and files ---- */

/* The largest file of a folder of the rig's; -1: there is no such folder. */
static int64_t largest_file(const char *folder)
{
    char path[PROGRAM_PATH_MAX], name[PROGRAM_PATH_MAX + 260];
    int64_t largest = 0;
    snprintf(path, sizeof path, "%s/%s", rig.folder, folder);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat stat_of;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &stat_of) == 0 && S_ISREG(stat_of.st_mode) && stat_of.st_size > largest)
            largest = stat_of.st_size;
    }
    closedir(dir);
    return largest;
}

static void must_follow_events(void)
{
    char endpoint[64], topic[64] = "";
    int limit = LIMIT_MS;
    void *follower = zmq_socket(rig.zmq, ZMQ_SUB);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig.port.events);
    zmq_setsockopt(follower, ZMQ_SUBSCRIBE, "job.", 4);
    zmq_setsockopt(follower, ZMQ_RCVTIMEO, &limit, sizeof limit);
    MUST(zmq_connect(follower, endpoint) == 0, "%s", endpoint);
    int64_t until_ms = mono_ms() + LIMIT_MS;
    for (unsigned i = 0; topic[0] == '\0' && mono_ms() < until_ms; i++) { /* until the subscription is heard of */
        char id[32];
        snprintf(id, sizeof id, "event-%u", i);
        enqueue(id, i);
        await_sent(id);
        int got = zmq_recv(follower, topic, sizeof topic - 1, ZMQ_DONTWAIT);
        topic[got < 0 ? 0 : got < (int)sizeof topic ? got : (int)sizeof topic - 1] = '\0';
    }
    MUST(strncmp(topic, "job.", 4) == 0, "no event at %s", endpoint);
    zmq_close(follower);
}

/* covers: key broker.producers, broker.workers, broker.events, broker.webhooks, broker.admin;
 * key broker.admin_tokens_file, store.path, store.segment_mb, accounts.base_url, worker.broker */
START_TEST(every_address_and_every_file_is_where_the_configuration_says)
{
    static const char *const sets[] = {"broker.admin_tokens_file=secrets", "store.path=elsewhere",
                                       "store.segment_mb=2", NULL};
    rig_open(&rig, sets);
    rig.first_token = "secrets.first";
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    must_follow_events();
    MUST(rig_accepted(&rig) > 0, "nothing came to the provider's address");
    MUST(rig_post_webhook(&rig, "/webhooks/linq", "{}", NULL) == 401, "no webhooks at their address");
    MUST(largest_file("data") < 0, "there is a store in `data` too");
    MUST(largest_file("elsewhere") == 2 << 20, "the largest file of the store has %lld bytes",
         (long long)largest_file("elsewhere"));
    end();
}
END_TEST

/* covers: key store.dedupe_max */
START_TEST(more_ids_than_dedupe_max_are_not_remembered_and_the_status_says_so)
{
    static const char *const sets[] = {"store.dedupe_max=5", NULL};
    char first[JOB_NUMBER_TEXT_MAX];
    begin(sets, NULL, 0); /* nothing is sent: messages and webhooks are remembered in the same place */
    for (unsigned i = 0; i < 12; i++) {
        char id[32];
        snprintf(id, sizeof id, "id-%u", i);
        enqueue(id, i);
        if (i == 0)
            memcpy(first, number, sizeof first);
    }
    producer_enqueue(&producer, "{\"id\":\"id-11\",\"to\":\"+14157300011\"," HELLO "}", number, "duplicate");
    enqueue("id-0", 0);
    MUST(strcmp(number, first) != 0, "twelve ids are remembered, not five");
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    MUST(number_at(status, "dedupe.dropped_early") > 0 && number_at(status, "dedupe.remembered") <= 5,
         "the status does not say so");
    cJSON_Delete(status);
    end();
}
END_TEST

/* ---- accounts and pools ---- */

/* covers: key accounts.poll_interval_ms */
START_TEST(polls_come_at_their_interval)
{
    static const char *const sets[] = {"accounts.default.poll_interval_ms=300", NULL};
    begin(sets, NULL, 0);
    int64_t before = rig_stat(&rig, "requests"), begun_ms = mono_ms();
    AWAIT(rig_stat(&rig, "requests") >= before + 6, "the broker does not poll");
    MUST(mono_ms() - begun_ms >= 5 * 290, "six polls within %lld ms", (long long)(mono_ms() - begun_ms));
    end();
}
END_TEST

/* The rig's configuration with these lines right below `accounts:`. */
static void add_account(const char *lines)
{
    char *text = rig_read(&rig, "lineward.yaml"), *at = strstr(text, "accounts:\n") + strlen("accounts:\n");
    char whole[8192];
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)(at - text), text, lines, at);
    rig_write(&rig, "lineward.yaml", whole);
    free(text);
}

/* covers: key pools.account, pools.lines; reason account_paused */
START_TEST(a_pool_belongs_to_its_account_and_has_its_lines)
{
    char account[128];
    rig_open(&rig, NULL);
    snprintf(account, sizeof account, "  second: {base_url: \"http://127.0.0.1:%u\", api_key_file: provider.key}\n",
             rig.port.provider);
    add_account(account);
    rig_configure(&rig, "pools:\n"
                        "  default: {account: default, lines: [\"+12025550101\"]}\n"
                        "  other: {account: second, lines: [\"+12025550103\"]}\n");
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/accounts/second/pause", "{}", NULL));
    producer_enqueue(&producer, "{\"id\":\"a\",\"to\":\"+14157300001\"," HELLO "}", number, NULL);
    producer_enqueue(&producer, "{\"id\":\"b\",\"pool\":\"other\",\"to\":\"+14157300001\"," HELLO "}", number,
                     "held");
    MUST(producer_is(&producer, "other/b", "held", "account_paused"), "the pool is not its account's");
    await_sent("a");
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/accounts/second/resume", "{}", NULL));
    await_sent("other/b");
    MUST(producer_line(&producer, &rig, "a") == 0 && producer_line(&producer, &rig, "other/b") == 2,
         "a pool sends on another's line");
    end();
}
END_TEST

/* ---- workers ---- */

struct spans {
    struct {
        int64_t from_ms, until_ms;
    } span[64];
    size_t count;
};

static void take_span(void *self, const cJSON *send)
{
    struct spans *spans = self;
    MUST(spans->count < 64, "too many sends");
    spans->span[spans->count].from_ms = number_at(send, "mono_ms");
    const cJSON *answered = json_get(send, "answered_mono_ms");
    spans->span[spans->count++].until_ms = cJSON_IsNumber(answered) ? (int64_t)answered->valuedouble : INT64_MAX;
}

/* How many were under way at most. */
static int most_at_once(const struct spans *spans)
{
    int most = 0;
    for (size_t i = 0; i < spans->count; i++) {
        int at_once = 0;
        for (size_t j = 0; j < spans->count; j++)
            at_once +=
                spans->span[j].from_ms <= spans->span[i].from_ms && spans->span[j].until_ms > spans->span[i].from_ms;
        most = at_once > most ? at_once : most;
    }
    return most;
}

/* covers: key worker.name, worker.slots; call GET /v1/workers */
START_TEST(a_worker_has_its_name_and_sends_no_more_at_once_than_its_slots)
{
    static const char *const sets[] = {"worker.slots=3", NULL};
    static struct spans spans;
    begin(sets, NULL, 0);
    rig_faults(&rig, "{\"latency_ms\":200}");
    for (unsigned i = 0; i < 12; i++) { /* all of them wait when it comes */
        char id[32];
        snprintf(id, sizeof id, "slot-%u", i);
        enqueue(id, i);
    }
    rig_start_worker(&rig, 0);
    AWAIT(rig_workers_there(&rig) == 1, "it does not come");
    cJSON *list = rig_ask(&rig, "GET", "/v1/workers", NULL, NULL);
    const cJSON *worker = cJSON_GetArrayItem(json_get(list, "workers"), 0);
    MUST(strcmp(text_at(worker, "worker"), "w1") == 0 && number_at(worker, "slots") == 3, "another worker");
    cJSON_Delete(list);
    AWAIT(rig_accepted(&rig) == 12, "not all are sent");
    await_sent("slot-11");
    program_end(&rig.worker[0]);
    program_end(&rig.sandbox);
    rig_each_send(&rig, take_span, &spans);
    MUST(spans.count == 12 && most_at_once(&spans) == 3, "%zu sends, %d at once", spans.count, most_at_once(&spans));
    end();
}
END_TEST

static int64_t attempts_of(const char *id)
{
    cJSON *view = producer_ask(&producer, "STATUS", id);
    int64_t attempts = number_at(view, "attempts");
    cJSON_Delete(view);
    return attempts;
}

/* covers: key worker.request_timeout_ms */
START_TEST(a_request_without_an_answer_ends_at_its_timeout)
{
    static const char *const sets[] = {"worker.request_timeout_ms=500", NULL};
    static struct spans spans;
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"rate_silence\":1}");
    enqueue("silent", 1);
    AWAIT(attempts_of("silent") >= 3, "it is not tried again");
    rig_faults(&rig, NULL);
    await_sent("silent");
    program_end(&rig.worker[0]);
    program_end(&rig.sandbox);
    rig_each_send(&rig, take_span, &spans);
    int64_t between_ms = spans.span[1].from_ms - spans.span[0].from_ms;
    MUST(between_ms >= 450 && between_ms < 1500, "the second try began %lld ms after the first",
         (long long)between_ms);
    end();
}
END_TEST

/* A worker of ours gets the job and falls silent; when it had it. */
static int64_t take_and_be_silent(struct producer *worker, int64_t lease_ms)
{
    SEND(worker, "LW1", "READY", READY);
    do
        MUST(producer_receive(worker, LIMIT_MS), "no JOB");
    while (!producer_got(worker, "JOB"));
    int64_t had_ms = mono_ms();
    cJSON *job = producer_json(worker, 3);
    MUST(number_at(job, "lease_ms") == lease_ms, "a lease of %lld ms", (long long)number_at(job, "lease_ms"));
    cJSON_Delete(job);
    return had_ms;
}

/* covers: key policies.lease_ms, broker.restart_wait_ms */
START_TEST(a_silent_workers_job_waits_for_its_lease_and_after_a_restart_for_the_worker_too)
{
    static const char *const sets[] = {"policies.default.lease_ms=2200", "broker.restart_wait_ms=1500", NULL};
    struct producer worker;
    begin(sets, NULL, 0);
    producer_open(&worker, &rig, rig.port.workers, ZMQ_DEALER);
    enqueue("first", 1);
    int64_t had_ms = take_and_be_silent(&worker, 2200);
    rig_start_worker(&rig, 0);
    await_sent("first");
    MUST(mono_ms() - had_ms >= 2100, "tried again %lld ms after it was leased", (long long)(mono_ms() - had_ms));
    program_end(&rig.worker[0]);

    enqueue("second", 2);
    take_and_be_silent(&worker, 2200);
    program_kill(&rig.broker);
    int64_t restarted_ms = mono_ms();
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    rig_start_worker(&rig, 0);
    enqueue("third", 3);
    await_sent("third"); /* all other work goes on */
    await_sent("second");
    MUST(mono_ms() - restarted_ms >= 1500 + 2200, "tried again %lld ms after the restart",
         (long long)(mono_ms() - restarted_ms));
    producer_close(&worker);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("keys", 40, every_address_and_every_file_is_where_the_configuration_says,
                     more_ids_than_dedupe_max_are_not_remembered_and_the_status_says_so, polls_come_at_their_interval,
                     a_pool_belongs_to_its_account_and_has_its_lines,
                     a_worker_has_its_name_and_sends_no_more_at_once_than_its_slots,
                     a_request_without_an_answer_ends_at_its_timeout,
                     a_silent_workers_job_waits_for_its_lease_and_after_a_restart_for_the_worker_too);
}
