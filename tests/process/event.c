/* event.c — see event.h. */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "lineward/signature.h"

void event_make(struct event *event, const char *line, const char *news, int64_t changed_wall_ms)
{
    static unsigned events;
    char changed_at[TIME_TEXT_MAX];
    time_format(changed_wall_ms, changed_at);
    snprintf(event->id, sizeof event->id, "00000000-0000-4000-8000-%012u", ++events);
    snprintf(event->body, sizeof event->body,
             "{\"api_version\":\"v3\",\"webhook_version\":\"2026-02-03\","
             "\"event_type\":\"phone_number.status_updated\",\"event_id\":\"%s\",\"created_at\":\"%s\","
             "\"data\":{\"phone_number\":\"%s\",\"changed_at\":\"%s\",%s}}",
             event->id, changed_at, line, changed_at, news);
}

long event_post(struct rig *rig, const struct event *event, const char *secret_text, int64_t age_s)
{
    struct webhook_secret secret;
    char timestamp[32], signature[SIGNATURE_TEXT_MAX], headers[3][128];
    MUST(webhook_secret_parse(secret_text, &secret), "no secret: %s", secret_text);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(clock_read().wall_ms / 1000 - age_s));
    signature_make(&secret, event->id, timestamp, event->body, strlen(event->body), signature);
    snprintf(headers[0], sizeof headers[0], "webhook-id: %s", event->id);
    snprintf(headers[1], sizeof headers[1], "webhook-timestamp: %s", timestamp);
    snprintf(headers[2], sizeof headers[2], "webhook-signature: %s", signature);
    return rig_post_webhook(rig, "/webhooks/linq", event->body,
                            (const char *const[]){headers[0], headers[1], headers[2], NULL});
}
