/* clean.c — giving old segments back: cleaning, history, searching. */
#include "journal.h"

bool store_clean(struct store *store, struct store_batch *batch, int64_t now_wall_ms, unsigned budget_us)
{
    return false;
}

enum err store_find(struct store *store, unsigned kind, uint64_t key,
                    bool (*visit)(void *self, const struct store_record *record), void *self)
{
    return ERR_NONE;
}

enum err store_events(struct store *store, uint64_t after, size_t limit, uint64_t *oldest,
                      bool (*visit)(void *self, const struct store_record *record), void *self)
{
    *oldest = 0;
    return ERR_NONE;
}

enum err store_inspect(const char *path, const struct store_kind *kinds, struct store_check *out,
                       bool (*dump)(void *self, const struct store_record *record), void *self, FILE *report,
                       struct store_problem *problem)
{
    return problem_say(problem, ERR_NOT_FOUND, "%s: not to be inspected by this version", path);
}
