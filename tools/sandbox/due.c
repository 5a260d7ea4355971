/* due.c — a binary heap in an array. */
#include "tools/sandbox/due.h"

#include <stdlib.h>

static bool entry_before(const struct sandbox_due_entry *a, const struct sandbox_due_entry *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void entry_swap(struct sandbox_due_entry *a, struct sandbox_due_entry *b)
{
    struct sandbox_due_entry kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(struct sandbox_due *due)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= due->count)
            return;
        if (child + 1 < due->count && entry_before(&due->entries[child + 1], &due->entries[child]))
            child++;
        if (!entry_before(&due->entries[child], &due->entries[at]))
            return;
        entry_swap(&due->entries[child], &due->entries[at]);
        at = child;
    }
}

bool sandbox_due_push(struct sandbox_due *due, int64_t due_ms, void *item)
{
    if (due->count == due->room) {
        size_t room = due->room == 0 ? 64 : due->room * 2;
        struct sandbox_due_entry *entries = realloc(due->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        due->entries = entries;
        due->room = room;
    }
    size_t at = due->count++;
    due->entries[at] = (struct sandbox_due_entry){due_ms, due->order++, item};
    while (at > 0 && entry_before(&due->entries[at], &due->entries[(at - 1) / 2])) {
        entry_swap(&due->entries[at], &due->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return true;
}

void *sandbox_due_pop(struct sandbox_due *due, int64_t now_ms)
{
    if (sandbox_due_next_ms(due) > now_ms || due->count == 0)
        return NULL;
    void *item = due->entries[0].item;
    due->entries[0] = due->entries[--due->count];
    sift_down(due);
    return item;
}

int64_t sandbox_due_next_ms(const struct sandbox_due *due)
{
    return due->count == 0 ? INT64_MAX : due->entries[0].due_ms;
}

void sandbox_due_free(struct sandbox_due *due)
{
    free(due->entries);
    *due = (struct sandbox_due){0};
}
