/* triage_part.h — what triage.c (calls and their answers), triage_marks.c (what they may have touched) and triage_import.c
 * (export and import) share. Only for them. */
#ifndef TESTS_SIM_TRIAGE_PART_H
#define TESTS_SIM_TRIAGE_PART_H

#include <cjson/cJSON.h>

#include "lineward/words.h"
#include "tests/sim/ground.h"

#define SORTING_RUNS 8 /* operators at once */

enum triage_what { SORT_CANCEL, SORT_EXPIRE, SORT_REDATE, SORT_MOVE, SORT_WHATS };

struct pick { /* which jobs, as the query says it */
    int pool, conversation; /* conversation -1, class -1, campaign 0: any */
    int class;
    char campaign;
    const char *word; /* one more filter, which nobody outside can judge; NULL: none */
};

struct exported {
    int job;
    int64_t order;
    cJSON *document;
};

struct run { /* one operator, from the first call to the last answer */
    bool used;
    enum triage_what what;
    struct pick pick;
    bool at_once; /* a rehearsal and the call behind it, in one turn */
    bool is_open; /* a call that may touch something is under way */
    int64_t asked_us;
    char after[64]; /* where to go on; "": the beginning */
    char until[64]; /* the mark of its export; "": none */
    unsigned passes, touched;
    /* SORT_REDATE */
    bool has_due, has_until;
    int64_t due_ms, until_ms; /* 0: null */
    cJSON *rehearsed, *done;  /* their answers */
    bool answered_one;
    /* an export, then the cancel, then the import */
    bool exports;
    int64_t export_us;
    unsigned source;
    struct exported *list;
    int count, room, at; /* at: the next to be imported */
};

/* ---- triage.c ---- */
extern struct run sorting_runs[SORTING_RUNS];
void sorting_later(struct run *run, ground_action action);
int sorting_number(const struct run *run);
void sorting_ask(void *self, uint64_t number); /* its next call */
void sorting_end(struct run *run);
/* Path and query, with `limit` and where to go on: naming whom it is for. */
void sorting_target(const struct run *run, const char *path, unsigned limit, char *out, size_t room);
/* Whoever it chooses is named in the audit of its calls, up to this moment. */
void sorting_named(const struct run *run);

/* ---- triage_marks.c ---- */
void marks_begin(bool here);
bool marks_match(const struct pick *pick, int job);
void marks_touched(enum triage_what what, int job);
/* What it touched is not known: it may have been any job of those that were there. */
void marks_lost(enum triage_what what, const struct pick *pick);
/* It named jobs whose numbers nobody has been told yet. */
void marks_strangers(enum triage_what what, const struct pick *pick);

/* ---- triage_import.c ---- */
void sorting_export(void *self, uint64_t number);
/* The cancel behind an export has touched it. */
void sorting_check(const struct run *run, int job);
void sorting_import(void *self, uint64_t number);

#endif
