/* program.h — the programs under test: started, stopped, killed; and waiting for something, with a deadline.
 *
 * A test is a process of its own (Check forks), so what it started is kept in one static list: whatever ends without
 * having been told to fails the test, and a failing test shows the end of every log. All of them die with the test.
 */
#ifndef PROCESS_PROGRAM_H
#define PROCESS_PROGRAM_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lineward/clock.h"

#define PROGRAM_ARGUMENTS_MAX 64
#define PROGRAM_PATH_MAX      256

struct program {
    const char *name; /* of the executable in the build folder */
    char log[PROGRAM_PATH_MAX];
    pid_t pid;               /* 0: does not run */
    bool dumped;             /* it left a core when it ended */
    unsigned long files_max; /* descriptors that it may have; 0: as many as we */
    int network;             /* of a namespace that it lives in (net.h); 0: ours */
    bool mute;               /* it begins with its standard files closed: it has no log */
};

/* Fails the test with this sentence and the end of every log. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where the programs are: $BUILD, or the folder that this test was built into. */
const char *program_folder(void);

/* Starts `program->name` with these arguments (NULL last, without argv[0]); what it says is added to its log. */
void program_start(struct program *program, const char *const *arguments);
/* The same with a copy of this process, which ends with what `body` returns; `name` is only for people. For what
 * wants to be killed by itself, but needs what the test has in memory. */
void program_fork(struct program *program, int (*body)(void *self), void *self);
/* Sends a signal and does not wait. */
void program_signal(const struct program *program, int signal);
/* Its first child (of a broker: the one that polls and receives webhooks); 0: there is none. */
pid_t program_child(const struct program *program);
/* SIGKILL, and gone on return. Nothing happens if it does not run. */
void program_kill(struct program *program);
/* Waits for its end; the exit code, or minus the signal that ended it. */
int program_wait(struct program *program, int64_t limit_ms);
/* SIGTERM, and waits for an orderly end: anything but exit code 0 fails the test. */
void program_end(struct program *program);
/* It has ended and its memory goes: its log is shown no more. */
void program_forget(const struct program *program);
/* Does its log hold this text? */
bool program_said(const struct program *program, const char *text);

/* A few milliseconds; fails the test if a program that should run has ended. */
void programs_tick(void);
int64_t mono_ms(void);

#define LIMIT_MS 30000 /* for whatever should take a moment; generous, for a slow machine under sanitizers */

/* Waits until the condition holds; fails the test with the sentence when `limit_ms` are over. */
#define AWAIT_FOR(limit_ms, condition, ...)                                                                          \
    do {                                                                                                             \
        int64_t await_until_ms = mono_ms() + (limit_ms);                                                             \
        while (!(condition)) {                                                                                       \
            programs_tick();                                                                                         \
            if (mono_ms() > await_until_ms)                                                                          \
                give_up(__VA_ARGS__);                                                                                \
        }                                                                                                            \
    } while (0)
#define AWAIT(condition, ...) AWAIT_FOR(LIMIT_MS, condition, __VA_ARGS__)

/* As ck_assert(), with the logs. */
#define MUST(condition, ...)                                                                                         \
    do {                                                                                                             \
        if (!(condition))                                                                                            \
            give_up(__VA_ARGS__);                                                                                    \
    } while (0)

/* The body of a test program's main(): runs these, each with `limit_s` (times CK_TIMEOUT_MULTIPLIER) of time. */
int run_tests(const char *name, int limit_s, const TTest *const *tests, size_t count);
#define RUN_TESTS(name, limit_s, ...)                                                                                \
    run_tests(name, limit_s, (const TTest *const[]){__VA_ARGS__},                                                    \
              sizeof((const TTest *const[]){__VA_ARGS__}) / sizeof(const TTest *))

#endif
