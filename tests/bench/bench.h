/* bench.h — what the drivers share: a clock, a way to give up, and the 400-byte job.
 *
 * Drivers are short programs that measure one thing, print `name value` lines to stdout and exit 0; tests/bench/run
 * starts them, the queues and everything else. Whatever goes wrong ends the driver with a sentence: a figure taken
 * while something failed is worse than none. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_BATCH_MAX 256 /* jobs in a request: what a sensible client would send at once */

/* CLOCK_MONOTONIC, the same for all processes of the machine. */
int64_t now_ns(void);
/* Waits until now_ns() has reached `when_ns`. */
void wait_until_ns(int64_t when_ns);

/* Prints the sentence (with errno's, if `format` ends in ':') and exits with 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number from the command line, within bounds, else die(). */
int64_t number_argument(const char *text, const char *name, int64_t min, int64_t max);

/* Orders and reads `values`: `share` 0.5 is the median, 1 the largest. 0 when there are none. */
int64_t quantile(int64_t *values, size_t count, double share);

/* ---- the job ---- */

/* A job document of the producers' contract, always DOCUMENT_BYTES long. Its message carries its number and the
 * moment it was written, which whoever gets the message reads back. */
#define DOCUMENT_BYTES 400

struct document {
    char text[DOCUMENT_BYTES];
};

/* Documents that differ in a few digits only: writing one costs next to nothing beside what a queue does with it. */
struct document_form {
    struct document document;
    size_t id_at, to_at, number_at, written_at; /* where the digits stand */
};

/* `from` pins the jobs to a line, or NULL. Their ids are this process's own. */
void document_form_init(struct document_form *form, const char *from);
/* `recipient` (below 10 million) becomes a phone number. */
void document_write(struct document *out, const struct document_form *form, uint64_t number, uint64_t recipient,
                    int64_t written_ns);
/* Finds number and moment in any text that holds the message. False: not one of ours. */
bool document_read(const char *text, size_t bytes, uint64_t *number, int64_t *written_ns);

/* The recipient of job `number` among `recipients`: all of them in turn, in no order that a cache would like. */
uint64_t recipient_of(uint64_t number, uint64_t recipients);

#endif
