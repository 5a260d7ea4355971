/* cache_bound.c — see cache_bound.h. */
#include "broker/cache/cache_bound.h"

#if HIREDIS_MAJOR >= 1
typedef size_t array_count;
#else
typedef int array_count;
#endif

static bool takes(const redisReadTask *task, size_t bytes)
{
    struct cache_bound *bound = task->privdata;
    if (task->parent == NULL)
        bound->bytes = 0; /* it begins */
    bound->is_over = bound->is_over || bytes > CACHE_BOUND_BYTES - bound->bytes;
    if (!bound->is_over)
        bound->bytes += bytes;
    return !bound->is_over;
}

static void *new_string(const redisReadTask *task, char *text, size_t bytes)
{
    const struct cache_bound *bound = task->privdata;
    return takes(task, bytes) ? bound->plain->createString(task, text, bytes) : NULL;
}

/* Room for all that are said to come is taken at once. */
static void *new_array(const redisReadTask *task, array_count count)
{
    const struct cache_bound *bound = task->privdata;
    size_t most = CACHE_BOUND_BYTES / sizeof(redisReply *), many = (size_t)count;
    bool good = takes(task, many > most ? CACHE_BOUND_BYTES + 1 : many * sizeof(redisReply *));
    return good ? bound->plain->createArray(task, count) : NULL;
}

void cache_bound_set(struct cache_bound *bound, redisReader *reader)
{
    *bound = (struct cache_bound){.plain = reader->fn, .bounded = *reader->fn};
    bound->bounded.createString = new_string;
    bound->bounded.createArray = new_array;
    reader->fn = &bound->bounded;
    reader->privdata = bound;
}

bool cache_bound_holds(const struct cache_bound *bound, const redisReader *reader)
{
    return !bound->is_over && reader->len <= CACHE_BOUND_BYTES;
}
