/* change.c — the key of each change and the names of topics. */
#include "broker/core/change.h"

uint64_t change_key(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_START:
        return change->start->start;
    case CHANGE_NAME:
        return change->name->number;
    case CHANGE_JOB:
        return change->job.number;
    case CHANGE_TRY:
        return change->try.number;
    case CHANGE_END:
        return change->end.number;
    case CHANGE_CONVERSATION:
        return change->conversation.key;
    case CHANGE_LINE:
        return change->line->number;
    case CHANGE_PAUSE:
        return change->pause->id;
    case CHANGE_SEEN:
        return change->seen.event;
    case CHANGE_DELIVERY:
        return change->delivery.number;
    case CHANGE_GATE:
        return change->gate.line;
    case CHANGE_REPUTATION:
        return change->reputation.line;
    case CHANGE_SUPPRESSION:
        return change->suppression.key;
    case CHANGE_ORDERS:
        return change->orders->line;
    case CHANGE_CAMPAIGN:
        return (uint64_t)change->campaign.pool << 16 | change->campaign.name;
    case CHANGE_REPLIES:
        return (uint64_t)change->replies.class << 32 | (uint64_t)change->replies.pool << 16 | change->replies.campaign;
    case CHANGE_AUDIT:
        return change->audit->number / AUDIT_SHELF;
    case CHANGE_OUTCOMES:
        return change->outcomes->pool;
    case CHANGE_ERASURE:
        return change->erasure->id;
    case CHANGE_FORGOTTEN:
        return change->conversation.key;
    case CHANGE_KIND_COUNT:
        break;
    }
    return 0;
}

const char *topic_name(enum topic topic)
{
    static const char *const names[TOPIC_COUNT] = {
        [TOPIC_JOB_SCHEDULED] = "job.scheduled",   [TOPIC_JOB_QUEUED] = "job.queued",
        [TOPIC_JOB_LEASED] = "job.leased",         [TOPIC_JOB_SENT] = "job.sent",
        [TOPIC_JOB_FAILED] = "job.failed",         [TOPIC_JOB_EXPIRED] = "job.expired",
        [TOPIC_JOB_CANCELLED] = "job.cancelled",   [TOPIC_JOB_SUPPRESSED] = "job.suppressed",
        [TOPIC_JOB_DELIVERY] = "job.delivery",     [TOPIC_LINE_REPUTATION] = "line.reputation",
        [TOPIC_LINE_GATE] = "line.gate",           [TOPIC_POOL_PAUSED] = "pool.paused",
        [TOPIC_POOL_RESUMED] = "pool.resumed",
    };
    return (unsigned)topic < TOPIC_COUNT ? names[topic] : "?";
}
