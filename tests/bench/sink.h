/* sink.h — a provider that takes every message and costs next to nothing, so that what is measured is the worker.
 *
 * HTTP/1.1 with keep-alive on a loopback port, served by one thread: reads each request to its end and answers what
 * a new chat or a message in a known chat is answered. It looks at no key and keeps nothing; the sandbox is the
 * provider to test against. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdint.h>

/* Begins to serve; ends with the program. */
void sink_start(uint16_t port);

/* Requests answered so far. */
uint64_t sink_answered(void);

#endif
