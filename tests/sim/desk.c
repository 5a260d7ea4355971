/* desk.c — see desk.h. */
#include "tests/sim/desk.h"

#include <sys/eventfd.h>

#include "broker/edge/admin_exchange.h"
#include "broker/edge/tokens.h"
#include "tests/sim/calls.h"
#include "tests/sim/operators.h"
#include "tests/sim/posts.h"

#define TAG_SHIFT 56

struct admin {
    struct admin_options options;
};

struct tokens {
    int unused;
};

static struct {
    struct admin admin;
    struct tokens tokens;
    uint64_t tokens_given;
} desk;

const struct admin_options *desk_options(void)
{
    return &desk.admin.options;
}

uint64_t desk_token(void)
{
    return (uint64_t)ADMIN_TOKEN_TAG << TAG_SHIFT | ++desk.tokens_given;
}

/* ---- broker/edge/tokens.h ---- */

enum err tokens_open(struct tokens **out, const char *path, bool *made_first, struct tokens_problem *problem)
{
    (void)path;
    (void)made_first;
    (void)problem;
    *out = &desk.tokens;
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

unsigned tokens_generation(const struct tokens *tokens)
{
    (void)tokens;
    return 1;
}

bool tokens_find(struct tokens *tokens, const char *token, struct grant *out)
{
    (void)tokens;
    (void)token;
    (void)out;
    return false;
}

void grant_free(struct grant *grant)
{
    grant->pools = NULL;
}

const char *role_name(enum role role)
{
    return role == ROLE_ADMIN ? "admin" : "operator";
}

/* ---- broker/edge/admin.h ---- */

enum err admin_open(struct admin **out, const struct admin_options *options, struct admin_problem *problem)
{
    (void)problem;
    desk.admin = (struct admin){.options = *options};
    *out = &desk.admin;
    return ERR_NONE;
}

void admin_close(struct admin **admin_p)
{
    if (*admin_p != NULL)
        desk_broker_down();
    *admin_p = NULL;
}

/* Never too many here. */
bool admin_large_reserve(struct admin *admin, size_t bytes)
{
    (void)admin;
    (void)bytes;
    return true;
}

void admin_large_release(struct admin *admin, size_t bytes)
{
    (void)admin;
    (void)bytes;
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
    admin->options.conf = conf;
}

bool admin_serve(struct admin *admin, struct core *core, struct instant now, struct effects *out)
{
    return operators_serve(core, now, out) || calls_serve(core, now, out) ||
           posts_serve(&admin->options.shell, now, out);
}

bool admin_owns(uint64_t token)
{
    return token >> TAG_SHIFT == ADMIN_TOKEN_TAG;
}

void admin_effect(struct admin *admin, const struct effect *effect)
{
    (void)admin;
    if (!calls_effect(effect) && !posts_effect(effect))
        (void)operators_effect(effect);
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
    if (!calls_looked_up(answer) && !operators_looked_up(answer))
        lookup_answer_free(answer);
}

void desk_broker_down(void)
{
    operators_broker_down();
    calls_broker_down();
    posts_broker_down();
}
