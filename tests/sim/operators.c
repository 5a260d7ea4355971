/* operators.c — see operators.h. Offers broker/edge/admin.h and tokens.h to the broker. */
#include "tests/sim/operators.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "broker/edge/admin.h"
#include "tests/sim/house.h"

struct admin {
    int unused;
};

struct tokens {
    int unused;
};

static struct admin the_admin;
static struct tokens the_tokens;

/* ---- broker/edge/tokens.h ---- */

enum err tokens_open(struct tokens **out, const char *path, bool *made_first, struct tokens_problem *problem)
{
    (void)path;
    (void)made_first;
    (void)problem;
    *out = &the_tokens;
    return ERR_NONE;
}

void tokens_free(struct tokens **tokens_p)
{
    *tokens_p = NULL;
}

enum err tokens_prepare(struct tokens *tokens, const char *path, struct tokens_problem *problem)
{
    (void)tokens;
    (void)path;
    (void)problem;
    return ERR_NONE;
}

void tokens_commit(struct tokens *tokens)
{
    (void)tokens;
}

/* ---- broker/edge/admin.h ---- */

enum err admin_open(struct admin **out, const struct admin_options *options, struct admin_problem *problem)
{
    (void)options;
    (void)problem;
    *out = &the_admin;
    return ERR_NONE;
}

void admin_close(struct admin **admin_p)
{
    *admin_p = NULL;
}

unsigned admin_port(const struct admin *admin)
{
    (void)admin;
    return 7781;
}

int admin_fd(const struct admin *admin)
{
    static int file = -1;
    (void)admin;
    if (file < 0)
        file = eventfd(0, EFD_CLOEXEC);
    return file;
}

void admin_conf_set(struct admin *admin, const struct conf *conf)
{
    (void)admin;
    (void)conf;
}

bool admin_serve(struct admin *admin, struct core *core, struct instant now, struct effects *out)
{
    (void)admin;
    (void)core;
    (void)now;
    (void)out;
    return false;
}

bool admin_owns(uint64_t token)
{
    return token >> 56 == ADMIN_TOKEN_TAG;
}

void admin_effect(struct admin *admin, const struct effect *effect)
{
    (void)admin;
    (void)effect;
}

void admin_follow(struct admin *admin, uint64_t next_seq, bool durable_moved, struct instant now)
{
    (void)admin;
    (void)next_seq;
    (void)durable_moved;
    (void)now;
}

int64_t admin_next_mono_ms(const struct admin *admin)
{
    (void)admin;
    return TIME_NEVER;
}

void admin_looked_up(struct admin *admin, struct lookup_answer *answer)
{
    (void)admin;
    lookup_answer_free(answer);
}

/* ---- what they do ---- */

void operators_begin(void)
{
}

void operators_mishap(struct stream *stream)
{
    (void)stream;
}

void operators_heal(void)
{
}
