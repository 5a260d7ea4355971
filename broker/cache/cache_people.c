/* cache_people.c — see cache_people.h. */
#include "broker/cache/cache_people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_say.h"
#include "lineward/log.h"

#define WALK_SLOTS   128  /* of the table, in one step of the script */
#define READ_LIMIT   200  /* recipients, in one answer */
#define REPAIR_MS    5000 /* so often what has changed is read */
#define AGAIN_MS     1000 /* after an answer that was none */
#define WALK_TRIES   5    /* of a part on which Redis fails, then of each slot in it; who is in it is skipped then */
#define KIND_SHIFT   16
#define ACCOUNT_MASK 0xFFFFu

_Static_assert(CONF_ACCOUNTS_MAX <= ACCOUNT_MASK, "an account is part of the tag");

enum kind { KIND_TOLD, KIND_KNOWN, KIND_READ };

struct known { /* of one account */
    unsigned telling;      /* facts that Redis has not answered yet */
    bool walks, walking;   /* all that we know is to be told; a part of it is under way ... */
    uint32_t walk_at, walk_next;
    bool walk_ends;        /* ... and it is the last ... */
    bool walks_again;      /* ... of this time */
    unsigned walk_failed;  /* so often, this part; before that slot only one goes at a time: */
    uint32_t walk_narrow;
    bool reading;
    bool passed_over;      /* somebody, in what is read: they are read again */
    int64_t after, epoch;  /* read up to that version, of that beginning */
    int64_t walk_at_ms, read_at_ms;
};

struct cache_people {
    struct cache_people_options options;
    struct known accounts[CONF_ACCOUNTS_MAX];
    struct json_out text;
    bool taking;     /* what Redis said: it is not told back */
    bool said_full, said_unread, said_skipped;
};

struct cache_people *cache_people_new(const struct cache_people_options *options)
{
    struct cache_people *people = calloc(1, sizeof *people);
    if (people != NULL)
        people->options = *options;
    return people;
}

void cache_people_free(struct cache_people **people_p)
{
    struct cache_people *people = *people_p;
    *people_p = NULL;
    if (people == NULL)
        return;
    json_out_free(&people->text);
    free(people);
}

void cache_people_follow(struct cache_people *people, const struct conf *conf)
{
    people->options.conf = conf;
}

static const char *name_of(const struct cache_people *people, uint32_t account)
{
    return people->options.conf->accounts[account].name;
}

void cache_people_up(struct cache_people *people)
{
    for (size_t a = 0; a < CONF_ACCOUNTS_MAX; a++)
        people->accounts[a] = (struct known){.walks = true};
    people->said_full = people->said_unread = people->said_skipped = false;
}

/* Told and read from the beginning; what is under way is answered still. */
static void begin_anew(struct known *at, double epoch)
{
    *at = (struct known){
        .walks = true, .telling = at->telling, .walking = at->walking, .reading = at->reading, .epoch = epoch};
}

void cache_people_moved(struct cache_people *people, uint32_t account)
{
    begin_anew(&people->accounts[account], 0);
}

static bool run(struct cache_people *people, uint32_t account, enum kind kind, struct instant now)
{
    uint64_t tag = people->options.tag | (uint64_t)kind << KIND_SHIFT | account;
    bool sent = !people->text.failed && cache_redis_run(people->options.redis, account, people->text.text,
                                                        people->text.bytes, tag, now);
    json_out_clear(&people->text);
    return sent;
}

/* ---- telling ---- */

static void owe(struct cache_people *people, uint32_t account, const char *handle, struct cache_owed_fact fact,
                struct instant now)
{
    fact.since_mono_ms = now.mono_ms;
    fact.fact.account = account;
    cache_seal_id(&people->options.seal, name_of(people, account), handle, fact.id);
    cache_owed_add(people->options.owed, &fact);
}

static void owe_hidden(struct cache_people *people, uint32_t account, const char *handle, struct instant now)
{
    owe(people, account, handle, (struct cache_owed_fact){.kind = OWED_HIDDEN}, now);
}

static void owe_ended(struct cache_people *people, uint32_t account, const char *handle,
                      const struct change_suppression *change, struct instant now)
{
    const struct cache_owed_fact fact = {
        .kind = OWED_ENDED,
        .wrote_ms = change->lifted_ms,
        .over = {.causes = change->lifted, .cause = (enum suppress)change->cause, .since_ms = change->since_ms}};
    owe(people, account, handle, fact, now);
}

static void put_person(struct cache_people *people, uint32_t account, const char *handle)
{
    char id[CACHE_ID_TEXT], sealed[CACHE_SEALED_TEXT];
    cache_seal_id(&people->options.seal, name_of(people, account), handle, id);
    cache_seal_close(&people->options.seal, handle, sealed);
    json_key(&people->text, "id");
    json_put_string(&people->text, id);
    json_key(&people->text, "sealed");
    json_put_string(&people->text, sealed);
}

static void put_causes(struct cache_people *people, const struct suppression_view *view, unsigned causes)
{
    cache_say_known_since(&people->text, view->since_ms);
    for (enum suppress cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if ((causes & 1u << cause) != 0)
            cache_say_since(&people->text, cause, cause == view->cause ? view->since_ms : 0);
}

/* One that was not told by name yet, for this broker did not know the name. */
static void tell_known(struct cache_people *people, uint32_t account, const char *handle, unsigned causes,
                       uint64_t recipient, struct instant now)
{
    struct suppression_view view;
    if (!core_suppression_view(people->options.core, account, recipient, &view))
        return;
    json_out_clear(&people->text);
    cache_say_people(&people->text, "known", now.wall_ms);
    json_open(&people->text, '{');
    put_person(people, account, handle);
    put_causes(people, &view, causes);
    json_close(&people->text, '}');
    cache_say_people_end(&people->text);
    people->accounts[account].telling += run(people, account, KIND_TOLD, now);
}

static void tell_all(struct known *at)
{
    at->walks_again |= at->walks;
    at->walks = true;
}

static void end_walk(struct known *at)
{
    at->walk_at = at->walk_narrow = 0;
    at->walks = at->walks_again;
    at->walks_again = false;
}

/* What cannot be told now, or was not answered, is told with all the rest. */
static void tell(struct cache_people *people, uint32_t account, const char *handle,
                 const struct change_suppression *change, struct instant now)
{
    enum suppress cause = SUPPRESS_NONE;
    while ((change->added & 1u << cause) == 0)
        cause++;
    json_out_clear(&people->text);
    cache_say_people(&people->text, "told", now.wall_ms);
    json_open(&people->text, '{');
    put_person(people, account, handle);
    cache_say_cause(&people->text, cause, change->added_ms);
    json_close(&people->text, '}');
    cache_say_people_end(&people->text);
    if (run(people, account, KIND_TOLD, now))
        people->accounts[account].telling++;
    else
        tell_all(&people->accounts[account]);
}

void cache_people_changed(struct cache_people *people, const struct change_suppression *change, struct instant now)
{
    uint32_t account = core_account_named(people->options.core, change->account);
    const char *said = change->handle != NULL ? change->handle : change->text != NULL ? change->text->recipient : "";
    char handle[HANDLE_MAX_BYTES + 1]; /* a name that was taken out is none */
    if (people->taking || account >= people->options.conf->account_count || !handle_normalize(said, handle))
        return;
    if (change->hides)
        owe_hidden(people, account, handle, now);
    if (change->lifted != 0)
        owe_ended(people, account, handle, change, now);
    if (change->added != 0)
        tell(people, account, handle, change, now);
}

struct walk {
    struct cache_people *people;
    uint32_t account;
    size_t count;
};

static void put_known(void *self, const struct suppression_view *view)
{
    struct walk *walk = self;
    struct json_out *out = &walk->people->text;
    char handle[HANDLE_MAX_BYTES + 1];
    if (!handle_normalize(view->text.recipient, handle))
        return; /* erased, or of before names were kept: only this store's hash is left of them */
    json_open(out, '{');
    put_person(walk->people, walk->account, handle);
    put_causes(walk->people, view, view->causes);
    json_close(out, '}');
    walk->count++;
}

/* The next part of what we know that has anybody in it. */
static void walk(struct cache_people *people, uint32_t account, struct instant now)
{
    struct known *at = &people->accounts[account];
    struct walk walk = {.people = people, .account = account};
    json_out_clear(&people->text);
    cache_say_people(&people->text, "known", now.wall_ms);
    at->walk_next = at->walk_at;
    uint32_t slots = at->walk_at < at->walk_narrow ? 1 : WALK_SLOTS;
    bool more = core_suppressions_walk(people->options.core, account, &at->walk_next, slots, put_known, &walk);
    at->walk_ends = !more;
    cache_say_people_end(&people->text);
    if (walk.count > 0) {
        at->walking = run(people, account, KIND_KNOWN, now);
        return;
    }
    at->walk_at = at->walk_next;
    if (!more)
        end_walk(at);
}

static void read_more(struct cache_people *people, uint32_t account, struct instant now)
{
    struct known *at = &people->accounts[account];
    json_out_clear(&people->text);
    cache_say_people_after(&people->text, at->after, READ_LIMIT);
    at->read_at_ms = now.mono_ms + REPAIR_MS;
    at->reading = run(people, account, KIND_READ, now);
}

void cache_people_turn(struct cache_people *people, struct instant now)
{
    for (uint32_t a = 0; a < people->options.conf->account_count; a++) {
        struct known *at = &people->accounts[a];
        if (at->walks && !at->walking && now.mono_ms >= at->walk_at_ms)
            walk(people, a, now);
        if (!at->walks && !at->reading && now.mono_ms >= at->read_at_ms)
            read_more(people, a, now);
    }
}

int64_t cache_people_next_mono_ms(const struct cache_people *people)
{
    int64_t next = TIME_NEVER;
    for (uint32_t a = 0; a < people->options.conf->account_count; a++) {
        const struct known *at = &people->accounts[a];
        bool waits = at->walks ? at->walking : at->reading;
        int64_t due = at->walks ? at->walk_at_ms : at->read_at_ms;
        if (!waits && due < next)
            next = due;
    }
    return next;
}

/* ---- taking over ---- */

/* Moments by cause; false: one is none. */
static bool read_causes(const cJSON *object, int64_t out[SUPPRESS_COUNT])
{
    for (enum suppress cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if (json_get(object, suppress_name(cause)) != NULL &&
            (!json_int(object, suppress_name(cause), &out[cause]) || out[cause] <= 0))
            return false;
    return true;
}

/* Of a clock that was wrong: what ended then has ended nothing, and what holds since then does so since now. */
static void mend_moments(struct core_suppression_shared *shared, int64_t wall_ms)
{
    for (enum suppress cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++) {
        if (shared->ended_ms[cause] > wall_ms + CACHE_AHEAD_MS)
            shared->ended_ms[cause] = 0;
        if (shared->since_ms[cause] > wall_ms + CACHE_AHEAD_MS)
            shared->since_ms[cause] = wall_ms;
    }
}

static bool read_person(const cJSON *object, struct core_suppression_shared *out)
{
    int64_t lifted_ms = 0;
    if (!read_causes(object, out->since_ms) || !read_causes(json_get(object, "over"), out->ended_ms))
        return false;
    if (json_get(object, "lifted") != NULL && (!json_int(object, "lifted", &lifted_ms) || lifted_ms < 0))
        return false;
    if (lifted_ms > out->ended_ms[SUPPRESS_OPTED_OUT])
        out->ended_ms[SUPPRESS_OPTED_OUT] = lifted_ms;
    return true;
}

static void note_unread(struct cache_people *people, uint32_t account)
{
    if (!people->said_unread)
        log_event(LOG_ERROR, "cache_person_unread",
                  "account=%s reason=\"what Redis holds of a recipient cannot be opened: is cache.secret_file the same at "
                  "all brokers?\"",
                  name_of(people, account));
    people->said_unread = true;
}

/* Somebody who was erased here, or is being erased, and Redis has not heard of that, or not any more. */
static bool is_nameless(const struct cache_people *people, uint32_t account, uint64_t recipient)
{
    struct suppression_view view;
    return core_suppression_view(people->options.core, account, recipient, &view) && view.text.recipient[0] == '\0';
}

static void take(struct cache_people *people, uint32_t account, const cJSON *object, struct instant now,
                 struct effects *out)
{
    const struct cache_people_options *options = &people->options;
    const char *id = json_string(object, "id"), *sealed = json_string(object, "sealed");
    char handle[HANDLE_MAX_BYTES + 1];
    uint64_t homes[CONF_POOLS_MAX];
    struct core_suppression_shared shared = {.account = account, .conversations = homes};
    if (sealed == NULL)
        return; /* one that has ended, and that nobody who is there knew by name */
    if (id == NULL || !read_person(object, &shared) ||
        !cache_seal_open(&options->seal, name_of(people, account), id, sealed, handle)) {
        note_unread(people, account);
        return;
    }
    mend_moments(&shared, now.wall_ms);
    struct known *at = &people->accounts[account];
    if (cache_owed_ends(options->owed, id)) {
        at->passed_over = true; /* until Redis knows that; what was said since may hold all the same */
        return;
    }
    struct cache_person keys;
    shared.conversation_count = options->keys(options->keys_self, account, handle, &keys, homes);
    shared.recipient = keys.recipient;
    bool hidden = json_bool(object, "hidden", false);
    shared.handle = hidden || core_erases(options->core, keys.person) ? NULL : handle;
    shared.only_more = at->walks || at->telling > 0;
    unsigned untold;
    if (!core_suppression_shared(options->core, &shared, &untold, now, out) && !people->said_full) {
        log_event(LOG_ERROR, "cache_people_full", "account=%s reason=\"this broker can know no more recipients\"",
                  name_of(people, account));
        people->said_full = true;
    }
    people->taking = true;
    options->persist(options->persist_self, now, out);
    people->taking = false;
    if (untold != 0)
        tell_known(people, account, handle, untold, shared.recipient, now);
    if (!hidden && is_nameless(people, account, shared.recipient))
        owe_hidden(people, account, handle, now);
}

static void take_all(struct cache_people *people, uint32_t account, const cJSON *list, struct instant now,
                     struct effects *out)
{
    const cJSON *object;
    cJSON_ArrayForEach(object, list)
    {
        take(people, account, object, now, out);
    }
}

void cache_people_heard(struct cache_people *people, uint32_t account, const cJSON *news, struct instant now,
                        struct effects *out)
{
    if (out == NULL || account >= people->options.conf->account_count)
        return;
    take_all(people, account, json_get(news, "people"), now, out);
    if (json_bool(news, "people_full", false) && !people->said_full) {
        log_event(LOG_ERROR, "cache_people_full", "account=%s reason=\"Redis holds as many recipients as it may\"",
                  name_of(people, account));
        people->said_full = true;
    }
}

/* A whole number; 0: it is none. */
static int64_t number_in(const cJSON *object, const char *name)
{
    int64_t number;
    return json_int(object, name, &number) && number > 0 ? number : 0;
}

static void take_read(struct cache_people *people, uint32_t account, const cJSON *answer, struct instant now,
                      struct effects *out)
{
    struct known *at = &people->accounts[account];
    int64_t epoch = number_in(answer, "epoch");
    at->reading = false;
    if (answer == NULL) {
        at->read_at_ms = now.mono_ms + AGAIN_MS;
        return;
    }
    if (at->epoch != 0 && at->epoch != epoch) { /* all that was there is lost */
        begin_anew(at, epoch);
        return;
    }
    at->epoch = epoch;
    at->passed_over = false;
    take_all(people, account, json_get(answer, "read"), now, out);
    if (at->telling > 0 || at->walks || at->passed_over)
        return; /* what is not told yet was not taken back: the same again, later */
    at->after = number_in(answer, "upto");
    if (json_bool(answer, "more", false))
        at->read_at_ms = now.mono_ms;
}

static void end_part(struct known *at)
{
    at->walk_at = at->walk_next;
    at->walk_failed = 0;
    if (at->walk_ends)
        end_walk(at);
}

/* Again, then one by one, then without whom the script fails on: the others are not to wait for them for ever. */
static void fail_part(struct cache_people *people, uint32_t account)
{
    struct known *at = &people->accounts[account];
    if (++at->walk_failed < WALK_TRIES)
        return;
    at->walk_failed = 0;
    if (at->walk_at >= at->walk_narrow) {
        at->walk_narrow = at->walk_next;
        return;
    }
    if (!people->said_skipped)
        log_event(LOG_ERROR, "cache_person_skipped",
                  "account=%s reason=\"Redis failed on a recipient %d times: the others are told\"",
                  name_of(people, account), WALK_TRIES);
    people->said_skipped = true;
    end_part(at);
}

static void take_walked(struct cache_people *people, uint32_t account, bool answered, struct instant now)
{
    struct known *at = &people->accounts[account];
    at->walking = false;
    at->walk_at_ms = answered ? 0 : now.mono_ms + AGAIN_MS;
    if (answered)
        end_part(at);
    else
        fail_part(people, account);
}

void cache_people_answered(struct cache_people *people, uint64_t tag, const cJSON *answer, struct instant now,
                           struct effects *out)
{
    uint32_t account = (uint32_t)tag & ACCOUNT_MASK;
    enum kind kind = (enum kind)(tag >> KIND_SHIFT & ACCOUNT_MASK);
    struct known *at = &people->accounts[account];
    if (out == NULL || account >= people->options.conf->account_count)
        return;
    if (kind == KIND_READ) {
        take_read(people, account, answer, now, out);
        return;
    }
    if (kind == KIND_TOLD) {
        at->telling -= at->telling > 0;
        if (answer == NULL)
            tell_all(at);
    } else {
        take_walked(people, account, answer != NULL, now);
    }
    cache_people_heard(people, account, answer, now, out);
}
