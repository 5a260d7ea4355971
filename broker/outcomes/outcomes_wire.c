/* outcomes_wire.c — the two messages of outcomes.h as bytes. */
#include <string.h>

#include "broker/outcomes/outcomes.h"

struct post_head {
    uint64_t request;
    uint32_t body_bytes;
    uint8_t pool_bytes, id_bytes;
};

struct result_packet {
    uint64_t request;
    int64_t retry_after_ms;
    int32_t status;
    uint32_t problem;
};

_Static_assert(sizeof(struct result_packet) <= OUTCOME_RESULT_BYTES, "room for a result");
_Static_assert(sizeof(struct post_head) + NAME_MAX_BYTES + OUTCOME_ID_MAX + OUTCOME_BODY_BYTES_MAX <=
                   OUTCOME_PACKET_BYTES_MAX,
               "room for a post");

const char *outcome_problem_name(enum outcome_problem problem)
{
    static const char *const names[OUTCOME_PROBLEM_COUNT] = {
#define X(name, text) text,
        OUTCOME_PROBLEM_LIST(X)
#undef X
    };
    return (unsigned)problem < OUTCOME_PROBLEM_COUNT ? names[problem] : "?";
}

size_t outcome_post_encode(const struct outcome_post *post, uint8_t *packet)
{
    struct post_head head = {.request = post->request,
                             .body_bytes = (uint32_t)post->bytes,
                             .pool_bytes = (uint8_t)strlen(post->pool),
                             .id_bytes = (uint8_t)strlen(post->id)};
    if (post->bytes > OUTCOME_BODY_BYTES_MAX)
        return 0;
    uint8_t *at = packet;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    memcpy(at, post->pool, head.pool_bytes);
    at += head.pool_bytes;
    memcpy(at, post->id, head.id_bytes);
    at += head.id_bytes;
    memcpy(at, post->body, post->bytes);
    return (size_t)(at - packet) + post->bytes;
}

/* A text of a header, so nothing that could end one. */
static bool take_text(char *out, const uint8_t *bytes, size_t count)
{
    memcpy(out, bytes, count);
    out[count] = '\0';
    for (size_t i = 0; i < count; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return false;
    return count > 0;
}

bool outcome_post_decode(const uint8_t *packet, size_t bytes, struct outcome_post *out)
{
    struct post_head head;
    if (bytes < sizeof head)
        return false;
    memcpy(&head, packet, sizeof head);
    if (head.pool_bytes > NAME_MAX_BYTES || head.id_bytes > OUTCOME_ID_MAX ||
        head.body_bytes > OUTCOME_BODY_BYTES_MAX ||
        bytes != sizeof head + head.pool_bytes + head.id_bytes + head.body_bytes)
        return false;
    const uint8_t *at = packet + sizeof head;
    out->request = head.request;
    out->body = (const char *)at + head.pool_bytes + head.id_bytes;
    out->bytes = head.body_bytes;
    return take_text(out->pool, at, head.pool_bytes) && take_text(out->id, at + head.pool_bytes, head.id_bytes);
}

size_t outcome_result_encode(const struct outcome_result *result, uint8_t packet[OUTCOME_RESULT_BYTES])
{
    struct result_packet value = {.request = result->request,
                                  .retry_after_ms = result->retry_after_ms,
                                  .status = result->status,
                                  .problem = (uint32_t)result->problem};
    memcpy(packet, &value, sizeof value);
    return sizeof value;
}

bool outcome_result_decode(const uint8_t *packet, size_t bytes, struct outcome_result *out)
{
    struct result_packet value;
    if (bytes != sizeof value)
        return false;
    memcpy(&value, packet, sizeof value);
    if (value.problem >= OUTCOME_PROBLEM_COUNT || value.status < 0 || value.status > 999 || value.retry_after_ms < 0)
        return false;
    *out = (struct outcome_result){.request = value.request,
                                   .problem = (enum outcome_problem)value.problem,
                                   .status = value.status,
                                   .retry_after_ms = value.retry_after_ms};
    return true;
}
