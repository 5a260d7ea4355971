/* provider_part.h — what the parts of the provider share: provider.c (what there is, and what happens to it) and
 * provider_answers.c (requests, and what each is answered). Only for them. */
#ifndef TESTS_SIM_PROVIDER_PART_H
#define TESTS_SIM_PROVIDER_PART_H

#include "tests/sim/cast.h"
#include "tests/sim/ground.h"

#define TURNS_MAX   512
#define ANSWERS_MAX 32

struct turn { /* of a line, for lists as they were some time ago */
    int64_t at_us;
    enum reputation word;
};

struct line {
    enum reputation word;
    bool flagged;
    struct turn turns[TURNS_MAX];
    unsigned turn_count;
};

struct message {  /* of a job */
    bool here;    /* a message was made of it */
    bool deleted; /* and is gone since */
    int line;
    char key[80];
    int codes[ANSWERS_MAX]; /* with which it was answered, the last ones */
    unsigned code_count;
    int refused_status, refused_code; /* for good: what it is is not to be had another time either */
    int status;
    char *answer; /* the first one, which every repeat gets */
};

struct chat {
    bool open[CAST_LINES], ever[CAST_LINES];
    unsigned lives[CAST_LINES]; /* how often it was begun anew: its id */
    enum chat_health health;
    bool opted_out, blocked;
    int last_line;
};

struct provider_world {
    struct stream luck, codes, front, flags;
    struct line lines[CAST_LINES];
    struct chat chats[CAST_ALL];
    struct message messages[CAST_JOBS_MAX];
    int64_t storm_until_us, key_bad_until_us;
    int new_line; /* which the list does not have before then; -1: none */
    int64_t new_line_us;
    unsigned errors_per_mille;
    bool calm;
    uint64_t traces;
};
extern struct provider_world provider;

void provider_flags(int line); /* all of a sudden */
void provider_chat_id(int conversation, int line, char out[64]); /* as it is now */

#endif
