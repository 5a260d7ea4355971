/* survey.h — what a store's records say about its jobs, without a broker's memory: for backup and restore. */
#ifndef LINEWARDCTL_SURVEY_H
#define LINEWARDCTL_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/store/store.h"

struct survey_fact;

struct survey { /* zeros at first */
    struct survey_fact *facts;
    size_t count, room;
    bool failed; /* out of memory */
};

struct survey_result {
    int64_t jobs;      /* not final */
    int64_t scheduled; /* of these, not due at `at_ms` */
    int64_t tried;     /* of these, leased or of unknown outcome */
    int64_t oldest_ms; /* when the oldest was accepted; 0: none */
};

/* Of store_inspect(): `self` is the survey. */
bool survey_record(void *self, const struct store_record *record);
/* Counts, and frees the survey. */
void survey_end(struct survey *survey, int64_t at_ms, struct survey_result *out);

#endif
