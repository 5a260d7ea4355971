/* core_move_rig.h — conversations that live on a line, and are to leave it. Included once per test program. */
#ifndef TESTS_UNIT_CORE_MOVE_RIG_H
#define TESTS_UNIT_CORE_MOVE_RIG_H

#include "tests/unit/core_suite.h"

#define FREE_CONF  POLICY_CONF("cadence_ms: [], pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 3")
#define MOVES_CONF_OF(budget)                                                                                        \
    POLICY_CONF("pace_per_min: 0, " budget ", on_flagged: move, on_gone: move, flag_probe_ms: 60000")
#define MOVES_CONF MOVES_CONF_OF("new_conversations_per_day: 0")
#define SHORT_RAMP_CONF                                                                                              \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, ramp_percent: [100], ramp_step_ms: 10")

static inline uint64_t line_of(const struct effect *job)
{
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, job->lease, &view));
    return view.line;
}

static inline enum code move(uint64_t conversation, uint32_t line)
{
    core_move(rig->core, 90, conversation, RIG_LINE + line, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

static inline enum code drain(uint32_t line, enum drain mode, int64_t pace)
{
    const struct core_drain ask = {
        .token = 91, .line = RIG_LINE + line, .mode = mode, .pace_per_min = pace, .by = "ops"};
    core_drain(rig->core, &ask, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

/* A conversation that lives on line 0, with a chat there. */
static inline void live_on_0(uint64_t conversation)
{
    send_known(0, conversation, CLASS_REPLY);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    rig_forget(rig);
}

static inline void cordon_all_but(uint32_t line, bool on)
{
    for (uint32_t other = 0; other < 3; other++) {
        if (other == line)
            continue;
        core_cordon(rig->core, 0, RIG_LINE + other, on, rig->now, &rig->out);
        rig_keep(rig);
    }
}

/* A job of a conversation that is placed there by itself; none names the line. */
static inline struct effect leased_on(uint32_t line, uint64_t conversation)
{
    cordon_all_but(line, true);
    rig_send(rig, conversation, CLASS_REPLY);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + line);
    cordon_all_but(line, false);
    return job;
}

/* The same, and it was sent. */
static inline void placed_on_0(uint64_t conversation)
{
    struct effect job = leased_on(0, conversation);
    rig_sent(rig, &job);
    rig_forget(rig);
}

static inline void begin(const char *conf)
{
    begin_with(conf, 3);
    rig_worker(rig, 1, 8);
}

static inline void come_back(void)
{
    rig_restart(rig, 1000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
}

static inline bool has_chat_record(uint64_t conversation)
{
    struct record_storage storage;
    struct change change;
    return rig_last(rig, CHANGE_CONVERSATION, conversation, &storage, &change) &&
           change.conversation.chat_hash != 0 && !change.conversation.forgotten_chat;
}

/* A conversation that has left line 0, where its chat was, and has something to send. */
static inline void left_line_0(uint64_t conversation)
{
    placed_on_0(conversation);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert(has_chat_record(conversation));
}

#endif
