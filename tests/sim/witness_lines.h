/* witness_lines.h — the witness's eye on lines (promises P3, P5, P6): what the broker has surely accepted about each, and
 * what it then still gives out and lets begin there. It only says "surely" where every reading of the contract says so;
 * in between it holds its tongue. */
#ifndef TESTS_SIM_WITNESS_LINES_H
#define TESTS_SIM_WITNESS_LINES_H

#include "lineward/words.h"
#include "tests/sim/hooks.h"

/* A JOB is said, or a request begins. `fresh`: its conversation was never begun on any line. */
void lines_given(int job, int line, bool fresh);
void lines_begun(int job, int line);
/* The provider has made the first message of the conversation on that line. */
void lines_placed(int job, int line);
/* The provider has made a message on it. */
void lines_message(int job, int line);
/* The provider has answered that the line cannot send. */
void lines_refused(int line);

void lines_hook_arrives(const struct hook *hook);
void lines_hook_taken(const struct hook *hook);
void lines_polled(int account, int64_t begun_mono_ms, bool cached, const enum reputation words[]);
void lines_listed_none(int account); /* an empty list */
void lines_wall_jumps(bool far);     /* far: what was spent before is not counted any more */
int64_t lines_jumped_us(void);       /* the last time; -1: never */
/* Nothing that was heard is sure. And a try may be answered for another line from now on: one that the disk has lied
 * about is given out anew on another line, and the provider, which knows its key, answers with the chat on the first.
 */
void lines_deceived(void);
int64_t lines_forgotten_us(void); /* the last time; what was spent before is not counted */

/* May the messages of a day, or what they may grow by, be used up? -1: of any line. */
bool lines_may_be_spent(int line);
bool lines_was_ever_missing(int line); /* in a list */
/* Has the broker surely heard that the line is CRITICAL, and no word of it being better? */
bool lines_is_surely_critical(int line, int64_t *since_us);
bool lines_was_ever_critical(int line);
bool lines_was_ever_flagged(int line);

#endif
