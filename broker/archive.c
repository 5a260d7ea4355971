/* archive.c — see archive.h. */
#include "broker/archive.h"

#include "broker/store/record.h"

struct visit {
    archive_visit visit;
    void *visitor;
};

/* A record of a newer version is passed over: what it says is not known here. */
static bool show(void *self, const struct store_record *record)
{
    struct visit *visit = self;
    struct record_storage storage;
    struct change change;
    return !record_as_change(record, &storage, &change) || visit->visit(visit->visitor, &change);
}

static enum err read_place(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    struct store_record record;
    struct visit shown = {visit, visitor};
    enum err err = store_read(self, place, &record);
    if (err != ERR_NONE)
        return err;
    show(&shown, &record);
    store_record_free(&record);
    return ERR_NONE;
}

static enum err find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    struct visit shown = {visit, visitor};
    return store_find(self, kind, key, show, &shown);
}

static enum err events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit, void *visitor)
{
    struct visit shown = {visit, visitor};
    return store_events(self, after, limit, oldest, show, &shown);
}

static uint64_t durable_seq(void *self)
{
    return store_durable_seq(self);
}

struct archive archive_of(struct store *store)
{
    return (struct archive){
        .self = store, .read = read_place, .find = find, .events = events, .durable_seq = durable_seq};
}
