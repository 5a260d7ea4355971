/* webhook_faults.c — see its header. */
#include "tools/sandbox/webhook_faults.h"

#include <string.h>

#include "tools/sandbox/event_types.h"
#include "tools/sandbox/members.h"
#include "tools/sandbox/random.h"

#define MS_MAX   86400000
#define NEXT_MAX 1000000

void webhook_faults_init(struct webhook_faults *faults, uint64_t seed)
{
    *faults = (struct webhook_faults){.late_ms = 5000, .shuffle_ms = 1000, .random = seed};
}

/* ---- drawing ---- */

static bool counts_down(int64_t *next)
{
    if (*next == 0)
        return false;
    --*next;
    return true;
}

/* No draw without a share, so that setting one does not disturb the others' course. */
static bool chance(struct webhook_faults *faults, double share)
{
    return share > 0 && random_unit(&faults->random) < share;
}

struct webhook_fate webhook_faults_draw(struct webhook_faults *faults, const char *type)
{
    struct webhook_fate fate = {.copies = 1};
    if (faults->event[0] != '\0' && strcmp(faults->event, type) != 0)
        return fate;
    if (counts_down(&faults->lose_next) || chance(faults, faults->lost)) {
        fate.copies = 0;
        return fate;
    }
    if (counts_down(&faults->repeat_next) || chance(faults, faults->twice))
        fate.copies = 2;
    if (counts_down(&faults->delay_next) || chance(faults, faults->late))
        fate.delay_ms = faults->late_ms;
    if (chance(faults, faults->shuffled))
        fate.delay_ms += (int64_t)(random_unit(&faults->random) * (double)(faults->shuffle_ms + 1));
    fate.reverses = counts_down(&faults->reverse_next);
    fate.is_last_reversed = fate.reverses && faults->reverse_next == 0;
    return fate;
}

/* ---- setting ---- */

struct number {
    const char *name;
    int64_t *field, max;
};
enum { SHARES = 4, NUMBERS = 7 };

static void numbers_of(struct webhook_faults *faults, struct number out[NUMBERS])
{
    const struct number numbers[NUMBERS] = {{"twice_ms", &faults->twice_ms, MS_MAX},
                                            {"late_ms", &faults->late_ms, MS_MAX},
                                            {"shuffle_ms", &faults->shuffle_ms, MS_MAX},
                                            {"lose_next", &faults->lose_next, NEXT_MAX},
                                            {"repeat_next", &faults->repeat_next, NEXT_MAX},
                                            {"delay_next", &faults->delay_next, NEXT_MAX},
                                            {"reverse_next", &faults->reverse_next, WEBHOOK_REVERSE_MAX}};
    memcpy(out, numbers, sizeof numbers);
}

struct share {
    const char *name;
    double *field;
};

static void shares_of(struct webhook_faults *faults, struct share out[SHARES])
{
    const struct share shares[SHARES] = {
        {"lost", &faults->lost}, {"twice", &faults->twice}, {"late", &faults->late}, {"shuffled", &faults->shuffled}};
    memcpy(out, shares, sizeof shares);
}

static const char *fields_set(struct webhook_faults *faults, const cJSON *changes)
{
    struct number numbers[NUMBERS];
    struct share shares[SHARES];
    numbers_of(faults, numbers);
    shares_of(faults, shares);
    for (int i = 0; i < NUMBERS; i++) {
        if (!member_number(changes, numbers[i].name, 0, numbers[i].max, numbers[i].field))
            return numbers[i].name;
    }
    for (int i = 0; i < SHARES; i++) {
        if (!member_share(changes, shares[i].name, shares[i].field))
            return shares[i].name;
    }
    return NULL;
}

const char *webhook_faults_set(struct webhook_faults *faults, const cJSON *changes)
{
    static const char *const names[] = {"event",      "lost",         "twice",      "late",      "shuffled",
                                        "twice_ms",   "late_ms",      "shuffle_ms", "lose_next", "repeat_next",
                                        "delay_next", "reverse_next", NULL};
    struct webhook_faults changed = *faults;
    const char *wrong = members_stranger(changes, names);
    if (wrong != NULL)
        return wrong;
    if (!member_text(changes, "event", changed.event, sizeof changed.event) ||
        (changed.event[0] != '\0' && event_type_bit(changed.event) == 0))
        return "event";
    wrong = fields_set(&changed, changes);
    if (wrong == NULL)
        *faults = changed;
    return wrong;
}

void webhook_faults_view(const struct webhook_faults *faults, struct json_out *out)
{
    struct webhook_faults copy = *faults;
    struct number numbers[NUMBERS];
    struct share shares[SHARES];
    numbers_of(&copy, numbers);
    shares_of(&copy, shares);
    json_open(out, '{');
    json_key(out, "event");
    json_put_string(out, faults->event[0] == '\0' ? NULL : faults->event);
    for (int i = 0; i < SHARES; i++) {
        json_key(out, shares[i].name);
        json_put_number(out, *shares[i].field);
    }
    for (int i = 0; i < NUMBERS; i++) {
        json_key(out, numbers[i].name);
        json_put_int(out, *numbers[i].field);
    }
    json_close(out, '}');
}
