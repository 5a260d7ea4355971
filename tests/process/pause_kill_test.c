/* pause_kill_test.c — pauses of every scope, laid and lifted under load, and the broker killed right after the answer:
 * what was paused is paused after it, with the same reason, author and end; nothing goes out of it before it is lifted;
 * and each of those calls is in the audit.
 *
 * The judge is the sandbox's log: a cell (a conversation, with its line, pool and campaign) is closed from the moment at
 * which a pause of it was answered and none of its jobs is with a worker any more, until somebody asks to lift the last.
 *
 * LINEWARD_PAUSE_KILLS says how many deaths there are (200 in `make soak`), LINEWARD_SEED which moments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define KILLS         50
#define KILLS_MAX     10000
#define CELLS         5
#define PAUSES_A_ROUND 2
#define FEED_MS       20 /* between two jobs of a cell */
#define WORK_MS       60 /* of a round */
#define SPANS_MAX     65536
#define FOR_MS        3600000

static const struct {
    const char *pool, *campaign; /* NULL: none */
    size_t line;
} cells[CELLS] = {
    {"default", NULL, 0}, {"default", "spring", 1}, {"default", NULL, 2}, {"default", "spring", 2}, {"other", NULL, 3}};

struct held { /* a pause in force */
    char pause[32], since[40];
    bool ends;
};

static struct thing {
    const char *scope, *path, *name; /* NULL: its line's, or none */
    bool is_line;
    size_t line;
    unsigned cells; /* bit mask */
    struct held held[2];
    size_t count;
    unsigned kills; /* that it was paused over */
} things[] = {
    {.scope = "line", .path = "/v1/lines/", .is_line = true, .line = 0, .cells = 0x01},
    {.scope = "conversation", .path = "/v1/conversations/default/+14157050002", .name = "default/+14157050002", .cells = 0x04},
    {.scope = "campaign", .path = "/v1/campaigns/default/spring", .name = "default/spring", .cells = 0x0A},
    {.scope = "pool", .path = "/v1/pools/other", .name = "other", .cells = 0x10},
    {.scope = "line", .path = "/v1/lines/", .is_line = true, .line = 2, .cells = 0x0C},
    {.scope = "account", .path = "/v1/accounts/default", .name = "default", .cells = 0x1F},
    {.scope = "pool", .path = "/v1/pools/default", .name = "default", .cells = 0x0F},
    {.scope = "all", .path = "/v1", .name = NULL, .cells = 0x1F},
};
#define THINGS (sizeof things / sizeof *things)

static struct span { /* a cell was closed */
    size_t cell;
    int64_t from_ms, to_ms;
} spans[SPANS_MAX];
static size_t span_count;
static int64_t closed_ms[CELLS]; /* 0: it is not, for all we know */

static struct rig rig;
static struct producer producer;
static unsigned made[CELLS], calls;
static size_t next_thing;

static long kills(void)
{
    const char *asked = getenv("LINEWARD_PAUSE_KILLS");
    long count = asked == NULL ? KILLS : strtol(asked, NULL, 10);
    return count >= 1 && count <= KILLS_MAX ? count : 0;
}

/* ---- load ---- */

static void feed(void)
{
    for (size_t c = 0; c < CELLS; c++) {
        char job[384], request[16], campaign[48] = "";
        if (cells[c].campaign != NULL)
            snprintf(campaign, sizeof campaign, "\"campaign\":\"%s\",", cells[c].campaign);
        snprintf(request, sizeof request, "f%u", made[c]);
        snprintf(job, sizeof job,
                 "{\"id\":\"c%zu-%u\",\"pool\":\"%s\",\"to\":\"+1415705%04zu\",\"from\":\"%s\",%s"
                 "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"cell %zu hello\"}]}}",
                 c, made[c]++, cells[c].pool, c, rig.lines[cells[c].line], campaign, c);
        SEND(&producer, "LW1", "ENQUEUE", request, job);
    }
    while (producer_receive(&producer, 0))
        continue;
}

static void work_for(int64_t ms)
{
    int64_t next_ms = 0;
    for (int64_t until = mono_ms() + ms; mono_ms() < until; programs_tick()) {
        if (mono_ms() < next_ms)
            continue;
        feed();
        next_ms = mono_ms() + FEED_MS;
    }
}

/* ---- who is closed ---- */

static unsigned paused_cells(void)
{
    unsigned mask = 0;
    for (size_t i = 0; i < THINGS; i++)
        mask |= things[i].count > 0 ? things[i].cells : 0;
    return mask;
}

/* Cells that have a job with a worker. */
static unsigned leased_cells(void)
{
    unsigned mask = 0, cell = 0;
    const cJSON *job;
    cJSON *page = rig_ask(&rig, "GET", "/v1/jobs?state=leased&limit=1000", NULL, NULL);
    MUST(json_get(page, "jobs") != NULL, "no list of jobs");
    cJSON_ArrayForEach(job, json_get(page, "jobs"))
    {
        if (sscanf(text_at(job, "id"), "c%u-", &cell) == 1)
            mask |= 1u << cell;
    }
    cJSON_Delete(page);
    return mask;
}

/* What was on its way when they were paused arrives; from then on nothing may go. */
static void await_closed(void)
{
    unsigned paused = paused_cells();
    AWAIT((leased_cells() & paused) == 0, "a paused conversation's job stays with its worker");
    for (size_t c = 0; c < CELLS; c++)
        if ((paused & 1u << c) != 0 && closed_ms[c] == 0)
            closed_ms[c] = mono_ms();
}

/* To be called before anything is lifted that leaves only `paused` closed. */
static void note_opening(unsigned paused)
{
    for (size_t c = 0; c < CELLS; c++) {
        if (closed_ms[c] == 0 || (paused & 1u << c) != 0)
            continue;
        MUST(span_count < SPANS_MAX, "too many spans");
        spans[span_count++] = (struct span){c, closed_ms[c], mono_ms()};
        closed_ms[c] = 0;
    }
}

/* ---- laying and lifting ---- */

static cJSON *call(const struct thing *thing, const char *verb, const char *body)
{
    char path[128];
    long status = 0;
    snprintf(path, sizeof path, "%s%s/%s", thing->path, thing->is_line ? rig.lines[thing->line] : "", verb);
    cJSON *answer = rig_ask(&rig, "POST", path, body, &status);
    MUST(status == 200 && answer != NULL, "POST %s: %ld", path, status);
    calls++;
    return answer;
}

static void pause_thing(struct thing *thing)
{
    struct held *held = &thing->held[thing->count];
    char body[96];
    *held = (struct held){.ends = rig_random(&rig, 3) == 0};
    if (held->ends)
        snprintf(body, sizeof body, "{\"reason\":\"why %s\",\"for_ms\":%d}", thing->scope, FOR_MS);
    else
        snprintf(body, sizeof body, "{\"reason\":\"why %s\"}", thing->scope);
    cJSON *answer = call(thing, "pause", body);
    snprintf(held->pause, sizeof held->pause, "%s", text_at(answer, "pause"));
    cJSON_Delete(answer);
    thing->count++;
}

/* One of them, or all. */
static void resume_thing(struct thing *thing)
{
    char body[64] = "{}";
    bool all = thing->count == 1 || rig_random(&rig, 2) == 0;
    size_t count = thing->count;
    if (!all)
        snprintf(body, sizeof body, "{\"pause\":\"%s\"}", thing->held[1].pause);
    thing->count = all ? 0 : 1;
    note_opening(paused_cells());
    thing->count = count;
    cJSON_Delete(call(thing, "resume", body));
    thing->count = all ? 0 : 1;
}

/* Each scope in its turn; what stops everybody is lifted soon, so that the others can be told apart. */
static void change_something(void)
{
    for (size_t i = 0; i < THINGS; i++)
        if (things[i].count > 0 && rig_random(&rig, things[i].cells == 0x1F || things[i].cells == 0x0F ? 2 : 5) == 0)
            resume_thing(&things[i]);
    for (size_t n = 1 + rig_random(&rig, PAUSES_A_ROUND); n > 0; n--) {
        struct thing *thing = &things[next_thing++ % THINGS];
        if (thing->count < 2)
            pause_thing(thing);
    }
}

/* ---- after a death ---- */

static const cJSON *find_pause(const cJSON *list, const char *pause)
{
    const cJSON *at;
    cJSON_ArrayForEach(at, list)
    {
        if (strcmp(text_at(at, "pause"), pause) == 0)
            return at;
    }
    return NULL;
}

static void must_be_in_force(const cJSON *list, const struct thing *thing, struct held *held)
{
    char reason[64];
    const char *name = thing->is_line ? rig.lines[thing->line] : thing->name != NULL ? thing->name : "";
    int64_t since_ms = 0, until_ms = 0;
    const cJSON *pause = find_pause(list, held->pause);
    MUST(pause != NULL, "%s of %s %s is gone after a SIGKILL", held->pause, thing->scope, thing->path);
    snprintf(reason, sizeof reason, "why %s", thing->scope);
    const char *said = text_at(pause, "name"), *until = text_at(pause, "until");
    MUST(strcmp(text_at(pause, "scope"), thing->scope) == 0 && strcmp(said == NULL ? "" : said, name) == 0,
         "%s lies on %s %s, not on %s %s", held->pause, text_at(pause, "scope"), said, thing->scope, name);
    MUST(strcmp(text_at(pause, "reason"), reason) == 0 && strcmp(text_at(pause, "by"), "first") == 0,
         "%s: another reason or author", held->pause);
    if (held->since[0] == '\0')
        snprintf(held->since, sizeof held->since, "%s", text_at(pause, "since"));
    MUST(strcmp(held->since, text_at(pause, "since")) == 0, "%s began at another time", held->pause);
    MUST(time_parse(held->since, &since_ms) && held->ends == (until != NULL) &&
             (until == NULL || (time_parse(until, &until_ms) && until_ms == since_ms + FOR_MS)),
         "%s ends at another time", held->pause);
}

static void check_pauses(void)
{
    size_t expected = 0;
    cJSON *page = rig_ask(&rig, "GET", "/v1/pauses?limit=1000", NULL, NULL);
    const cJSON *list = json_get(page, "pauses");
    for (size_t i = 0; i < THINGS; i++) {
        for (size_t p = 0; p < things[i].count; p++)
            must_be_in_force(list, &things[i], &things[i].held[p]);
        things[i].kills += things[i].count > 0;
        expected += things[i].count;
    }
    MUST((size_t)cJSON_GetArraySize(list) == expected, "%d pauses in force, not %zu", cJSON_GetArraySize(list), expected);
    cJSON_Delete(page);
}

/* ---- the end ---- */

static unsigned sends, late;

static void judge_send(void *self, const cJSON *send)
{
    unsigned cell = 0;
    const char *text = text_at(send, "text");
    int64_t at_ms = number_at(send, "mono_ms");
    (void)self;
    if (text == NULL || sscanf(text, "cell %u", &cell) != 1)
        return;
    sends++;
    for (size_t i = 0; i < span_count; i++)
        if (spans[i].cell == cell && at_ms > spans[i].from_ms && at_ms < spans[i].to_ms) {
            late++;
            printf("cell %u: sent %lld ms after it was closed\n", cell, (long long)(at_ms - spans[i].from_ms));
        }
}

/* Of those calls that were answered, as many records as there are answers. */
static void check_audit(void)
{
    unsigned records = 0;
    char path[64] = "/v1/audit?by=first&limit=1000";
    for (bool more = true; more;) {
        cJSON *page = rig_ask(&rig, "GET", path, NULL, NULL);
        const char *next = text_at(page, "next");
        records += (unsigned)cJSON_GetArraySize(json_get(page, "audit"));
        more = next != NULL;
        if (more)
            snprintf(path, sizeof path, "/v1/audit?by=first&limit=1000&after=%.20s", next);
        cJSON_Delete(page);
    }
    MUST(records == calls, "%u calls were answered, and %u are in the audit", calls, records);
}

static size_t waiting(const char *state)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/jobs?state=%s&limit=1000", state);
    cJSON *page = rig_ask(&rig, "GET", path, NULL, NULL);
    size_t count = (size_t)cJSON_GetArraySize(json_get(page, "jobs"));
    cJSON_Delete(page);
    return count;
}

static void finish(long deaths)
{
    int64_t closed = 0;
    for (size_t i = 0; i < THINGS; i++)
        while (things[i].count > 0)
            resume_thing(&things[i]);
    check_audit();
    AWAIT(waiting("held") + waiting("queued") + waiting("leased") == 0, "what was paused does not go on");
    program_end(&rig.worker[0]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    rig_each_send(&rig, judge_send, NULL);
    for (size_t i = 0; i < span_count; i++)
        closed += spans[i].to_ms - spans[i].from_ms;
    printf("%ld deaths, %u sends, %zu spans closed for %lld ms in all, %u calls in the audit\n", deaths, sends, span_count,
           (long long)closed, calls);
    for (size_t i = 0; i < THINGS; i++) {
        printf("  %s %s: paused over %u deaths\n", things[i].scope, things[i].path, things[i].kills);
        MUST(things[i].kills > 0, "%s was never paused over a death", things[i].path);
    }
    MUST(late == 0, "%u sends of what was paused", late);
    MUST(sends > (unsigned)deaths && span_count > (size_t)deaths / 4, "too little went on to prove anything");
}

/* covers: call POST /v1/lines/{line}/pause, POST /v1/pools/{pool}/pause, POST /v1/accounts/{account}/pause, POST /v1/pause */
START_TEST(what_is_paused_stays_paused_over_sigkill_and_nothing_of_it_is_sent)
{
    char pools[128];
    rig_open(&rig, NULL);
    snprintf(pools, sizeof pools, "pools:\n  default: {account: default}\n  other: {account: default, lines: [\"%s\"]}\n",
             rig.lines[3]);
    rig_configure(&rig, pools);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    work_for(WORK_MS); /* a campaign exists from its first job on */
    AWAIT(rig_accepted(&rig) >= CELLS, "nothing is sent");
    for (long i = kills(); i > 0; i--) {
        change_something();
        await_closed();
        if (rig_random(&rig, 2) == 0)
            change_something(); /* and it dies right after the answer */
        else
            work_for((int64_t)rig_random(&rig, WORK_MS));
        program_kill(&rig.broker);
        rig_start_broker(&rig);
        rig_await_admin(&rig);
        check_pauses();
        await_closed();
        work_for(WORK_MS);
    }
    finish(kills());
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    if (kills() == 0) {
        fprintf(stderr, "LINEWARD_PAUSE_KILLS: 1 to %d\n", KILLS_MAX);
        return EXIT_FAILURE;
    }
    return RUN_TESTS("pause_kill", 60 + (int)kills() * 2, what_is_paused_stays_paused_over_sigkill_and_nothing_of_it_is_sent);
}
