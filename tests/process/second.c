/* second.c — see second.h. */
#include "second.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void second_set(struct second *second, const char *format, ...)
{
    va_list values;
    MUST(second->set_count < SECOND_SETS_MAX, "too many sets");
    va_start(values, format);
    vsnprintf(second->sets[second->set_count++], sizeof second->sets[0], format, values);
    va_end(values);
}

void second_open(struct second *second, const struct rig *rig, const char *name)
{
    *second = (struct second){.rig = *rig};
    struct rig *own = &second->rig;
    uint16_t *ports[] = {&own->port.producers, &own->port.workers, &own->port.events, &own->port.admin,
                         &own->port.webhooks};
    own->broker = (struct program){.name = "lineward-broker"};
    own->token[0] = '\0';
    snprintf(own->broker.log, sizeof own->broker.log, "%s/%s.log", rig->folder, name);
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        *ports[i] = rig_free_port();
    snprintf(second->store, sizeof second->store, "%s/%s", rig->folder, name);
}

void second_start(struct second *second)
{
    const struct rig *own = &second->rig;
    char sets[6][PROGRAM_PATH_MAX + 16];
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count = 0;
    snprintf(sets[0], sizeof sets[0], "broker.producers=tcp://127.0.0.1:%u", own->port.producers);
    snprintf(sets[1], sizeof sets[1], "broker.workers=tcp://127.0.0.1:%u", own->port.workers);
    snprintf(sets[2], sizeof sets[2], "broker.events=tcp://127.0.0.1:%u", own->port.events);
    snprintf(sets[3], sizeof sets[3], "broker.admin=127.0.0.1:%u", own->port.admin);
    snprintf(sets[4], sizeof sets[4], "broker.webhooks=127.0.0.1:%u", own->port.webhooks);
    snprintf(sets[5], sizeof sets[5], "store.path=%s", second->store);
    rig_broker_arguments(own, arguments);
    while (arguments[count] != NULL)
        count++;
    for (size_t i = 0; i < 6 + second->set_count; i++) {
        MUST(count + 2 <= PROGRAM_ARGUMENTS_MAX, "too many arguments");
        arguments[count++] = "--set";
        arguments[count++] = i < 6 ? sets[i] : second->sets[i - 6];
    }
    arguments[count] = NULL;
    program_start(&second->rig.broker, arguments);
}

void second_close(struct second *second)
{
    if (second->rig.broker.pid != 0)
        program_end(&second->rig.broker);
    program_forget(&second->rig.broker);
}

bool both_have_closed(const struct rig *rig, const struct second *second, size_t line)
{
    return rig_line_was_closed(rig, line) && rig_line_was_closed(&second->rig, line);
}
