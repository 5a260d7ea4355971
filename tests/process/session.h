/* session.h — what most of these tests begin with: broker, sandbox and workers, and one producer. Included once per test
 * program. */
#ifndef PROCESS_SESSION_H
#define PROCESS_SESSION_H

#include <zmq.h>

#include "producer.h"

static struct rig rig;
static struct producer producer;

/* `sets` as rig_open() takes them, `config` as rig_configure() does; each may be NULL. */
static inline void begin(const char *const *sets, const char *config, size_t workers)
{
    rig_open(&rig, sets);
    if (config != NULL)
        rig_configure(&rig, config);
    rig_start(&rig, workers);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
}

static inline void end(void)
{
    producer_close(&producer);
    rig_close(&rig);
}

#endif
