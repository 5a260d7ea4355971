/* core_play.c — see core_play.h. */
#include "tests/support/core_play.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct play *play_new(const struct rig_options *options)
{
    struct play *play = calloc(1, sizeof *play);
    assert(play != NULL);
    play->rig = rig_new(options);
    rig_worker(play->rig, 1, 1024);
    return play;
}

/* These limits would hide what most tests look at: without, unless the policy speaks of them. */
static const char *const unlimited[] = {"distinct_recipients_per_hour", "pair_per_min", "daily_growth_factor"};

struct play *play_policy(const char *policy)
{
    char conf[1024];
    int used = snprintf(conf, sizeof conf,
                        "accounts:\n  default: {api_key_file: key, stale_after_ms: 604800000, "
                        "blind_after_ms: 604800000}\n"
                        "policies:\n  default: {cadence_ms: [], %s", /* that nobody answers is no matter here */
                        policy);
    for (size_t i = 0; i < sizeof unlimited / sizeof *unlimited; i++)
        if (strstr(policy, unlimited[i]) == NULL)
            used += snprintf(conf + used, sizeof conf - (size_t)used, ", %s: 0", unlimited[i]);
    snprintf(conf + used, sizeof conf - (size_t)used, "}\n");
    struct rig_options options = {.conf = conf, .seed = 20261123};
    struct play *play = play_new(&options);
    play->rig->options.conf = NULL; /* was ours; read already */
    return play;
}

void play_free(struct play **play_p)
{
    if (*play_p != NULL)
        rig_free(&(*play_p)->rig);
    free(*play_p);
    *play_p = NULL;
}

uint32_t play_line_of(struct rig *rig, const struct effect *job)
{
    struct lease_view view;
    bool found = core_lease_view(rig->core, job->lease, &view);
    assert(found);
    (void)found;
    return (uint32_t)(view.line - RIG_LINE);
}

static void answer_all(struct play *play)
{
    struct rig *rig = play->rig;
    for (size_t i = 0; i < rig->told_count; i++) {
        const struct effect job = rig->told[i];
        if (job.kind != EFFECT_JOB)
            continue;
        if (play->fail_each > 0 && ++play->tried % play->fail_each == 0) {
            struct core_result failed = rig_result(&job, OUTCOME_RETRY);
            failed.http_status = 429;
            rig_answer(rig, &failed);
            continue;
        }
        assert(play->count < PLAY_SENDS_MAX);
        play->sends[play->count++] = (struct play_send){.mono_ms = rig->now.mono_ms,
                                                        .wall_ms = rig->now.wall_ms,
                                                        .number = job.number,
                                                        .line = play_line_of(rig, &job)};
        rig_sent(rig, &job);
    }
    rig_forget(rig);
}

void play_for(struct play *play, int64_t ms)
{
    struct rig *rig = play->rig;
    int64_t end = rig->now.mono_ms + ms;
    rig_tick(rig);
    for (;;) {
        while (rig_told(rig, EFFECT_JOB, 0) != NULL) {
            answer_all(play);
            rig_tick(rig);
        }
        int64_t now = rig->now.mono_ms;
        if (now == end)
            return;
        int64_t next = core_next_mono_ms(rig->core, rig->now);
        next = next <= now ? now + 1 : next;
        rig_pass(rig, (next < end ? next : end) - now);
    }
}

size_t play_count(const struct play *play, uint32_t line, int64_t from_ms, int64_t to_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < play->count; i++)
        count += play->sends[i].line == line && play->sends[i].mono_ms >= from_ms && play->sends[i].mono_ms < to_ms;
    return count;
}

size_t play_most(const struct play *play, uint32_t line, int64_t from_ms, int64_t to_ms, int64_t window_ms)
{
    size_t most = 0;
    size_t first = 0; /* of the window that ends with send i */
    size_t here = 0;
    for (size_t i = 0; i < play->count; i++) {
        int64_t at = play->sends[i].mono_ms;
        if (play->sends[i].line != line || at < from_ms || at >= to_ms)
            continue;
        here++;
        for (; play->sends[first].mono_ms <= at - window_ms; first++)
            here -= play->sends[first].line == line && play->sends[first].mono_ms >= from_ms;
        most = here > most ? here : most;
    }
    return most;
}
