/* cast.h — who and what there is in the simulated world: lines, conversations, jobs, and how they are written. */
#ifndef TESTS_SIM_CAST_H
#define TESTS_SIM_CAST_H

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "lineward/json.h"
#include "lineward/words.h"
#include "tests/sim/ground.h"

#define CAST_LINES         6  /* 0..3 of pool `default`, 4 and 5 of pool `side` */
#define CAST_CONVERSATIONS 28 /* 0..19 of `default`, the others of `side`; every seventh is a group */
/* And each once more, behind those: the same recipients in the other pool, where jobs of theirs were moved to. */
#define CAST_ALL           (2 * CAST_CONVERSATIONS)
#define CAST_JOBS_MAX      4096
#define CAST_LOOSE         UINT_MAX /* a source whose jobs come in no order that anybody knows */
#define CAST_POOLS         2
#define CAST_HANDLE_MAX    24

struct cast_job { /* what its producer knows of it */
    int conversation, pinned; /* pinned: line, -1: not */
    enum job_class class;
    char id[64]; /* "": it has none */
    char collapse, campaign; /* 0: none */
    bool forgiven;      /* the disk lied about it: whatever becomes of it is not the broker's fault */
    bool sent_ever;     /* the request left at least once */
    bool acked;         /* the broker has told that it has it */
    bool refused;       /* or that it does not take it */
    bool final;         /* the broker has told its end */
    bool handed_in_again; /* since nobody had told its producer that it is there */
    bool fails_if_held;
    bool has_due, has_expiry, cancel_asked, cancelled_told, requeued;
    bool settle_asked;  /* a person may have said how it went */
    int64_t called_unsent_us; /* when one called it that last, who may be wrong; 0: nobody did */
    enum job_state end; /* as told, of a final one */
    int64_t expires_ms;
    uint64_t number;
    int64_t acked_us, first_sent_us;
    /* What an operator made of it, or from another one: a copy in another pool has the same text, an imported one its own. */
    int moved_to;      /* the copy that is known of; 0: none */
    int copy_of;       /* -1: it is none */
    int64_t copied_us; /* when the call that moved it here was answered; 0: none was */
    unsigned source;   /* jobs of one source come in their order; 0: its producer's own */
    int64_t redated_us; /* when that was answered last */
    bool redated;      /* `due_ms` and `until_ms` count, not what it came with */
    int64_t due_ms, until_ms; /* 0: at once, never */
    bool dates_vague;  /* nobody can say whether it was copied before or after its original got others */
    uint64_t order; /* in which it was accepted, as far as that is defined: within one producer */
};

extern struct cast_job cast_jobs[CAST_JOBS_MAX];
extern int cast_job_count;

#define CAST_ACCOUNTS 2 /* pool `side` is the second one's, in worlds that have it */

extern bool cast_has_second; /* account */
int cast_account_of_line(int line);
int cast_account_of(int conversation);
const char *cast_account_name(int account);
int cast_pool_of_line(int line);
int cast_pool_of(int conversation);
const char *cast_pool_name(int pool);
bool cast_is_group(int conversation);
void cast_line_number(int line, char out[CAST_HANDLE_MAX]);      /* E.164 */
uint64_t cast_line_digits(int line);
int cast_line_of(const char *number);                            /* -1: none of ours */
int cast_recipients(int conversation, char out[2][CAST_HANDLE_MAX]); /* how many */
void cast_put_recipients(struct json_out *out, int conversation);    /* as a list */
int cast_conversation_of(const cJSON *to, int pool);             /* -1: none of ours */
/* "job 17 ..." -> 17, or its copy in that line's pool; -1: no such. line -1: none is known. */
int cast_job_of_text(const char *text, int line);
int cast_job_of_message(const cJSON *document, int line); /* by the first part of its `message` */
int64_t cast_due_ms(int job);     /* as it stands now; 0: at once */
int64_t cast_expires_ms(int job); /* 0: never */
/* A job that is made from another one, in that conversation; its own index. */
int cast_copy(int job, int conversation, unsigned source);
void cast_name_copy(int copy); /* anew: its id has the number of the job that it was made from, which may be heard late */
int cast_base(int conversation);  /* whose recipients it has: itself, or what it is the same as in the other pool */
int cast_twin(int conversation);  /* the same recipients in the other pool */
/* Who knows whether a job may have been moved without its copy being known (triage.c). */
extern bool (*cast_may_have_moved)(int job);
struct about about_job(int job);
struct about about_line(int line);
struct about about_conversation(int conversation);

#endif
