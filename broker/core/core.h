/* core.h — everything Lineward decides: jobs, conversations, lines, pools, leases. PURE and deterministic: no I/O,
 * no clock, no allocation after core_new(), no randomness but the seed given, no log.
 *
 * Time and facts come in with each call; out go *effects*: changes to be remembered and messages to be sent once
 * those changes are durable. One thread owns a core. The same core runs in the broker, in the tests and in
 * simulation.
 *
 * This is its life and its time; what it is told and asked is in the headers that this one brings along: core_told.h,
 * core_operate.h, core_erase.h, core_triage.h (calls), core_views.h, core_forecast.h (questions), core_effects.h (answers),
 * core_restore.h (the store).
 *
 * Memory: all tables are taken from `core_memory` in core_new(), as address space that is only touched when used. */
#ifndef LINEWARD_CORE_H
#define LINEWARD_CORE_H

#include "broker/core/change.h"
#include "broker/core/core_effects.h"
#include "broker/core/core_erase.h"
#include "broker/core/core_forecast.h"
#include "broker/core/core_operate.h"
#include "broker/core/core_restore.h"
#include "broker/core/core_told.h"
#include "broker/core/core_triage.h"
#include "broker/core/core_views.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/words.h"

struct core;

struct core_limits {
    uint32_t jobs_max, conversations_max, lines_max, leases_max, workers_max, pauses_max, names_max;
    uint64_t remembered_max; /* producer ids and webhook event ids */
};

struct core_memory {
    void *(*take)(void *self, size_t bytes); /* zeroed, 16-byte aligned, kept for the core's life; NULL: no more */
    void *self;
};

/* The core copies what it needs of `conf` (pools, policies, accounts, broker.jobs_max ...). */
enum err core_new(struct core **out, const struct core_limits *limits, const struct core_memory *memory,
                  const struct conf *conf, uint64_t seed);

/* Takes another configuration, in which every pool and account that was there has its index still (conf_follow()); lent
 * like the one before. A pool gone keeps its jobs, held. Changes nothing and answers ERR_FULL: so many pools more need a
 * restart; ERR_BUSY: a pool is new of which an earlier start left jobs behind: only a restart finds them;
 * ERR_NO_MEMORY: the table of names, which are kept for good, has no room for the new ones. */
enum err core_reconfigure(struct core *core, const struct conf *conf, struct instant now, struct effects *out);

/* A number for a campaign's name; makes a CHANGE_NAME the first time. 0: the rest is for the configuration's. */
uint16_t core_campaign(struct core *core, const char *name, struct effects *out);
uint16_t core_campaign_find(const struct core *core, const char *name); /* 0: nobody ever named it */
/* Its number, or the one that it would get; 0: the rest is for the configuration's. */
uint16_t core_campaign_foreseen(const struct core *core, const char *name);

#define ZONE_CHANGES_MAX 16
#define ZONE_PARTS_MAX   2
struct zone_rules { /* what its clocks show: seconds ahead of UTC, from each moment on; the first one from ever */
    unsigned count;
    int64_t from_ms[ZONE_CHANGES_MAX];
    int32_t offset_s[ZONE_CHANGES_MAX];
};
/* A number for where recipients are, for core_enqueue: an IANA zone, or two with a comma (quiet.h). 0: no more room. */
uint16_t core_zone(struct core *core, const char *name, struct effects *out);
uint16_t core_zone_find(const struct core *core, const char *name); /* 0: nobody is there */
bool core_zone_is_known(const struct core *core, const char *name);
/* The number of the zone in use that has all of the nights of these clocks and the fewest besides, over the year to come
 * (looked at week by week); 0: none has them all. *excess_s: how much longer its nights are. */
uint16_t core_zone_like(const struct core *core, const struct zone_rules *rules, size_t parts, struct instant now,
                        int32_t *excess_s);
/* The zones in use, from 1 on; NULL: no more. Until its rules are told a zone knows no night. */
const char *core_zone_at(const struct core *core, unsigned at);
/* One set of rules for each name of the zone; they must reach as far as anybody waits. */
void core_zone_rules(struct core *core, unsigned at, const struct zone_rules *rules, size_t parts, struct instant now);

/* The broker ends: no lease is granted any more, and what was not begun is revoked. */
void core_end(struct core *core, struct instant now, struct effects *out);
/* Leases that workers which are there still hold. */
uint32_t core_in_flight(const struct core *core);

/* Everything that is due, and as many leases as workers and lines allow; bounded by the room in `out`. */
void core_tick(struct core *core, struct instant now, struct effects *out);
/* When core_tick() has to be called at the latest; TIME_NEVER: only after the next event. */
int64_t core_next_mono_ms(const struct core *core, struct instant now);

#endif
