/* tenants_test.c — two tenants, each with a producer's key and tokens for its own pool: whatever one asks, by
 * whatever way, nothing of the other's jobs comes back, and nothing of them changes. The calls of the admin API are
 * taken from the broker's own table, so that a new one is asked too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "broker/edge/admin_route.h"
#include "lineward/json.h"
#include "locked.h"

#define JOBS         6   /* of each tenant */
#define CANARIES_MAX 512 /* texts that only their owner may see */
#define PAGES_MAX    400
#define STREAM_MS    700

struct tenant {
    const char *pool;
    struct key_pair key;
    struct producer client;
    const char *line[2];
    char number[JOBS][JOB_NUMBER_TEXT_MAX];
    char *canary[CANARIES_MAX];
    size_t canaries;
};

static struct locked locked;
static struct rig *const rig = &locked.rig;
static struct tenant red, blue;
static size_t answers, own_found;

static const char *const roles[] = {"producer", "viewer", "operator", "admin"};

/* ---- what must not be seen ---- */

static void keep(struct tenant *tenant, const char *text)
{
    MUST(tenant->canaries < CANARIES_MAX && (tenant->canary[tenant->canaries++] = strdup(text)) != NULL, "canaries");
}

/* What was asked may come back in an error (`id` as asked): that tells nothing. */
static void blank(char *text, const char *asked)
{
    size_t bytes = asked == NULL ? 0 : strlen(asked);
    for (char *at = text; bytes > 0 && (at = strstr(at, asked)) != NULL; at += bytes)
        memset(at, '~', bytes);
}

static void search(char *text, const char *asked, const char *what)
{
    answers++;
    blank(text, asked);
    for (size_t i = 0; i < blue.canaries; i++)
        MUST(strstr(text, blue.canary[i]) == NULL, "%s tells %s:\n%s", what, blue.canary[i], text);
    for (size_t i = 0; i < red.canaries; i++)
        own_found += strstr(text, red.canary[i]) != NULL;
}

/* ---- two tenants ---- */

static void enqueue(struct tenant *tenant, int i, const char *more)
{
    char job[1024], id[64], to[32];
    int base = tenant == &red ? 1000 : 2000;
    snprintf(id, sizeof id, "id-canary-%s-%d", tenant->pool, i);
    snprintf(to, sizeof to, "+1415706%04d", base + i);
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"%s\",\"campaign\":\"campaign-canary-%s\",%s"
             "\"meta\":{\"m\":\"meta-canary-%s\"},"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"text-canary-%s\"}]}}",
             id, tenant->pool, to, tenant->pool, more, tenant->pool, tenant->pool);
    producer_enqueue(&tenant->client, job, tenant->number[i], NULL);
    keep(tenant, id);
    keep(tenant, to);
    keep(tenant, tenant->number[i]);
}

static bool is_in(struct tenant *tenant, int i, const char *state)
{
    char is[16];
    producer_state(&tenant->client, tenant->number[i], is);
    return strcmp(is, state) == 0;
}

static void keep_member(struct tenant *tenant, const cJSON *view, const char *member)
{
    const char *text = json_string(view, member);
    if (text != NULL)
        keep(tenant, text);
}

/* Sent, held, scheduled, cancelled: something in every state that needs no provider in trouble. */
static void live(struct tenant *tenant, const char *pool)
{
    char path[128], name[32], pinned[64];
    tenant->pool = pool;
    snprintf(name, sizeof name, "shop-%s", pool);
    locked_connect(&locked, &tenant->client, rig->port.producers, &tenant->key);
    enqueue(tenant, 0, "");
    enqueue(tenant, 1, "\"class\":\"reply\",");
    AWAIT(is_in(tenant, 0, "sent") && is_in(tenant, 1, "sent"), "%s is not sent", pool);
    for (int i = 0; i < 2; i++) {
        cJSON *view = producer_ask(&tenant->client, "STATUS", tenant->number[i]);
        keep_member(tenant, view, "chat_id");
        keep_member(tenant, view, "message_id");
        cJSON_Delete(view);
    }
    snprintf(path, sizeof path, "/v1/lines/%s/pause", tenant->line[1]);
    cJSON_Delete(rig_ask(rig, "POST", path, "{\"reason\":\"pause-canary\"}", NULL));
    snprintf(pinned, sizeof pinned, "\"from\":\"%s\",", tenant->line[1]);
    enqueue(tenant, 2, pinned);
    enqueue(tenant, 3, pinned);
    enqueue(tenant, 4, "\"send_after\":\"2099-01-01T00:00:00Z\",");
    enqueue(tenant, 5, pinned);
    cJSON_Delete(producer_ask(&tenant->client, "CANCEL", tenant->number[5]));
    snprintf(name, sizeof name, "campaign-canary-%s", pool);
    keep(tenant, name);
    snprintf(name, sizeof name, "meta-canary-%s", pool);
    keep(tenant, name);
    snprintf(name, sizeof name, "text-canary-%s", pool);
    keep(tenant, name);
    keep(tenant, tenant->line[0]);
    keep(tenant, tenant->line[1]);
    snprintf(name, sizeof name, "\"%s\"", pool);
    keep(tenant, name);
}

/* What else an operator of all pools has done to blue, where this version has such a call. */
static void operate_on_blue(void)
{
    static const struct {
        const char *path, *body;
    } calls[] = {
        {"/v1/campaigns/blue/campaign-canary-blue/pause", "{\"reason\":\"why-canary\"}"},
        {"/v1/conversations/blue/+14157062000/pause", "{\"reason\":\"why-canary\"}"},
        {"/v1/suppressions/default/+14157062001", NULL},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        cJSON_Delete(rig_ask(rig, calls[i].body == NULL ? "PUT" : "POST", calls[i].path,
                             calls[i].body == NULL ? "{\"reason\":\"r\"}" : calls[i].body, NULL));
}

static void begin(void)
{
    char token[64];
    locked_open(&locked, NULL);
    red.line[0] = rig->lines[0];
    red.line[1] = rig->lines[1];
    blue.line[0] = rig->lines[2];
    blue.line[1] = rig->lines[3];
    locked_key(&locked, "shop-red", "producer", "red", &red.key);
    locked_key(&locked, "shop-blue", "producer", "blue", &blue.key);
    rig_start(rig, 1);
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
        snprintf(token, sizeof token, "red-%s", roles[r]);
        locked_token(&locked, token, roles[r], "red");
    }
    locked_reload(&locked, true);
    live(&blue, "blue");
    live(&red, "red");
    operate_on_blue();
}

static void end(void)
{
    producer_close(&red.client);
    producer_close(&blue.client);
    for (size_t i = 0; i < red.canaries; i++)
        free(red.canary[i]);
    for (size_t i = 0; i < blue.canaries; i++)
        free(blue.canary[i]);
    locked_close(&locked);
}

/* ---- what must not change ---- */

/* The views that a stranger's call might have changed; a gate's and a poll's times move by themselves. */
static char *snapshot(void)
{
    cJSON *all = cJSON_CreateArray();
    for (int i = 0; i < JOBS; i++) {
        char path[128];
        snprintf(path, sizeof path, "/v1/jobs/%s", blue.number[i]);
        cJSON *view = rig_ask(rig, "GET", path, NULL, NULL);
        cJSON_DeleteItemFromObjectCaseSensitive(view, "why");
        cJSON_DeleteItemFromObjectCaseSensitive(view, "delivery"); /* the provider's word may still come */
        cJSON_DeleteItemFromObjectCaseSensitive(view, "history");
        cJSON_AddItemToArray(all, view);
    }
    for (int i = 0; i < 2; i++) {
        static const char *const kept[] = {"pauses", "cordoned", "drain", "service", "gate", "reason"};
        char path[128];
        snprintf(path, sizeof path, "/v1/lines/%s", blue.line[i]);
        cJSON *view = rig_ask(rig, "GET", path, NULL, NULL);
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
            cJSON_AddItemToArray(all, cJSON_DetachItemFromObjectCaseSensitive(view, kept[k]));
        cJSON_Delete(view);
    }
    cJSON *pauses = rig_ask(rig, "GET", "/v1/pauses", NULL, NULL);
    cJSON_AddItemToArray(all, cJSON_DetachItemFromObjectCaseSensitive(pauses, "pauses")); /* not when it was counted */
    cJSON_Delete(pauses);
    char *text = cJSON_PrintUnformatted(all);
    cJSON_Delete(all);
    return text;
}

/* ---- over ZeroMQ ---- */

static void ask_item(const char *command, const char *item, const char *asked)
{
    cJSON *answer = producer_ask(&red.client, command, item);
    char *text = cJSON_PrintUnformatted(answer), what[256];
    snprintf(what, sizeof what, "%s %s", command, item);
    search(text, asked, what);
    MUST(json_get(answer, "error") != NULL, "%s is answered: %s", what, text);
    free(text);
    cJSON_Delete(answer);
}

static void guess(const char *command)
{
    char name[128];
    for (int i = 0; i < JOBS; i++) {
        ask_item(command, blue.number[i], blue.number[i]);
        snprintf(name, sizeof name, "blue/id-canary-blue-%d", i);
        ask_item(command, name, name);
        snprintf(name, sizeof name, "red/id-canary-blue-%d", i);
        ask_item(command, name, name);
        snprintf(name, sizeof name, "id-canary-blue-%d", i);
        ask_item(command, name, name);
    }
}

static void ask_over_zmq(void)
{
    char job[512];
    guess("STATUS");
    guess("CANCEL");
    /* Into the other's pool, into nowhere, from the other's line. */
    producer_refused(&red.client, "{\"pool\":\"blue\",\"to\":\"+14157069001\",\"message\":{}}", "unknown_pool",
                     "pool");
    producer_refused(&red.client, "{\"to\":\"+14157069001\",\"message\":{}}", "unknown_pool", "pool");
    snprintf(job, sizeof job, "{\"pool\":\"red\",\"to\":\"+14157069002\",\"from\":\"%s\",\"message\":{}}",
             blue.line[0]);
    producer_refused(&red.client, job, "unknown_line", "from");
    SEND(&red.client, WIRE_VERSION, "PING", "p");
    MUST(producer_receive(&red.client, LIMIT_MS) && producer_got(&red.client, "PONG"), "no PONG");
    cJSON *pong = producer_json(&red.client, 3);
    char *text = cJSON_PrintUnformatted(pong);
    search(text, NULL, "PING");
    free(text);
    cJSON_Delete(pong);
    for (int i = 0; i < JOBS; i++) { /* their owner sees them all the while */
        cJSON *view = producer_ask(&red.client, "STATUS", red.number[i]);
        text = cJSON_PrintUnformatted(view);
        search(text, NULL, "its own");
        free(text);
        cJSON_Delete(view);
    }
}

/* The same id in another pool is another job, and tells nothing of the first one. Last, for it makes blue's id red's.
 */
static void use_the_same_id(void)
{
    char number[JOB_NUMBER_TEXT_MAX];
    producer_enqueue(&red.client,
                     "{\"id\":\"id-canary-blue-0\",\"pool\":\"red\",\"to\":\"+14157069004\",\"message\":{}}", number,
                     "queued");
}

/* ---- over HTTP ---- */

struct call {
    char path[512];
    char asked[2][96]; /* its parts that name something of blue's */
    size_t asked_count;
    bool names_blue;
};

/* How the asker's own audit tells what of INTO_BLUE it was asked with. */
#define ASKED_IN_AUDIT "\"asked\":{\"line\":\"+12025550101\",\"pool\":\"blue\"}"

/* `call` NULL: it names nothing of blue's that might be said again. */
static char *fetch(const char *token, const char *method, const char *path, const char *body, const struct call *call,
                   long *status)
{
    char what[512];
    bool endless = strstr(path, "/stream") != NULL;
    char *text = rig_fetch(rig, token, method, path, body, endless ? STREAM_MS : 0, status);
    snprintf(what, sizeof what, "%s %s for %s", method, path, token);
    for (size_t i = 0; call != NULL && i < call->asked_count; i++)
        blank(text, call->asked[i]);
    blank(text, ASKED_IN_AUDIT);
    search(text, NULL, what);
    return text;
}

static void fetch_list(const char *token, const char *path)
{
    char next[1024] = "", page[1200];
    snprintf(page, sizeof page, "%s", path);
    for (int i = 0; i < PAGES_MAX; i++) {
        long status = 0;
        char *text = fetch(token, "GET", page, NULL, NULL, &status);
        cJSON *answer = json_parse(text, strlen(text), NULL);
        const cJSON *member = json_get(answer, "next"), *events = json_get(answer, "events");
        bool more = cJSON_IsString(member) || (cJSON_IsNumber(member) && cJSON_GetArraySize(events) > 0);
        if (cJSON_IsString(member))
            snprintf(next, sizeof next, "%s", member->valuestring);
        else if (more)
            snprintf(next, sizeof next, "%.0f", member->valuedouble);
        cJSON_Delete(answer);
        free(text);
        if (!more)
            return;
        snprintf(page, sizeof page, "%.900s%cafter=%.200s", path, strchr(path, '?') == NULL ? '?' : '&', next);
    }
    give_up("%s does not end", path);
}

static void list_with_every_filter(const char *token)
{
    static const char *const lists[] = {"/v1/jobs?limit=1",       "/v1/jobs",
                                        "/v1/jobs?pool=red",      "/v1/events?limit=7",
                                        "/v1/events?topic=job.",  "/v1/events?topic=line.",
                                        "/v1/events?topic=pool.", "/v1/lines?limit=1",
                                        "/v1/pools?limit=1",      "/v1/pauses?limit=1",
                                        "/v1/dead?limit=1",       "/v1/conversations?limit=1",
                                        "/v1/workers?limit=1"};
    static const char *const queries[] = {"pool=blue", "to=+14157062000", "to=+14157062003",
                                          "after=s0",  "after=e0",        "campaign=campaign-canary-blue"};
    char path[256];
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        fetch_list(token, lists[i]);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(path, sizeof path, "/v1/jobs?%s", queries[i]);
        fetch_list(token, path);
    }
    snprintf(path, sizeof path, "/v1/jobs?line=%s", blue.line[1]);
    fetch_list(token, path);
    for (enum job_state state = JOB_SCHEDULED; state < JOB_STATE_COUNT; state++) {
        snprintf(path, sizeof path, "/v1/jobs?state=%s", job_state_name(state));
        fetch_list(token, path);
    }
    fetch_list(token, "/v1/jobs?state=held");
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
        snprintf(path, sizeof path, "/v1/jobs?reason=%s", reason_name(reason));
        fetch_list(token, path);
    }
}

/* The route's path with what is blue's in its braces; `job`: which of blue's. */
static void fill_in(struct call *call, const char *pattern, int job)
{
    char id[64], id_asked[64], to[32];
    memset(call, 0, sizeof *call);
    snprintf(id, sizeof id, "%s", blue.number[job]);
    snprintf(id_asked, sizeof id_asked, "%s", id);
    if (job % 2 != 0) {
        snprintf(id, sizeof id, "blue%%2Fid-canary-blue-%d", job);
        snprintf(id_asked, sizeof id_asked, "blue/id-canary-blue-%d", job);
    }
    snprintf(to, sizeof to, "+1415706%04d", 2000 + job);
    const struct {
        const char *part, *value, *asked;
    } parts[] = {{"{line}", blue.line[job % 2], blue.line[job % 2]},
                 {"{pool}", "blue", "\"blue\""},
                 {"{id}", id, id_asked},
                 {"{to}", to, to},
                 {"{campaign}", "campaign-canary-blue", "campaign-canary-blue"},
                 {"{erasure}", "1", ""}, /* names nobody: orders are for who may do all */
                 {"{account}", "default", ""}};
    for (const char *at = pattern; *at != '\0';) {
        size_t bytes = strlen(call->path);
        bool found = false;
        for (size_t i = 0; i < sizeof parts / sizeof *parts && !found; i++) {
            if (strncmp(at, parts[i].part, strlen(parts[i].part)) != 0)
                continue;
            snprintf(call->path + bytes, sizeof call->path - bytes, "%s", parts[i].value);
            MUST(call->asked_count < 2, "%s has too many parts", pattern);
            snprintf(call->asked[call->asked_count++], sizeof call->asked[0], "%s", parts[i].asked);
            bool names_nobody = strcmp(parts[i].part, "{account}") == 0 || strcmp(parts[i].part, "{erasure}") == 0;
            call->names_blue = call->names_blue || !names_nobody;
            at += strlen(parts[i].part);
            found = true;
        }
        MUST(found || *at != '{', "%s: what is blue's there? Say so in this test", at);
        if (!found)
            snprintf(call->path + bytes, sizeof call->path - bytes, "%c", *at++);
    }
}

#define INTO_BLUE                                                                                                    \
    "{\"pool\":\"blue\",\"to\":\"+14157069003\",\"message\":{},\"conversations\":[{\"pool\":\"blue\","               \
    "\"to\":\"+14157069003\",\"line\":\"+12025550103\",\"chat_id\":\"c\"}],\"line\":\"+12025550101\"}"

/* A body that every call that changes something takes, or refuses for its form only after it knows who asks. */
static const char *body_of(const struct route *route, int variant)
{
    static const char *const bodies[] = {
        "{\"reason\":\"r\",\"status\":\"CRITICAL\",\"for_ms\":60000,\"mode\":\"fail\",\"outcome\":\"unsent\"}",
        "{\"reason\":\"r\",\"status\":\"HEALTHY\",\"for_ms\":60000,\"mode\":\"move\",\"outcome\":\"sent\"}",
        INTO_BLUE};
    return strcmp(route->method, "GET") == 0 ? NULL : bodies[variant];
}

static void call_route(const struct route *route, const char *token, int job, int variant)
{
    struct call call;
    long status = 0;
    fill_in(&call, route->path, job);
    char *text = fetch(token, route->method, call.path, body_of(route, variant), &call, &status);
    MUST(!call.names_blue || status == 401 || status == 403 || status == 404, "%s %s for %s: %ld %s", route->method,
         call.path, token, status, text);
    free(text);
}

static void call_every_route(const char *token)
{
    const struct route *route;
    for (size_t r = 0; (route = route_at(r)) != NULL; r++)
        for (int job = 0; job < JOBS; job++)
            for (int variant = 0; variant < 3; variant++)
                call_route(route, token, job, variant);
}

/* ---- */

START_TEST(nothing_of_a_tenant_is_seen_or_touched_by_another)
{
    begin();
    char *before = snapshot();
    ask_over_zmq();
    for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
        char token[64];
        snprintf(token, sizeof token, "red-%s", roles[r]);
        list_with_every_filter(token);
        call_every_route(token);
    }
    char *after = snapshot();
    MUST(strcmp(before, after) == 0, "blue was\n%s\nand is\n%s", before, after);
    use_the_same_id();
    MUST(own_found > 100, "the search finds nothing at all");
    printf("%zu answers searched for %zu canaries; the asker's own found %zu times\n", answers, blue.canaries,
           own_found);
    free(before);
    free(after);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("tenants", 240, nothing_of_a_tenant_is_seen_or_touched_by_another);
}
