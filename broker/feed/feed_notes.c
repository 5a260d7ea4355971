/* feed_notes.c — see feed_notes.h. */
#include "broker/feed/feed_notes.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_GAP_MS 1000

struct feed_notes {
    const struct conf *conf;
    feed_emit *emit;
    void *context;
    bool pending;
    int64_t next_mono_ms;                /* not before this */
    uint64_t (*counts)[FEED_NOTE_COUNT]; /* one row an account */
};

struct feed_notes *feed_notes_new(const struct conf *conf, feed_emit *emit, void *context)
{
    struct feed_notes *notes = calloc(1, sizeof *notes);
    if (notes == NULL)
        return NULL;
    notes->conf = conf;
    notes->emit = emit;
    notes->context = context;
    notes->counts = calloc(conf->account_count + 1, sizeof *notes->counts);
    if (notes->counts == NULL)
        feed_notes_free(&notes);
    return notes;
}

enum err feed_notes_follow(struct feed_notes *notes, const struct conf *conf)
{
    size_t before = notes->conf->account_count;
    void *counts = realloc(notes->counts, (conf->account_count + 1) * sizeof *notes->counts);
    if (counts == NULL)
        return ERR_NO_MEMORY;
    notes->counts = counts;
    for (size_t a = before; a < conf->account_count; a++)
        memset(notes->counts[a], 0, sizeof notes->counts[a]);
    notes->conf = conf;
    return ERR_NONE;
}

void feed_notes_free(struct feed_notes **notes_p)
{
    if (*notes_p != NULL)
        free((*notes_p)->counts);
    free(*notes_p);
    *notes_p = NULL;
}

void feed_notes_add(struct feed_notes *notes, size_t account, enum feed_note note, uint64_t count)
{
    notes->counts[account][note] += count;
    notes->pending = notes->pending || count > 0;
}

/* False: the broker takes no more for now. */
static bool tell(struct feed_notes *notes, size_t account, enum feed_note note)
{
    uint64_t *count = &notes->counts[account][note];
    if (*count == 0)
        return true;
    struct feed_message message = {.kind = FEED_NOTE, .note = note, .count = *count};
    memcpy(message.account, notes->conf->accounts[account].name, sizeof message.account);
    if (!notes->emit(notes->context, &message))
        return false;
    *count = 0;
    return true;
}

void feed_notes_step(struct feed_notes *notes, struct instant now)
{
    if (now.mono_ms < feed_notes_due(notes))
        return;
    bool told = true;
    for (size_t account = 0; told && account < notes->conf->account_count; account++) {
        for (int note = 0; told && note < FEED_NOTE_COUNT; note++)
            told = tell(notes, account, (enum feed_note)note);
    }
    notes->pending = !told;
    notes->next_mono_ms = now.mono_ms + NOTES_GAP_MS;
}

int64_t feed_notes_due(const struct feed_notes *notes)
{
    return notes->pending ? notes->next_mono_ms : TIME_NEVER;
}
