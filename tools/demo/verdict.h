/* verdict.h — has lineward-audit judge the run, and prints its figures. */
#ifndef LINEWARD_DEMO_VERDICT_H
#define LINEWARD_DEMO_VERDICT_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/demo/stage.h"

struct verdict_files {
    const char *program; /* lineward-audit */
    const char *sandbox_log, *acked;
    const char *report;  /* where the auditor's answer is kept */
    uint64_t acked_jobs; /* as the producers counted them */
    unsigned holds;      /* so often a line was to be held */
};

/* True: all holds. */
bool verdict_print(const struct verdict_files *files, FILE *out);

#endif
