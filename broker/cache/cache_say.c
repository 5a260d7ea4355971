/* cache_say.c — see cache_say.h. */
#include "broker/cache/cache_say.h"

#include <inttypes.h>
#include <stdio.h>

#include "lineward/version.h"
#include "lineward/words.h"

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void begin(struct json_out *out, const char *what)
{
    json_open(out, '{');
    put_text(out, "what", what);
}

void cache_say_number(struct json_out *out, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    json_put_string(out, text);
}

void cache_say_told(struct json_out *out, const struct core_line_fact *fact, int64_t wall_ms)
{
    begin(out, "told");
    put_int(out, "wall", wall_ms);
    json_key(out, "number");
    cache_say_number(out, fact->number);
    put_int(out, "changed_at", fact->changed_at_ms);
    if (fact->event != 0) {
        json_key(out, "event");
        cache_say_number(out, fact->event);
    }
    if (fact->has_reputation)
        put_text(out, "reputation", reputation_name(fact->reputation));
    if (fact->has_service)
        put_text(out, "service", service_name(fact->service));
    json_close(out, '}');
}

void cache_say_service(struct json_out *out, uint64_t number, bool flagged, int64_t at_ms)
{
    begin(out, flagged ? "flagged" : "lifted");
    json_key(out, "number");
    cache_say_number(out, number);
    put_int(out, "at", at_ms);
    json_close(out, '}');
}

void cache_say_hold(struct json_out *out, const char *nonce, int64_t ms, const char *rules)
{
    begin(out, "hold");
    put_text(out, "nonce", nonce);
    put_int(out, "ms", ms);
    put_text(out, "version", LINEWARD_VERSION);
    put_text(out, "rules", rules);
    json_close(out, '}');
}

void cache_say_poll_begin(struct json_out *out, const char *nonce, int64_t begun_ms, int64_t interval_ms, bool cached)
{
    begin(out, "polled");
    put_text(out, "nonce", nonce);
    put_int(out, "begun", begun_ms);
    put_int(out, "interval", interval_ms);
    json_key(out, "cached");
    json_put_bool(out, cached);
    json_key(out, "lines");
    json_open(out, '[');
}

void cache_say_poll_line(struct json_out *out, uint64_t number, enum reputation reputation, enum service service)
{
    json_open(out, '[');
    cache_say_number(out, number);
    json_put_string(out, reputation_name(reputation));
    json_put_string(out, service_name(service));
    json_close(out, ']');
}

void cache_say_poll_missed(struct json_out *out)
{
    json_close(out, ']');
    json_key(out, "missed");
    json_open(out, '[');
}

void cache_say_poll_end(struct json_out *out)
{
    json_close(out, ']');
    json_close(out, '}');
}

void cache_say_people(struct json_out *out, const char *list, int64_t wall_ms)
{
    begin(out, "people");
    put_int(out, "wall", wall_ms);
    json_key(out, list);
    json_open(out, '[');
}

void cache_say_people_end(struct json_out *out)
{
    json_close(out, ']');
    json_close(out, '}');
}

void cache_say_cause(struct json_out *out, enum suppress cause, int64_t since_ms)
{
    put_text(out, "cause", suppress_name(cause));
    put_int(out, "since", since_ms);
}

void cache_say_known_since(struct json_out *out, int64_t since_ms)
{
    put_int(out, "since", since_ms);
}

void cache_say_since(struct json_out *out, enum suppress cause, int64_t since_ms)
{
    put_int(out, suppress_name(cause), since_ms);
}

static void put_over(struct json_out *out, const struct cache_owed_over *over)
{
    json_key(out, "over");
    json_open(out, '{');
    for (enum suppress cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if ((over->causes & 1u << cause) != 0)
            cache_say_since(out, cause, cause == over->cause ? over->since_ms : 0);
    json_close(out, '}');
}

void cache_say_ended(struct json_out *out, const struct cache_owed_fact *owed, int64_t told_ms, int64_t wall_ms)
{
    cache_say_people(out, "ended", wall_ms);
    json_open(out, '{');
    put_text(out, "id", owed->id);
    if (owed->wrote_ms != 0) {
        put_text(out, "cause", suppress_name(SUPPRESS_OPTED_OUT));
        put_int(out, "wrote", owed->wrote_ms);
    } else {
        put_over(out, &owed->over);
        put_int(out, "told", told_ms);
    }
    json_close(out, '}');
    cache_say_people_end(out);
}

void cache_say_hidden(struct json_out *out, const char *id, int64_t wall_ms)
{
    cache_say_people(out, "hide", wall_ms);
    json_put_string(out, id);
    cache_say_people_end(out);
}

void cache_say_people_after(struct json_out *out, int64_t version, int64_t limit)
{
    begin(out, "people");
    put_int(out, "after", version);
    put_int(out, "limit", limit);
    json_close(out, '}');
}

static int64_t shared(int64_t moment, int64_t ahead_ms)
{
    return moment == NEVER_SAID ? NEVER_SAID : moment + ahead_ms;
}

static void put_moment(struct json_out *out, const char *name, int64_t moment)
{
    put_int(out, name, moment == NEVER_SAID ? -1 : moment);
}

int64_t cache_say_flagged_at(const struct line_words *words, int64_t ahead_ms)
{
    int64_t flagged = words->moments->flagged;
    return flagged == NEVER_SAID ? words->known->flagged_at_ms : flagged + ahead_ms;
}

int64_t cache_say_tightened(const struct line_words *words, int64_t ahead_ms)
{
    if (words->shared_tightened_ms != NEVER_SAID)
        return words->shared_tightened_ms;
    return shared(words->moments->tightened, ahead_ms);
}

void cache_say_known(struct json_out *out, const struct line_words *words, struct instant now, int64_t ahead_ms)
{
    int64_t tightened = cache_say_tightened(words, ahead_ms);
    const struct change_line *known = words->known;
    begin(out, "known");
    put_int(out, "wall", now.wall_ms);
    json_key(out, "lines");
    json_open(out, '[');
    json_open(out, '{');
    json_key(out, "number");
    cache_say_number(out, known->number);
    json_key(out, "heard");
    json_put_bool(out, known->heard);
    put_text(out, "word", reputation_name((enum reputation)known->word));
    put_text(out, "proven", reputation_name((enum reputation)known->proven));
    put_text(out, "source", source_name((enum source)known->source));
    put_text(out, "service", service_name((enum service)known->service));
    put_text(out, "service_source", source_name((enum source)known->service_source));
    put_int(out, "changed_at", known->changed_at_ms);
    put_int(out, "flagged_at", cache_say_flagged_at(words, ahead_ms));
    put_int(out, "event_at", known->event_at_ms);
    put_moment(out, "event", shared(words->moments->event, ahead_ms));
    put_moment(out, "tightened", tightened == NEVER_SAID ? now.mono_ms + ahead_ms : tightened);
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
}
