/* process.h — the programs of a demo: started with their output in a file, never left behind. A program dies with the
 * thread that started it, however that ends, so start all of them from main(). */
#ifndef LINEWARD_DEMO_PROCESS_H
#define LINEWARD_DEMO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "tools/demo/stage.h"

#define PROCESS_ARGUMENTS_MAX 64

struct process {
    const char *name; /* in sentences */
    char log[STAGE_PATH_MAX];
    pid_t pid; /* 0: does not run */
    int code;  /* exit code of the last run; 128 + signal if one ended it */
};

/* Starts arguments[0] (NULL ends the list), appending its output to `log`. False: errno says. */
bool process_start(struct process *process, const char *const *arguments);
/* Does it still run? If not, `code` says how it ended. */
bool process_runs(struct process *process);
/* Waits until it has ended. False: it has not, in time. */
bool process_wait(struct process *process, int timeout_ms);
void process_signal(const struct process *process, int signal);
/* SIGKILL, and waits; nothing if it does not run. */
void process_kill(struct process *process);

/* The last `lines` lines of its output, indented. */
void process_tail(const struct process *process, int lines, FILE *out);

#endif
