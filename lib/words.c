/* words.c — texts and parsers of the contract's words, all made from the lists in words.h. */
#include "lineward/words.h"

#include <ctype.h>
#include <string.h>

#include "lineward/err.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *name_of(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : "?";
}

static bool find(const char *const *names, size_t count, const char *text, unsigned *out)
{
    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The provider's pages spell states in lower case and with hyphens; both mean the same word. */
static unsigned find_folded(const char *const *names, size_t count, const char *text)
{
    for (unsigned i = 0; text != NULL && i < count; i++) {
        const char *a = names[i];
        const char *b = text;
        while (*a != '\0' && (*a == toupper((unsigned char)*b) || (*a == '_' && *b == '-'))) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            return i;
    }
    return 0; /* UNKNOWN is the first word of each such list */
}

#define X2(name, text) text,
#define X3(name, text, third) text,
#define WORDS(function, type, LIST, X)                                                             \
    static const char *const function##_names[] = {LIST(X)};                                       \
    const char *function##_name(type value)                                                        \
    {                                                                                              \
        return name_of(function##_names, COUNT(function##_names), (unsigned)value);                \
    }
#define PARSER(function, type)                                                                     \
    bool function##_parse(const char *text, type *out)                                             \
    {                                                                                              \
        unsigned value = 0;                                                                        \
        if (!find(function##_names, COUNT(function##_names), text, &value))                        \
            return false;                                                                          \
        *out = (type)value;                                                                        \
        return true;                                                                               \
    }
#define READER(function, type)                                                                     \
    type function##_read(const char *text)                                                         \
    {                                                                                              \
        return (type)find_folded(function##_names, COUNT(function##_names), text);                 \
    }

WORDS(err, enum err, ERR_LIST, X2)
WORDS(job_state, enum job_state, JOB_STATE_LIST, X2)
WORDS(reason, enum reason, REASON_LIST, X3)
WORDS(job_class, enum job_class, JOB_CLASS_LIST, X2)
WORDS(reputation, enum reputation, REPUTATION_LIST, X2)
WORDS(service, enum service, SERVICE_LIST, X2)
WORDS(source, enum source, SOURCE_LIST, X2)
WORDS(gate, enum gate, GATE_LIST, X2)
WORDS(chat_health, enum chat_health, CHAT_HEALTH_LIST, X2)
WORDS(outcome, enum outcome, OUTCOME_LIST, X2)
WORDS(scope, enum scope, SCOPE_LIST, X2)
WORDS(suppress, enum suppress, SUPPRESS_LIST, X2)
WORDS(delivery, enum delivery, DELIVERY_LIST, X2)
WORDS(pause_scope, enum pause_scope, PAUSE_SCOPE_LIST, X2)
WORDS(drain, enum drain, DRAIN_LIST, X2)
WORDS(drain_order, enum drain_order, DRAIN_ORDER_LIST, X2)
WORDS(drain_state, enum drain_state, DRAIN_STATE_LIST, X2)
WORDS(drain_stay, enum drain_stay, DRAIN_STAY_LIST, X2)
WORDS(code, enum code, CODE_LIST, X3)

PARSER(job_state, enum job_state)
PARSER(reason, enum reason)
PARSER(job_class, enum job_class)
PARSER(outcome, enum outcome)
PARSER(scope, enum scope)
PARSER(suppress, enum suppress)
PARSER(source, enum source)
PARSER(service, enum service)
PARSER(delivery, enum delivery)
PARSER(pause_scope, enum pause_scope)
PARSER(drain, enum drain)
PARSER(drain_order, enum drain_order)
PARSER(reputation, enum reputation)

READER(reputation, enum reputation)
READER(service, enum service)
READER(chat_health, enum chat_health)

bool reason_holds(enum reason reason)
{
#define XH(name, text, holds) holds,
    static const bool holds[] = {REASON_LIST(XH)};
#undef XH
    return (unsigned)reason < COUNT(holds) && holds[reason];
}

bool job_state_is_final(enum job_state state)
{
    return state >= JOB_SENT && state < JOB_STATE_COUNT;
}

int code_http_status(enum code code)
{
#define XC(name, text, http) http,
    static const int status[] = {CODE_LIST(XC)};
#undef XC
    return (unsigned)code < COUNT(status) ? status[code] : 500;
}
