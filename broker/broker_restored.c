/* broker_restored.c — the first start on a store that was made of a backup: all that this changes is durable before
 * anything is said or sent, and everything is paused. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker_part.h"
#include "broker/store/restored.h"
#include "lineward/clock.h"
#include "lineward/log.h"

#define PAUSED_BY "restore"

static bool cannot(const struct broker *broker, const char *what, enum err err)
{
    log_event(LOG_ERROR, "backup_not_taken_over", "file=%s/restored err=%s reason=\"%s\"", broker->conf->store.path,
              err_name(err), what);
    return false;
}

bool broker_is_restored(struct broker *broker, bool *restored)
{
    struct restored found = {0};
    enum err err = restored_read(broker->conf->store.path, &found);
    *restored = err == ERR_NONE;
    if (err != ERR_NONE && err != ERR_NOT_FOUND)
        return cannot(broker, "can't be read; restore the backup again", err);
    if (err == ERR_NONE)
        core_is_backup(broker->core, found.taken_ms, found.key_life_ms);
    return true;
}

/* Once, also when an earlier start did not come to its end. */
static void pause_everything(struct broker *broker)
{
    const struct change_pause *pauses[64];
    struct core_pause pause = {.scope = PAUSE_ALL,
                               .reason = "the store was restored from a backup: what waits may have been sent since",
                               .by = PAUSED_BY};
    size_t count = core_pauses_on(broker->core, PAUSE_ALL, 0, pauses, sizeof pauses / sizeof *pauses);
    for (size_t i = 0; i < count; i++)
        if (strcmp(pauses[i]->by, PAUSED_BY) == 0)
            return;
    core_pause(broker->core, &pause, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
}

static enum err submit(struct broker *broker, uint64_t *commit)
{
    *commit = store_submit(broker->store, broker->batch);
    outbox_bind(broker->outbox, *commit);
    return broker->out_of_memory ? ERR_NO_MEMORY : ERR_NONE;
}

static enum err await_durable(struct broker *broker, uint64_t commit)
{
    enum err err;
    while ((err = store_collect(broker->store, &broker->durable)) == ERR_NONE && broker->durable < commit) {
        struct pollfd news = {.fd = broker->store_fd, .events = POLLIN};
        uint64_t count;
        if (poll(&news, 1, -1) > 0 && read(broker->store_fd, &count, sizeof count) < 0)
            continue; /* somebody else has read it */
    }
    return err;
}

bool broker_take_backup_over(struct broker *broker)
{
    uint64_t commit = 0;
    enum err err = ERR_NONE;
    for (bool more = true; more && err == ERR_NONE;) {
        more = core_record_backup(broker->core, broker->now, &broker->effects);
        broker_persist(broker, broker->now, &broker->effects);
        err = submit(broker, &commit);
    }
    pause_everything(broker);
    if (err == ERR_NONE)
        err = submit(broker, &commit);
    if (err == ERR_NONE)
        err = await_durable(broker, commit);
    if (err == ERR_NONE)
        err = restored_remove(broker->conf->store.path);
    if (err != ERR_NONE)
        return cannot(broker, "what follows from it was not written down", err);
    log_event(LOG_WARN, "restored_from_backup",
              "reason=\"everything is paused, what waits may have been sent since\"");
    return true;
}
