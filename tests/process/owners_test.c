/* owners_test.c — two brokers, each owner of one of two pools, one configuration file, one worker that serves both, and a
 * producer that knows the C client and one address: brokers are killed, stopped and moved, and every job goes out once, in
 * its conversation's order. The judge is lineward-audit. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward.h"
#include "lineward/json.h"
#include "second.h"

#define CONVERSATIONS 12 /* of each pool */
#define JOBS_MAX      4000
#define BATCH_MAX     10
#define CALL_MS       1500

struct job {
    int pool, conversation, n;
    bool acked;
};

static struct rig rig;
static struct second other, heir; /* the heir runs only where a pool is moved to it */
static struct lineward *client;
static struct job jobs[JOBS_MAX];
static size_t job_count;
static int last_n[2][CONVERSATIONS];
static const char *const pools[] = {"a", "b"};

/* ---- the two ---- */

/* Pool a, with two lines, is `a`'s; pool b, with the others, `b`'s. */
static void put_pools(char *out, size_t room, uint16_t a, uint16_t b)
{
    snprintf(out, room,
             "pools:\n"
             "  a: {owner: \"tcp://127.0.0.1:%u\", lines: [\"%s\", \"%s\"]}\n"
             "  b: {owner: \"tcp://127.0.0.1:%u\", lines: [\"%s\", \"%s\"]}\n",
             a, rig.lines[0], rig.lines[1], b, rig.lines[2], rig.lines[3]);
}

static void connect_client(uint16_t port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
    MUST(lineward_connect(&client, endpoint) == LINEWARD_OK, "no client");
    lineward_resend_after(client, 200);
}

static void open_second(struct second *second, const char *name)
{
    second_open(second, &rig, name);
    second_set(second, "broker.producers_address=tcp://127.0.0.1:%u", second->rig.port.producers);
}

/* Nothing but the sandbox runs yet. Workers know a third address, where nobody is. */
static void begin(void)
{
    static char workers[160];
    char text[1024];
    rig_open(&rig, NULL);
    open_second(&other, "other");
    open_second(&heir, "heir");
    put_pools(text, sizeof text, rig.port.producers, other.rig.port.producers);
    rig_configure(&rig, text);
    snprintf(workers, sizeof workers,
             "worker.broker=[\"tcp://127.0.0.1:%u\", \"tcp://127.0.0.1:%u\", \"tcp://127.0.0.1:%u\"]", rig.port.workers,
             other.rig.port.workers, heir.rig.port.workers);
    rig.sets[rig.set_count++] = workers;
    heir.rig.sets[heir.rig.set_count++] = other.rig.sets[other.rig.set_count++] = workers;
    rig_start_sandbox(&rig);
    job_count = 0;
    memset(last_n, 0, sizeof last_n);
}

static void start_both(void)
{
    rig_start_broker(&rig);
    rig_await_ready(&rig); /* the first of them writes the token */
    second_start(&other);
    rig_await_ready(&other.rig);
    rig_start_worker(&rig, 0);
    AWAIT(rig_workers_there(&rig) == 1 && rig_workers_there(&other.rig) == 1, "the worker is not at both");
}

/* ---- jobs ---- */

static void put_name(size_t i, char out[32])
{
    snprintf(out, 32, "%s/o-%zu", pools[jobs[i].pool], i);
}

static void put_job(size_t i, char *out, size_t room)
{
    const struct job *job = &jobs[i];
    snprintf(out, room,
             "{\"id\":\"o-%zu\",\"pool\":\"%s\",\"to\":\"+1415700%d%03d\",\"message\":{\"parts\":[{\"type\":\"text\","
             "\"value\":\"#%d %s/o-%zu hello\"}]}}",
             i, pools[job->pool], job->pool, job->conversation, job->n, pools[job->pool], i);
}

static void make_job(int pool)
{
    struct job *job = &jobs[job_count];
    MUST(job_count < JOBS_MAX, "too many jobs");
    *job = (struct job){.pool = pool, .conversation = (int)rig_random(&rig, CONVERSATIONS)};
    job->n = ++last_n[job->pool][job->conversation];
    job_count++;
}

/* Hands the jobs from `first` on in, once. False: some of them have to be handed in again. */
static bool hand_in(size_t first, size_t count, enum lineward_status *status)
{
    static char texts[BATCH_MAX][256];
    const char *items[BATCH_MAX] = {NULL};
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        put_job(first + i, texts[i], sizeof texts[i]);
        items[i] = texts[i];
    }
    *status = lineward_enqueue(client, items, count, CALL_MS);
    for (size_t i = 0; i < count; i++) {
        const char *result = lineward_result(client, i);
        cJSON *json = result == NULL ? NULL : json_parse(result, strlen(result), NULL);
        const char *code = json_string(json_get(json, "error"), "code");
        MUST(code == NULL || strcmp(code, "not_owner") == 0, "refused: %s", result);
        jobs[first + i].acked |= json_string(json, "job") != NULL;
        all = all && jobs[first + i].acked;
        cJSON_Delete(json);
    }
    MUST(all || *status != LINEWARD_OK || strstr(lineward_result(client, 0), "not_owner") != NULL,
         "not all of it was taken, and the call says that it was: %s", lineward_result(client, 0));
    return all;
}

/* The same jobs with the same ids until all are acknowledged, as a producer does. */
static void hand_in_all(size_t first, size_t count)
{
    enum lineward_status status = LINEWARD_OK;
    AWAIT(hand_in(first, count, &status), "%zu jobs from %zu on are not taken: %d, %s", count, first, (int)status,
          lineward_error(client));
}

static void make_batch(void)
{
    size_t first = job_count, count = 1 + rig_random(&rig, BATCH_MAX);
    while (job_count < first + count)
        make_job((int)rig_random(&rig, 2));
    hand_in_all(first, count);
}

static bool is_sent(size_t i)
{
    char name[32];
    const char *ask = name;
    put_name(i, name);
    if (lineward_get(client, &ask, 1, CALL_MS) != LINEWARD_OK)
        return false;
    return strstr(lineward_result(client, 0), "\"state\":\"sent\"") != NULL;
}

static void await_sent(size_t from)
{
    for (size_t i = from; i < job_count; i++)
        AWAIT(is_sent(i), "job %zu of pool %s is not sent: %s", i, pools[jobs[i].pool], lineward_error(client));
}

/* Each message once, whatever was repeated; all ends, and the audit finds nothing. */
static void end(void)
{
    char acked[PROGRAM_PATH_MAX];
    MUST(rig_accepted(&rig) == (int64_t)job_count, "%lld messages for %zu jobs", (long long)rig_accepted(&rig), job_count);
    lineward_close(&client);
    program_end(&rig.worker[0]);
    second_close(&other);
    second_close(&heir);
    if (rig.broker.pid != 0)
        program_end(&rig.broker);
    program_end(&rig.sandbox);
    snprintf(acked, sizeof acked, "%s/acked.jsonl", rig.folder);
    FILE *file = fopen(acked, "we");
    MUST(file != NULL, "%s", acked);
    for (size_t i = 0; i < job_count; i++)
        fprintf(file,
                "{\"job\":\"%s-%zu\",\"id\":\"o-%zu\",\"pool\":\"%s\",\"to\":[\"+1415700%d%03d\"],\"class\":\"transactional\","
                "\"n\":%d,\"acked_mono_ms\":0}\n",
                pools[jobs[i].pool], i, i, pools[jobs[i].pool], jobs[i].pool, jobs[i].conversation, jobs[i].n);
    MUST(fclose(file) == 0, "%s", acked);
    rig_audit(&rig, acked, "0");
}

/* ---- tests ---- */

/* covers: code not_owner; key pools.owner, broker.producers_address */
START_TEST(the_client_finds_the_owner_and_one_worker_serves_both_whoever_is_killed)
{
    begin();
    start_both();
    connect_client(rig.port.producers);
    for (int i = 0; i < 20; i++)
        make_batch();
    for (int death = 0; death < 4; death++) {
        struct rig *victim = death % 2 == 0 ? &other.rig : &rig;
        enum lineward_status status = LINEWARD_OK;
        program_kill(&victim->broker);
        size_t first = job_count;
        for (int i = 0; i < BATCH_MAX; i++)
            make_job(i % 2);
        MUST(!hand_in(first, BATCH_MAX, &status) && status != LINEWARD_OK, "a dead broker took jobs");
        if (victim == &rig)
            rig_start_broker(&rig);
        else
            second_start(&other);
        hand_in_all(first, BATCH_MAX);
        for (int i = 0; i < 10; i++)
            make_batch();
    }
    await_sent(0);
    end();
    rig_close(&rig);
}
END_TEST

/* Dead, or silent with its connections open: what the other one has goes out meanwhile. */
START_TEST(a_dead_broker_holds_up_neither_the_worker_nor_the_other_ones_jobs)
{
    begin();
    start_both();
    connect_client(rig.port.producers);
    for (int i = 0; i < 10; i++)
        make_batch();
    await_sent(0);
    for (int silent = 0; silent < 2; silent++) {
        size_t first = job_count;
        program_signal(&other.rig.broker, silent ? SIGSTOP : SIGKILL);
        if (!silent)
            program_wait(&other.rig.broker, LIMIT_MS);
        for (int i = 0; i < 40; i++) {
            make_job(0);
            hand_in_all(job_count - 1, 1);
        }
        int64_t begun = mono_ms();
        await_sent(first);
        MUST(mono_ms() - begun < RIG_LEASE_MS, "they waited %lld ms", (long long)(mono_ms() - begun));
        if (silent)
            program_signal(&other.rig.broker, SIGCONT);
        else
            second_start(&other);
        rig_await_ready(&other.rig);
        AWAIT(rig_workers_there(&other.rig) == 1, "the worker does not come back");
        make_job(1);
        hand_in_all(job_count - 1, 1);
        await_sent(job_count - 1);
    }
    end();
    rig_close(&rig);
}
END_TEST

/* What a try shows of a line is told to the broker that owns the job. */
START_TEST(what_a_worker_learns_goes_to_the_broker_of_the_job)
{
    begin();
    start_both();
    connect_client(rig.port.producers);
    rig_set_line(&rig, 2, "\"service\":\"FLAGGED\",\"webhook\":false");
    rig_set_line(&rig, 3, "\"service\":\"FLAGGED\",\"webhook\":false");
    make_job(1);
    hand_in_all(0, 1);
    AWAIT(rig_line_is(&other.rig, 2, "closed", "line_flagged") || rig_line_is(&other.rig, 3, "closed", "line_flagged"),
          "the owner does not hear of it");
    MUST(rig_line_is(&rig, 2, "open", NULL) && rig_line_is(&rig, 3, "open", NULL),
         "another broker was told, to which it is nothing");
    make_job(0);
    hand_in_all(1, 1);
    await_sent(1);
    rig_set_line(&rig, 2, "\"service\":\"ACTIVE\"");
    rig_set_line(&rig, 3, "\"service\":\"ACTIVE\"");
    lineward_close(&client);
    program_end(&rig.worker[0]);
    second_close(&other);
    second_close(&heir);
    rig_close(&rig);
}
END_TEST

/* ---- moving a pool ---- */

static void pause_pool(struct rig *at, const char *what)
{
    long status = 0;
    char path[64];
    snprintf(path, sizeof path, "/v1/pools/a/%s", what);
    cJSON_Delete(rig_ask(at, "POST", path, "{\"reason\":\"it moves\"}", &status));
    MUST(status == 200, "%s: %ld", path, status);
}

/* Another owner of pool a, in the one file that all have. */
static void write_owner(uint16_t port)
{
    char pools_text[1024];
    char *text = rig_read(&rig, "lineward.yaml");
    char *at = strstr(text, "pools:\n");
    MUST(at != NULL, "no pools");
    *at = '\0';
    put_pools(pools_text, sizeof pools_text, port, other.rig.port.producers);
    rig_write(&rig, "lineward.yaml", text);
    rig_configure(&rig, pools_text);
    free(text);
}

static int64_t waiting_of(struct rig *at, const char *pool)
{
    int64_t waiting = -1;
    cJSON *answer = rig_ask(at, "GET", "/v1/pools", NULL, NULL);
    const cJSON *one;
    cJSON_ArrayForEach(one, json_get(answer, "pools"))
    {
        if (strcmp(text_at(one, "pool"), pool) == 0)
            waiting = number_at(one, "backlog.waiting");
    }
    cJSON_Delete(answer);
    return waiting;
}

static void move_store(void)
{
    char data[PROGRAM_PATH_MAX];
    snprintf(data, sizeof data, "%s/data", rig.folder);
    MUST(rename(data, heir.store) == 0, "the store does not move");
    write_owner(heir.rig.port.producers);
    second_start(&heir);
    rig_await_ready(&heir.rig);
    program_signal(&other.rig.broker, SIGHUP);
}

/* As the runbook has it: stop one broker, start another on its store, name the new owner. The producer was made for
 * another one's address, and goes on meanwhile. */
START_TEST(a_pool_moves_with_its_store_and_loses_doubles_and_reorders_nothing)
{
    enum lineward_status status;
    char text[256];
    begin();
    start_both();
    connect_client(other.rig.port.producers);
    for (int i = 0; i < 20; i++)
        make_batch();
    await_sent(0);
    pause_pool(&rig, "pause");
    size_t waiting = job_count;
    for (int i = 0; i < 60; i++) {
        make_job(0);
        hand_in_all(job_count - 1, 1);
    }
    MUST(waiting_of(&rig, "a") == 60 && waiting_of(&other.rig, "a") == 0, "they do not wait where they belong");
    program_end(&rig.broker);
    size_t first = job_count;
    for (int i = 0; i < BATCH_MAX; i++)
        make_job(i % 2);
    MUST(!hand_in(first, BATCH_MAX, &status) && status == LINEWARD_TIMEOUT, "handed in: %d", (int)status);
    MUST(strstr(lineward_error(client), "no broker at tcp://127.0.0.1:") != NULL, "%s", lineward_error(client));
    for (size_t i = 0; i < BATCH_MAX; i++)
        MUST(jobs[first + i].acked == (jobs[first + i].pool == 1), "what the other one owns is not taken");
    move_store();
    hand_in_all(first, BATCH_MAX); /* the same jobs, with the same ids */
    hand_in_all(waiting, 1);       /* and one that was acknowledged before: it is known */
    MUST(strstr(lineward_result(client, 0), "\"state\":\"duplicate\"") != NULL, "%s", lineward_result(client, 0));
    MUST(waiting_of(&heir.rig, "a") == 60 + BATCH_MAX / 2, "%lld wait", (long long)waiting_of(&heir.rig, "a"));
    pause_pool(&heir.rig, "resume"); /* it moved, too */
    for (int i = 0; i < 10; i++)
        make_batch();
    await_sent(0);
    rig_start_broker(&rig); /* by mistake, with nothing: it owns no pool any more */
    rig_await_ready(&rig);
    lineward_close(&client);
    connect_client(rig.port.producers);
    lineward_follow(client, 0);
    put_job(waiting, text, sizeof text);
    const char *job = text;
    MUST(lineward_enqueue(client, &job, 1, LIMIT_MS) == LINEWARD_OK, "%s", lineward_error(client));
    MUST(strstr(lineward_result(client, 0), "not_owner") != NULL, "it took a job: %s", lineward_result(client, 0));
    end();
    rig_close(&rig);
}
END_TEST

/* Given away in the file, but not its store: nothing is sent from here, and it is said; given back, all of it goes. */
START_TEST(jobs_of_a_pool_that_was_given_away_without_its_store_are_held_and_told_of)
{
    begin();
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    connect_client(rig.port.producers);
    for (int i = 0; i < 10; i++)
        make_job(0);
    hand_in_all(0, 10);
    write_owner(heir.rig.port.producers);
    program_signal(&rig.broker, SIGHUP);
    AWAIT(program_said(&rig.broker, "event=pool_left_here pool=a jobs=10 owner=tcp://127.0.0.1:"), "it is not said");
    rig_start_worker(&rig, 0);
    AWAIT(rig_workers_there(&rig) == 1, "no worker");
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    AWAIT(rig_workers_there(&rig) == 1, "no worker");
    cJSON *view = rig_ask(&rig, "GET", "/v1/jobs/a%2Fo-0", NULL, NULL);
    MUST(strcmp(text_at(view, "state"), "held") == 0 && strcmp(text_at(view, "reason"), "pool_paused") == 0 &&
             strstr(text_at(view, "why.rule"), "another broker owns it") != NULL,
         "it is %s", text_at(view, "state"));
    cJSON_Delete(view);
    MUST(rig_accepted(&rig) == 0, "something was sent");
    write_owner(rig.port.producers);
    program_signal(&rig.broker, SIGHUP);
    await_sent(0);
    end();
    rig_close(&rig);
}
END_TEST

/* What a worker has begun for the old one is its own until that has surely ended: the new one must not take it for not
 * begun because the same worker is there as well. */
START_TEST(a_pool_that_moves_while_its_jobs_are_being_sent_sends_none_beside_itself)
{
    begin();
    start_both();
    connect_client(other.rig.port.producers);
    rig_faults(&rig, "{\"latency_ms\":900}");
    for (int i = 0; i < 40; i++)
        make_job(0);
    for (size_t first = 0; first < 40; first += BATCH_MAX)
        hand_in_all(first, BATCH_MAX);
    AWAIT(rig_stat(&rig, "requests") > 4, "nothing is being sent");
    program_kill(&rig.broker);
    move_store();
    AWAIT(rig_workers_there(&heir.rig) == 1, "the worker does not come");
    rig_faults(&rig, NULL);
    await_sent(0);
    end();
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("owners", 120, the_client_finds_the_owner_and_one_worker_serves_both_whoever_is_killed,
                     a_dead_broker_holds_up_neither_the_worker_nor_the_other_ones_jobs,
                     what_a_worker_learns_goes_to_the_broker_of_the_job,
                     a_pool_moves_with_its_store_and_loses_doubles_and_reorders_nothing,
                     jobs_of_a_pool_that_was_given_away_without_its_store_are_held_and_told_of,
                     a_pool_that_moves_while_its_jobs_are_being_sent_sends_none_beside_itself);
}
