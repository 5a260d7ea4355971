/* beats.c — see beats.h. */
#include "beats.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void beats_restart(struct beats *beats, int64_t asked_mono_ms, int64_t now_mono_ms)
{
    beats->proof_mono_ms = asked_mono_ms;
    beats->next_mono_ms = now_mono_ms;
}

void beats_number(const struct beats *beats, char out[BEAT_TEXT_MAX])
{
    snprintf(out, BEAT_TEXT_MAX, "%llu", (unsigned long long)beats->number);
}

void beats_sent(struct beats *beats, bool sent, int64_t now_mono_ms)
{
    if (sent) {
        beats->sent_mono_ms[beats->number % BEATS_KEPT] = now_mono_ms;
        beats->number++;
    }
    beats->next_mono_ms = now_mono_ms + beats->heartbeat_ms;
}

void beats_echoed(struct beats *beats, const char *number)
{
    char *end = NULL;
    if (!isdigit((unsigned char)number[0]))
        return;
    errno = 0;
    unsigned long long value = strtoull(number, &end, 10);
    if (errno != 0 || *end != '\0' || value == 0 || value >= beats->number || beats->number - value > BEATS_KEPT)
        return;
    if (beats->sent_mono_ms[value % BEATS_KEPT] > beats->proof_mono_ms)
        beats->proof_mono_ms = beats->sent_mono_ms[value % BEATS_KEPT];
}

void beats_doubt(struct beats *beats, int64_t now_mono_ms)
{
    beats->doubted_mono_ms = now_mono_ms;
    beats->next_mono_ms = now_mono_ms;
}

bool beats_are_fresh(const struct beats *beats, int64_t now_mono_ms)
{
    return beats->proof_mono_ms >= beats->doubted_mono_ms &&
           now_mono_ms - beats->proof_mono_ms < BEATS_FRESH * beats->heartbeat_ms;
}
