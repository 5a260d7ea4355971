/* sibling.c — see sibling.h. */
#include "sibling.h"

#include <stdio.h>
#include <string.h>

void sibling_open(struct rig *sibling, const struct rig *rig, const char *name)
{
    *sibling = *rig;
    sibling->broker = (struct program){.name = "lineward-broker"};
    snprintf(sibling->broker.log, sizeof sibling->broker.log, "%s/%s.log", rig->folder, name);
    uint16_t *ports[] = {&sibling->port.producers, &sibling->port.workers, &sibling->port.events,
                         &sibling->port.admin, &sibling->port.webhooks};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        *ports[i] = rig_free_port();
}

void sibling_start(struct rig *sibling, const struct rig *rig)
{
    char sets[6][PROGRAM_PATH_MAX + 16], store[PROGRAM_PATH_MAX];
    static const char *const names[] = {"producers", "workers", "events"};
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count = 0;
    uint16_t ports[] = {sibling->port.producers, sibling->port.workers, sibling->port.events};
    rig_broker_arguments(rig, arguments);
    while (arguments[count] != NULL)
        count++;
    for (size_t i = 0; i < 3; i++)
        snprintf(sets[i], sizeof sets[i], "broker.%s=tcp://127.0.0.1:%u", names[i], ports[i]);
    snprintf(store, sizeof store, "%s", sibling->broker.log);
    *strrchr(store, '.') = '\0'; /* NAME.log */
    snprintf(sets[3], sizeof sets[3], "broker.admin=127.0.0.1:%u", sibling->port.admin);
    snprintf(sets[4], sizeof sets[4], "broker.webhooks=127.0.0.1:%u", sibling->port.webhooks);
    snprintf(sets[5], sizeof sets[5], "store.path=%s", store);
    MUST(count + 12 <= PROGRAM_ARGUMENTS_MAX, "too many arguments");
    for (size_t i = 0; i < 6; i++) {
        arguments[count++] = "--set";
        arguments[count++] = sets[i];
    }
    arguments[count] = NULL;
    program_start(&sibling->broker, arguments);
}
