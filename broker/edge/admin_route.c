/* admin_route.c — the table of calls, and finding one. */
#include "broker/edge/admin_route.h"

#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"

#define SEGMENTS_MAX 8

#define PRODUCER (1u << ROLE_PRODUCER)
#define VIEWER   (1u << ROLE_VIEWER)
#define OPERATOR (1u << ROLE_OPERATOR | 1u << ROLE_ADMIN)
#define ADMIN    (1u << ROLE_ADMIN)
#define LOOKS    (VIEWER | OPERATOR)
#define ENQUEUES (PRODUCER | OPERATOR)
#define SMALL    ADMIN_BODY_BYTES_MAX
#define IMPORT   (1024u * 1024)

static const struct route routes[] = {
    {"GET", "/", 0, 0, call_front, 0},
    {"GET", "/healthz", 0, 0, call_healthz, 0},
    {"GET", "/readyz", 0, 0, call_readyz, 0},
    {"GET", "/metrics", LOOKS, 0, call_metrics, 0},
    {"GET", "/v1/status", LOOKS, 0, call_status, 0},
    {"GET", "/v1/pools", LOOKS, 0, call_pools, 0},
    {"POST", "/v1/pools/{pool}/pause", OPERATOR, SMALL, call_pause, PAUSE_POOL},
    {"POST", "/v1/pools/{pool}/resume", OPERATOR, SMALL, call_resume, PAUSE_POOL},
    {"POST", "/v1/accounts/{account}/pause", OPERATOR, SMALL, call_pause, PAUSE_ACCOUNT},
    {"POST", "/v1/accounts/{account}/resume", OPERATOR, SMALL, call_resume, PAUSE_ACCOUNT},
    {"GET", "/v1/campaigns", LOOKS, 0, call_campaigns, 0},
    {"POST", "/v1/campaigns/{pool}/{campaign}/pause", OPERATOR, SMALL, call_pause, PAUSE_CAMPAIGN},
    {"POST", "/v1/campaigns/{pool}/{campaign}/resume", OPERATOR, SMALL, call_resume, PAUSE_CAMPAIGN},
    {"POST", "/v1/conversations/{pool}/{to}/pause", OPERATOR, SMALL, call_pause, PAUSE_CONVERSATION},
    {"POST", "/v1/conversations/{pool}/{to}/resume", OPERATOR, SMALL, call_resume, PAUSE_CONVERSATION},
    {"POST", "/v1/pause", OPERATOR, SMALL, call_pause, PAUSE_ALL},
    {"POST", "/v1/resume", OPERATOR, SMALL, call_resume, PAUSE_ALL},
    {"GET", "/v1/lines", LOOKS, 0, call_lines, 0},
    {"GET", "/v1/lines/{line}", LOOKS, 0, call_line, 0},
    {"POST", "/v1/lines/{line}/pause", OPERATOR, SMALL, call_pause, PAUSE_LINE},
    {"POST", "/v1/lines/{line}/resume", OPERATOR, SMALL, call_resume, PAUSE_LINE},
    {"POST", "/v1/lines/{line}/reputation", OPERATOR, SMALL, call_reputation, 0},
    {"DELETE", "/v1/lines/{line}/reputation", OPERATOR, SMALL, call_reputation_end, 0},
    {"POST", "/v1/lines/{line}/drain", OPERATOR, SMALL, call_drain, 0},
    {"DELETE", "/v1/lines/{line}/drain", OPERATOR, SMALL, call_drain_stop, 0},
    {"POST", "/v1/lines/{line}/cordon", OPERATOR, SMALL, call_cordon, 1},
    {"POST", "/v1/lines/{line}/uncordon", OPERATOR, SMALL, call_cordon, 0},
    {"GET", "/v1/shape", LOOKS, 0, call_shape, 0},
    {"GET", "/v1/replies", LOOKS, 0, call_replies, 0},
    {"GET", "/v1/lines/{line}/conversations", LOOKS, 0, call_conversations, 1},
    {"GET", "/v1/pauses", LOOKS, 0, call_pauses, 0},
    {"GET", "/v1/workers", LOOKS, 0, call_workers, 0},
    {"GET", "/v1/jobs", LOOKS | PRODUCER, 0, call_jobs, 0},
    {"POST", "/v1/jobs", ENQUEUES, WIRE_REQUEST_BYTES_MAX, call_enqueue, 0},
    {"GET", "/v1/jobs/{id}", LOOKS | PRODUCER, 0, call_job, 0},
    {"GET", "/v1/jobs/{id}/why-not/{line}", LOOKS, 0, call_why_not, 0},
    {"DELETE", "/v1/jobs/{id}", ENQUEUES, SMALL, call_cancel, 0},
    {"GET", "/v1/conversations", LOOKS, 0, call_conversations, 0},
    {"POST", "/v1/conversations/import", OPERATOR, IMPORT, call_import, 0},
    {"GET", "/v1/conversations/{pool}/{to}", LOOKS, 0, call_conversation, 0},
    {"PUT", "/v1/conversations/{pool}/{to}/line", OPERATOR, SMALL, call_move, 0},
    {"GET", "/v1/suppressions/{account}", LOOKS, 0, call_suppressions, 0},
    {"PUT", "/v1/suppressions/{account}/{to}", OPERATOR, SMALL, call_suppress, 0},
    {"DELETE", "/v1/suppressions/{account}/{to}", ADMIN, SMALL, call_unsuppress, 0},
    {"POST", "/v1/jobs/{id}/settle", OPERATOR, SMALL, call_settle, 0},
    {"GET", "/v1/dead", LOOKS, 0, call_dead, 0},
    {"POST", "/v1/dead/requeue", OPERATOR, SMALL, call_requeue_many, 0},
    {"POST", "/v1/dead/{id}/requeue", OPERATOR, SMALL, call_requeue, 0},
    {"GET", "/v1/triage/export", OPERATOR, 0, call_export, 0},
    {"POST", "/v1/triage/cancel", OPERATOR, SMALL, call_triage, TRIAGE_CANCEL},
    {"POST", "/v1/triage/expire", OPERATOR, SMALL, call_triage, TRIAGE_EXPIRE},
    {"POST", "/v1/erasures", ADMIN, SMALL, call_erase, 0},
    {"GET", "/v1/erasures", OPERATOR, 0, call_erasures, 0},
    {"GET", "/v1/erasures/{erasure}", OPERATOR, 0, call_erasure, 0},
    {"GET", "/v1/audit", LOOKS, 0, call_audit, 0},
    {"GET", "/v1/events", LOOKS, 0, call_events, 0},
    {"GET", "/v1/events/stream", LOOKS, 0, call_stream, 0},
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return true;
}

/* Splits at slashes and decodes; how many parts, or SIZE_MAX: no path of ours. */
static size_t split(char *path, char *segments[SEGMENTS_MAX])
{
    size_t count = 0;
    if (*path != '/')
        return SIZE_MAX;
    for (char *at = path; at != NULL;) {
        if (count == SEGMENTS_MAX)
            return SIZE_MAX;
        *at++ = '\0';
        segments[count++] = at;
        at = strchr(at, '/');
    }
    for (size_t i = 0; i < count; i++) {
        if (!percent_decode(segments[i]))
            return SIZE_MAX;
    }
    return count;
}

static bool fits(const char *pattern, char *const segments[], size_t count, char *parts[ROUTE_PARTS_MAX])
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (*pattern != '/')
            return false;
        pattern++;
        size_t bytes = strcspn(pattern, "/");
        if (*pattern == '{' && segments[i][0] != '\0')
            parts[found++] = segments[i];
        else if (strlen(segments[i]) != bytes || strncmp(segments[i], pattern, bytes) != 0)
            return false;
        pattern += bytes;
    }
    return *pattern == '\0';
}

static void add_allowed(char allow[ROUTE_ALLOW_MAX], const char *method)
{
    size_t bytes = strlen(allow);
    snprintf(allow + bytes, ROUTE_ALLOW_MAX - bytes, "%s%s", bytes > 0 ? ", " : "", method);
}

struct route_match route_find(const char *method, char *path)
{
    struct route_match match = {0};
    char *segments[SEGMENTS_MAX];
    size_t count = split(path, segments);
    if (count == SIZE_MAX)
        return match;
    if (strcmp(method, "HEAD") == 0) /* a GET whose body is left out */
        method = "GET";
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        char *parts[ROUTE_PARTS_MAX] = {NULL};
        if (!fits(routes[i].path, segments, count, parts))
            continue;
        if (strcmp(routes[i].method, method) != 0) {
            add_allowed(match.allow, routes[i].method);
            continue;
        }
        match = (struct route_match){.route = &routes[i]};
        memcpy(match.parts, parts, sizeof parts);
        return match;
    }
    return match;
}

const struct route *route_at(size_t index)
{
    return index < sizeof routes / sizeof *routes ? &routes[index] : NULL;
}

bool route_allows(const struct route *route, enum role role)
{
    return (route->roles & 1u << role) != 0;
}
