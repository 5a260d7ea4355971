/* The body of a webhook whose signature was good; and what the child tells the broker of it. */
#include "broker/feed/feed_linq.h"
#include "fuzz.h"

#define ARRIVED_MS INT64_C(1795428000000)

static void check_ends(const struct feed_webhook *event)
{
    const char *texts[] = {event->event_id, event->webhook_id, event->message_id, event->chat_id,
                           event->idempotency_key};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fuzz_check(memchr(texts[i], '\0', FEED_TEXT_MAX) != NULL);
        for (const char *c = texts[i]; *c != '\0'; c++)
            fuzz_check(*c >= ' ' && *c <= '~');
    }
    fuzz_check(event->line[0] == '\0' || e164_is_valid(event->line));
    fuzz_check(event->changed_at_ms <= ARRIVED_MS + LINQ_AHEAD_MS_MAX);
    fuzz_check(event->at_ms <= ARRIVED_MS + LINQ_AHEAD_MS_MAX);
    fuzz_check(event->chat_health_at_ms <= ARRIVED_MS + LINQ_AHEAD_MS_MAX);
}

/* The broker understands it as it was meant. */
static void check_told(const struct feed_webhook *event)
{
    struct feed_message message = {.kind = FEED_WEBHOOK, .account = "default", .webhook = *event};
    struct feed_message heard = {0};
    struct feed_buffer buffer = {0};
    size_t used = 0;
    message.webhook.request = 7;
    fuzz_check(feed_encode(&buffer, &message) == ERR_NONE);
    fuzz_check(feed_decode(buffer.data, buffer.bytes, &used, &heard) == ERR_NONE && used == buffer.bytes);
    fuzz_check(heard.webhook.event == event->event && heard.webhook.changed_at_ms == event->changed_at_ms);
    fuzz_check(strcmp(heard.webhook.line, event->line) == 0 && strcmp(heard.webhook.sender, event->sender) == 0);
    fuzz_check(strcmp(heard.webhook.event_id, event->event_id) == 0);
    feed_message_clear(&heard);
    feed_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct feed_webhook event = {0};
    if (linq_read_webhook((const char *)data, bytes, ARRIVED_MS, &event) == LINQ_TAKEN) {
        check_ends(&event);
        check_told(&event);
    }
    return 0;
}
