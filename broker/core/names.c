/* names.c — see names.h. */
#include "broker/core/names.h"

#include <string.h>

#include "broker/core/quiet.h"

static uint64_t hash_of(const void *slots, uint32_t slot)
{
    const struct name *name = &((const struct name *)slots)[slot];
    uint64_t hash = 0xCBF29CE484222325u ^ name->kind; /* FNV-1a */
    for (const char *c = name->text; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001B3u;
    return hash;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct name *)slots)[slot].next;
}

void index_names(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_name, heads, heads_max, core->names, hash_of, next_of);
}

void name_set(struct core *core, uint32_t number, uint8_t kind, const char *text)
{
    struct name *name = &core->names[number];
    if (name->kind != 0)
        return; /* a name never changes its number */
    name->kind = kind;
    strncpy(name->text, text, sizeof name->text - 1);
    index_insert(&core->by_name, number);
    if (number >= core->name_count)
        core->name_count = number + 1;
}

uint16_t name_find(const struct core *core, enum name_kind kind, const char *text)
{
    struct name asked = {.kind = (uint8_t)kind};
    strncpy(asked.text, text, sizeof asked.text - 1);
    uint64_t hash = hash_of(&asked, 0);
    for (uint32_t n = index_find(&core->by_name, hash); n != 0; n = index_find_next(&core->by_name, hash, n))
        if (core->names[n].kind == kind && strcmp(core->names[n].text, text) == 0)
            return (uint16_t)n;
    return 0;
}

/* A name is kept for good, and only producers give so many that the table fills up: campaigns leave an eighth to what
 * the configuration names. */
static uint32_t end_of_room(const struct core *core, enum name_kind kind)
{
    return core->limits.names_max - (kind == NAME_CAMPAIGN ? core->limits.names_max / 8 : 0);
}

uint16_t name_number(struct core *core, enum name_kind kind, const char *text, struct effects *out)
{
    uint16_t known = name_find(core, kind, text);
    if (known != 0)
        return known;
    if (core->name_count >= end_of_room(core, kind))
        return 0;
    uint16_t number = (uint16_t)core->name_count;
    name_set(core, number, (uint8_t)kind, text);
    name_record(core, number, (struct instant){0}, out);
    return number;
}

bool names_fit(const struct core *core, const struct conf *conf)
{
    uint32_t count = core->name_count;
    for (size_t p = 0; p < conf->pool_count; p++)
        count += name_find(core, NAME_POOL, conf->pools[p].name) == 0;
    for (size_t a = 0; a < conf->account_count; a++)
        count += name_find(core, NAME_ACCOUNT, conf->accounts[a].name) == 0;
    for (size_t i = 0; i < conf->policy_count; i++) { /* a zone of two policies counts twice: full a little early */
        const char *zone = quiet_policy_zone(&conf->policies[i]);
        count += zone != NULL && name_find(core, NAME_ZONE, zone) == 0;
    }
    return count <= core->limits.names_max;
}

bool core_names_fit(const struct core *core)
{
    return names_fit(core, core->conf);
}

void name_record(struct core *core, uint16_t number, struct instant now, struct effects *out)
{
    if (number == 0 || number >= core->name_count)
        return;
    struct change_name *value = &core->name_changes[core->name_change_next++ % NAME_CHANGES];
    value->number = number;
    value->kind = core->names[number].kind;
    memcpy(value->text, core->names[number].text, sizeof value->text);
    struct change *change = change_add(out, CHANGE_NAME);
    change->name = value;
    change->event.at_ms = now.wall_ms;
}

static uint64_t numbers(const struct core *core)
{
    return core->next_job + core->next_lease + core->next_seq + core->next_pause + core->next_audit;
}

void start_record(struct core *core, const struct start *start, struct instant now, struct effects *out)
{
    struct change_start *value = &core->start_changes[core->start_change_next++ % START_CHANGES];
    *value = (struct change_start){.start = start->start,
                                   .first_job = start->first_job,
                                   .next_job = core->next_job,
                                   .next_lease = core->next_lease,
                                   .next_seq = core->next_seq,
                                   .next_pause = core->next_pause,
                                   .next_audit = core->next_audit,
                                   .at_ms = now.wall_ms};
    memcpy(value->random, start->random, sizeof value->random);
    memcpy(value->prev_seq, core->prev_seq, sizeof value->prev_seq);
    struct change *change = change_add(out, CHANGE_START);
    change->start = value;
    change->event.at_ms = now.wall_ms;
    core->numbers_recorded = numbers(core);
}

/* The numbers reached so far, said anew now and then: what else knows them is history, which is dropped in time, and no
 * number may be used twice. */
void start_refresh(struct core *core, struct instant now, struct effects *out)
{
    if (numbers(core) != core->numbers_recorded)
        start_record(core, &core->starts[core->start_count - 1], now, out);
}

uint16_t core_campaign_find(const struct core *core, const char *name)
{
    return name_find(core, NAME_CAMPAIGN, name);
}

uint16_t core_campaign(struct core *core, const char *name, struct effects *out)
{
    return name_number(core, NAME_CAMPAIGN, name, out);
}

uint16_t core_campaign_foreseen(const struct core *core, const char *name)
{
    uint16_t known = core_campaign_find(core, name);
    return known == 0 && core->name_count < end_of_room(core, NAME_CAMPAIGN) ? (uint16_t)core->name_count : known;
}

const char *core_name(const struct core *core, enum name_kind kind, uint16_t number)
{
    if (number == 0 || number >= core->name_count || core->names[number].kind != kind)
        return NULL;
    return core->names[number].text;
}

uint32_t core_pool_of_name(const struct core *core, uint16_t number)
{
    for (uint32_t p = 0; p < core->conf->pool_count; p++)
        if (core->pools[p].name == number)
            return p;
    return UINT32_MAX;
}

static const struct start *start_of(const struct core *core, uint64_t number)
{
    uint64_t sequence = number >> JOB_SLOT_BITS;
    const struct start *found = NULL;
    for (uint32_t i = core->start_count; i-- > 0 && found == NULL;)
        if (core->starts[i].first_job <= sequence)
            found = &core->starts[i];
    return found;
}

bool core_key_is_ours(const struct core *core, uint64_t number, const uint8_t random[KEY_RANDOM_BYTES])
{
    const struct start *start = start_of(core, number);
    return start != NULL && memcmp(start->random, random, KEY_RANDOM_BYTES) == 0;
}

void core_key_random(const struct core *core, uint64_t number, uint8_t out[KEY_RANDOM_BYTES])
{
    const struct start *start = start_of(core, number);
    assert(start != NULL);
    memcpy(out, start->random, KEY_RANDOM_BYTES);
}
