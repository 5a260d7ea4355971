/* disposition.c — the table behind disposition_of(). It does not read answers (provider_linq.c does) and knows
 * nothing of leases; worker.c turns its verdict into a RESULT.
 *
 * How sure we are decides, not how bad it looks. A documented code says that the provider handled the request and
 * did not take the message, 3005 excepted. An answer without a code we know comes from a proxy or from a newer
 * server: a 4xx still means that the request itself was refused, but a 5xx may have come after the provider took
 * the message (a gateway that lost its backend's answer says 502, 503 or 504, whichever it likes), so it is
 * unknown. So is a 2xx without the ids: asked again with the same key, the provider gives the first answer again.
 */
#include "disposition.h"

#include <stddef.h>

#define SECOND        1000
#define WAIT_POLICY   (-1) /* the broker's own backoff */
#define WAIT_SHORT    (3 * SECOND)
#define WAIT_SERVICE  (30 * SECOND)  /* 4004: "after 30 s" */
#define WAIT_DELIVERY (300 * SECOND) /* 3007: "much later" */

enum condition { /* when a row means something else than it says */
                 ALWAYS,
                 IF_CHAT,      /* only if the request went to a known chat; else `otherwise` */
                 IF_UNSETTLED, /* only if an earlier try may have been taken; else rejected */
                 IF_FIRST_5XX, /* only on the first try and with a 5xx; else rejected */
};

struct rule {
    int64_t code;
    enum condition condition;
    struct disposition verdict;
    const struct disposition *otherwise; /* NULL: rejected */
};

#define REJECTED(why)                                                                                                \
    {                                                                                                                \
        .outcome = OUTCOME_REJECTED, .retry_after_ms = WAIT_POLICY, .reason = (why)                                  \
    }
#define SUPPRESSED(who, why)                                                                                         \
    {                                                                                                                \
        .outcome = OUTCOME_REJECTED, .retry_after_ms = WAIT_POLICY, .suppress = SUPPRESS_##who, .reason = (why)      \
    }
#define RETRY(where, wait_ms, why)                                                                                   \
    {                                                                                                                \
        .outcome = OUTCOME_RETRY, .scope = SCOPE_##where, .retry_after_ms = (wait_ms), .reason = (why)               \
    }
#define UNKNOWN(why)                                                                                                 \
    {                                                                                                                \
        .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = WAIT_POLICY, .reason = (why)                    \
    }
#define FLAGGED(why)                                                                                                 \
    {                                                                                                                \
        .outcome = OUTCOME_RETRY, .scope = SCOPE_LINE, .retry_after_ms = WAIT_POLICY, .line_flagged = true,          \
        .reason = (why)                                                                                              \
    }
#define KEY_REFUSED(why)                                                                                             \
    {                                                                                                                \
        .outcome = OUTCOME_RETRY, .scope = SCOPE_ACCOUNT, .retry_after_ms = WAIT_POLICY, .key_refused = true,        \
        .reason = (why)                                                                                              \
    }

static const struct disposition chat_gone = REJECTED("chat not found");
/* The pair limit needs thirty messages within a minute, which the first message of a new chat cannot be: whatever
 * limit a chat creation meets is wider than the pair, and the line is the next scope that the request named. */
static const struct disposition line_limited = RETRY(LINE, WAIT_POLICY, "rate limited");

/* Every code of the provider's documentation, in its order. */
static const struct rule rules[] = {
    {1001, ALWAYS, REJECTED("missing field"), NULL},
    {1002, ALWAYS, REJECTED("not an E.164 number"), NULL},
    {1003, ALWAYS, REJECTED("invalid request body"), NULL},
    {1004, ALWAYS, REJECTED("invalid message content"), NULL},
    {1005, ALWAYS, REJECTED("invalid value"), NULL},
    {1006, ALWAYS, REJECTED("direct chat cannot be updated"), NULL},
    {1007, IF_CHAT, RETRY(CONVERSATION, WAIT_POLICY, "rate limited"), &line_limited},
    {1008, ALWAYS, REJECTED("invalid app message"), NULL},
    /* Forgetting the chat id makes this happen at most once: the next try opens the chat anew. */
    {2001,
     IF_CHAT,
     {.outcome = OUTCOME_RETRY, .retry_after_ms = WAIT_POLICY, .forget_chat = true, .reason = "chat not found"},
     &chat_gone},
    /* The key is known, so the message was taken once; it has been deleted or has expired since. Without an
     * earlier try of ours the same answer means a `reply_to` that is gone. */
    {2002,
     IF_UNSETTLED,
     {.outcome = OUTCOME_SENT, .retry_after_ms = WAIT_POLICY, .reason = "the message existed and is gone"},
     NULL},
    {2003, ALWAYS, REJECTED("attachment not found"), NULL},
    {2004, ALWAYS, KEY_REFUSED("API key refused"), NULL},
    {2005, ALWAYS, REJECTED("access denied"), NULL},
    {2006, ALWAYS, REJECTED("the line is not ours"), NULL},
    {2007, ALWAYS, RETRY(JOB, WAIT_SHORT, "attachment not ready"), NULL},
    {2008, ALWAYS, REJECTED("recipient not allowed"), NULL},
    {2009, ALWAYS, RETRY(CONVERSATION, WAIT_SHORT, "chat is being created"), NULL},
    {2010, ALWAYS, REJECTED("subscription not found"), NULL},
    {2011, ALWAYS, REJECTED("feature not available"), NULL},
    {2012, ALWAYS, REJECTED("contact card not found"), NULL},
    {2013, ALWAYS, REJECTED("chat unavailable"), NULL},
    {2014, ALWAYS, REJECTED("contact card exists"), NULL},
    {2015, ALWAYS, REJECTED("conflicts with the current state"), NULL},
    {2016, ALWAYS, REJECTED("not possible in groups"), NULL},
    {2017, ALWAYS, REJECTED("not possible on this service"), NULL},
    {2018, ALWAYS, REJECTED("app card needs iMessage"), NULL},
    {2019, ALWAYS, REJECTED("line id not found"), NULL},
    {2021, ALWAYS, REJECTED("payment request not found"), NULL},
    {2022, ALWAYS, RETRY(JOB, WAIT_POLICY, "contact card set-up failed"), NULL},
    {2023, ALWAYS, REJECTED("mention not possible here"), NULL},
    {2024, ALWAYS, SUPPRESSED(OPTED_OUT, "recipient opted out"), NULL},
    {2026, ALWAYS, SUPPRESSED(BLOCKED, "recipient is on the block list"), NULL},
    {2027, ALWAYS, FLAGGED("line not eligible to send"), NULL},
    {2028, ALWAYS, REJECTED("app clip needs iMessage"), NULL},
    {3001, ALWAYS, RETRY(JOB, WAIT_POLICY, "server connection error"), NULL},
    {3002, ALWAYS, RETRY(JOB, WAIT_POLICY, "server operation failed"), NULL},
    {3003, ALWAYS, RETRY(JOB, WAIT_POLICY, "service connection error"), NULL},
    {3004, ALWAYS, RETRY(JOB, WAIT_POLICY, "service operation failed"), NULL},
    {3005, ALWAYS, UNKNOWN("network timeout at the provider"), NULL},
    {3006, ALWAYS, RETRY(JOB, WAIT_POLICY, "internal server error"), NULL},
    {3007, ALWAYS, RETRY(JOB, WAIT_DELIVERY, "delivery attempts exhausted"), NULL},
    {4001, ALWAYS, RETRY(JOB, WAIT_POLICY, "delivery failed"), NULL},
    {4002, ALWAYS, FLAGGED("line not available"), NULL},
    {4003, ALWAYS, RETRY(JOB, WAIT_POLICY, "webhook delivery failed"), NULL},
    {4004, ALWAYS, RETRY(JOB, WAIT_SERVICE, "service unavailable"), NULL},
    {4005, ALWAYS, REJECTED("recipient cannot take this type"), NULL},
    {4006, ALWAYS, RETRY(JOB, WAIT_POLICY, "delivery failed"), NULL},
    {4007, ALWAYS, RETRY(JOB, WAIT_POLICY, "delivery failed"), NULL},
    {4008, ALWAYS, RETRY(JOB, WAIT_POLICY, "delivery failed"), NULL},
    {4009, ALWAYS, RETRY(JOB, WAIT_POLICY, "no RCS account"), NULL},
    {4010, ALWAYS, RETRY(JOB, WAIT_POLICY, "capability check could not run"), NULL},
    {5001, ALWAYS, RETRY(JOB, WAIT_POLICY, "upload failed"), NULL},
    {5002, IF_FIRST_5XX, RETRY(JOB, WAIT_POLICY, "download failed"), NULL},
    {5003, ALWAYS, RETRY(JOB, WAIT_POLICY, "upload address failed"), NULL},
    {5004, ALWAYS, REJECTED("file type not allowed"), NULL},
    {5005, ALWAYS, REJECTED("file too large"), NULL},
    {5006, ALWAYS, REJECTED("file type mismatch"), NULL},
    {5007, IF_FIRST_5XX, RETRY(JOB, WAIT_POLICY, "download failed"), NULL},
};

static const struct rule *find_rule(int64_t code)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].code == code)
            return &rules[i];
    }
    return NULL;
}

static bool condition_holds(enum condition condition, const struct answer *answer)
{
    switch (condition) {
    case IF_CHAT:
        return answer->has_chat;
    case IF_UNSETTLED:
        return answer->unsettled;
    case IF_FIRST_5XX:
        return answer->attempt <= 1 && answer->http_status >= 500;
    case ALWAYS:
        break;
    }
    return true;
}

static struct disposition by_rule(const struct rule *rule, const struct answer *answer)
{
    struct disposition verdict = rule->verdict;
    if (!condition_holds(rule->condition, answer)) {
        struct disposition rejected = REJECTED(rule->verdict.reason);
        verdict = rule->otherwise != NULL ? *rule->otherwise : rejected;
    }
    verdict.documented = true;
    return verdict;
}

static struct disposition by_status(int status, bool unsettled)
{
    if (status == 401)
        return (struct disposition)KEY_REFUSED("API key refused");
    if (status == 408 || status == 425) /* both say that the request was not processed */
        return (struct disposition)RETRY(JOB, WAIT_POLICY, "not processed");
    if (status == 429) /* the pair limit has a code; a limit that names nothing may be anybody's */
        return (struct disposition)RETRY(ACCOUNT, WAIT_POLICY, "rate limited");
    if (status >= 400 && status < 500)
        return unsettled ? (struct disposition)UNKNOWN("refused") : (struct disposition)REJECTED("refused");
    if (status >= 300 && status < 400) /* never followed; an address set wrong is not the job's fault */
        return (struct disposition)RETRY(ACCOUNT, WAIT_POLICY, "redirected");
    return (struct disposition)UNKNOWN("server error of unknown extent");
}

static struct disposition of_answer(const struct answer *answer)
{
    if (answer->http_status >= 200 && answer->http_status < 300) {
        struct disposition taken = {.retry_after_ms = WAIT_POLICY, .documented = true};
        if (answer->has_ids) {
            taken.outcome = OUTCOME_SENT;
            return taken;
        }
        return (struct disposition)UNKNOWN("success without ids");
    }
    const struct rule *rule = find_rule(answer->code);
    if (rule != NULL)
        return by_rule(rule, answer);
    return by_status(answer->http_status, answer->unsettled);
}

static struct disposition of_transport(enum transport transport)
{
    struct disposition failed = RETRY(JOB, WAIT_POLICY, "could not connect");
    if (transport == TRANSPORT_LOST)
        failed = (struct disposition)UNKNOWN("no whole answer");
    failed.documented = true;
    return failed;
}

struct disposition disposition_of(const struct answer *answer)
{
    struct disposition verdict =
        answer->transport == TRANSPORT_ANSWERED ? of_answer(answer) : of_transport(answer->transport);
    if (verdict.outcome != OUTCOME_RETRY)
        return verdict;
    /* Nothing (or a date that our clock has passed) is no hint: at once, and again at once, would use up a job's tries
     * within a second, and a wider scope has no end of tries. */
    if (answer->retry_after_ms > 0)
        verdict.retry_after_ms = answer->retry_after_ms;
    /* A refusal of this try says nothing about the earlier one, which is still open. */
    verdict.unknown = verdict.unknown || answer->unsettled;
    return verdict;
}
