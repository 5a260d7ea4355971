/* core_erase_rig.h — a recipient with a conversation of their own and one with others, and the order that erases them; what
 * lies on the disk is the shell's (erase_test.c): here the test plays it. Included once per test program. */
#ifndef TESTS_UNIT_CORE_ERASE_RIG_H
#define TESTS_UNIT_CORE_ERASE_RIG_H

#include "tests/unit/core_suite.h"

#define PERSON    900
#define RECIPIENT 7000
#define HANDLE    "+14155550107"
#define HOME      1 /* their conversation */
#define GROUP     2 /* one with others */
#define OTHER     3
#define HOUR_MS   INT64_C(3600000)

/* The order's number; 0: it was refused. */
static inline uint64_t ordered(const struct core_erase *ask)
{
    rig_forget(rig);
    core_erase(rig->core, ask, rig->now, &rig->out);
    rig_keep(rig);
    const struct effect *answer = rig_told(rig, EFFECT_ANSWER, 0);
    ck_assert_ptr_nonnull(answer);
    return answer->code == CODE_NONE ? answer->number : 0;
}

static inline uint64_t order(bool dry_run)
{
    static const uint64_t homes[] = {HOME, 99};
    static const uint64_t recipients[] = {RECIPIENT};
    const struct core_erase ask = {.token = 5,
                                   .person = PERSON,
                                   .recipients = recipients,
                                   .recipient_count = 1,
                                   .keys = homes,
                                   .key_count = 2,
                                   .dry_run = dry_run,
                                   .by = "ann"};
    return ordered(&ask);
}

static inline struct erasure_view view_of(uint64_t id)
{
    struct erasure_view view = {.state = ERASURE_STATE_COUNT};
    ck_assert(core_erasure_view(rig->core, id, &view));
    return view;
}

/* The store was gone through: these are theirs. */
static inline void found(uint64_t id, const uint64_t *keys, size_t count, bool more)
{
    const struct erasure_found news = {.id = id, .keys = keys, .key_count = count, .more = more, .records = 12};
    core_erasure_found(rig->core, &news, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 50);
}

static inline void found_both(uint64_t id)
{
    static const uint64_t keys[] = {GROUP, HOME};
    found(id, keys, 2, false);
}

static inline void rewritten(uint64_t id)
{
    core_erasure_rewritten(rig->core, id, 7, false, rig->now, &rig->out);
    rig_keep(rig);
}

static inline bool is_known(uint64_t conversation)
{
    struct conversation_view view;
    return core_conversation_view(rig->core, conversation, &view);
}

static inline void clean_all(void)
{
    size_t count = rig->record_count;
    for (size_t i = 0; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
}

#endif
