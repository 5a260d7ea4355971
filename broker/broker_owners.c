/* broker_owners.c — pools that another broker owns, as far as the broker itself has to do with them: jobs of such a pool
 * that are here wait for somebody to notice. */
#include "broker/broker_part.h"
#include "lineward/log.h"

#define LEFT_TOLD_MAX 20

void broker_warn_of_pools_left(const struct broker *broker)
{
    unsigned told = 0;
    for (uint32_t p = 0; p < broker->conf->pool_count && told < LEFT_TOLD_MAX; p++) {
        const struct conf_pool *pool = &broker->conf->pools[p];
        struct pool_view view;
        if (!pool->elsewhere || !core_pool_view(broker->core, p, &view))
            continue;
        unsigned long long jobs = view.scheduled + view.waiting + view.leased;
        if (jobs == 0)
            continue;
        log_event(LOG_WARN, "pool_left_here", "pool=%s jobs=%llu owner=%s reason=\"they are held here\"", pool->name, jobs,
                  pool->owner);
        told++;
    }
}
