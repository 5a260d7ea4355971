/* queue.c — the queues by name. */
#include "queue.h"

#include <string.h>

const struct queue *queue_named(const char *name)
{
    static const struct queue *const queues[] = {&lineward_queue, &redis_queue};
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        if (strcmp(queues[i]->name, name) == 0)
            return queues[i];
    die("no such queue: %s (lineward or redis)", name);
}
