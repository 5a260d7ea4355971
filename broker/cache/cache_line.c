/* cache_line.c — see cache_line.h. Every byte from Redis is one from outside. */
#include "broker/cache/cache_line.h"

#include <stdlib.h>
#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/words.h"

#define NEVER_WRITTEN (-1) /* NEVER_SAID, where numbers are exact to 2^53 only */

static bool read_reputation(const cJSON *object, const char *name, uint8_t *out)
{
    enum reputation word;
    const char *text = json_string(object, name);
    bool good = text != NULL && reputation_parse(text, &word);
    *out = good ? (uint8_t)word : 0;
    return good;
}

static bool read_service(const cJSON *object, const char *name, uint8_t *out)
{
    enum service word;
    const char *text = json_string(object, name);
    bool good = text != NULL && service_parse(text, &word);
    *out = good ? (uint8_t)word : 0;
    return good;
}

static bool read_source(const cJSON *object, const char *name, uint8_t *out)
{
    enum source word;
    const char *text = json_string(object, name);
    bool good = text != NULL && source_parse(text, &word);
    *out = good ? (uint8_t)word : 0;
    return good;
}

static bool read_words(const cJSON *object, struct change_line *known)
{
    return read_reputation(object, "word", &known->word) && read_reputation(object, "previous", &known->previous) &&
           read_reputation(object, "proven", &known->proven) && read_source(object, "source", &known->source) &&
           read_service(object, "service", &known->service) &&
           read_source(object, "service_source", &known->service_source);
}

static bool read_moment(const cJSON *object, const char *name, int64_t *out)
{
    if (!json_int(object, name, out) || *out < NEVER_WRITTEN)
        return false;
    if (*out == NEVER_WRITTEN)
        *out = NEVER_SAID;
    return true;
}

static bool read_small(const cJSON *object, const char *name, int64_t limit, uint8_t *out)
{
    int64_t value;
    bool good = json_int(object, name, &value) && value >= 0 && value <= limit;
    *out = good ? (uint8_t)value : 0;
    return good;
}

static bool read_time(const cJSON *object, const char *name, int64_t *out)
{
    return json_int(object, name, out) && *out >= 0;
}

static bool read_number(const cJSON *object, uint64_t *out)
{
    const char *text = json_string(object, "number");
    if (text == NULL || strspn(text, "0123456789") != strlen(text) || *text == '\0' || strlen(text) >= E164_MAX_BYTES)
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

bool cache_line_read(const cJSON *object, struct cache_line *out)
{
    int64_t version = 0;
    *out = (struct cache_line){0};
    struct change_line *known = &out->known;
    struct moments *moments = &out->moments;
    known->heard = json_bool(object, "heard", false);
    known->gone = json_bool(object, "gone", false);
    bool good = read_number(object, &known->number) && read_words(object, known) &&
                read_small(object, "missed", UINT8_MAX, &known->missed_polls) &&
                read_small(object, "loosen_tries", UINT8_MAX, &moments->loosen_tries) &&
                read_time(object, "changed_at", &known->changed_at_ms) &&
                read_time(object, "heard_at", &known->heard_at_ms) &&
                read_time(object, "flagged_at", &known->flagged_at_ms) &&
                read_time(object, "active_at", &out->active_at_ms) &&
                read_time(object, "event_at", &known->event_at_ms) && read_moment(object, "event", &moments->event) &&
                read_moment(object, "tightened", &moments->tightened) &&
                read_moment(object, "loosen_event", &moments->loosen_event) &&
                read_moment(object, "agreed_begun", &moments->agreed_begun) &&
                json_int(object, "version", &version) && version >= 0 && version >> CACHE_VERSION_BITS == 0;
    if (json_get(object, "poll_in") != NULL)
        good = good && json_int(object, "poll_in", &out->poll_in_ms) && out->poll_in_ms >= NEVER_WRITTEN;
    out->version = (uint64_t)version;
    return good;
}
