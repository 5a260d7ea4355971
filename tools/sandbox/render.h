/* render.h — the provider's JSON: answers, errors and events, in the shapes of linq-api.md 2 and 3.
 *
 * Pure: reads the world, writes into a json_out. */
#ifndef SANDBOX_RENDER_H
#define SANDBOX_RENDER_H

#include <stdint.h>

#include "lineward/json.h"
#include "tools/sandbox/world.h"

#define TRACE_TEXT_MAX 33 /* 32 hex digits and terminator */

/* The trace id of the `n`th request or event of this run. */
void sandbox_render_trace(uint64_t seed, uint64_t n, char out[TRACE_TEXT_MAX]);

/* An error body; `code` 0: none of the provider's; `retry_after_s` < 0: none. */
void sandbox_render_error(struct json_out *out, int code, int http, int64_t retry_after_s, const char *trace);

/* The list as it was at a moment of the steady clock. */
void sandbox_render_line_list(struct json_out *out, const struct world *world, int64_t as_of_mono_ms);
/* One member of GET /v3/chats, and the body of GET /v3/chats/{id}. */
void sandbox_render_chat(struct json_out *out, const struct world *world, uint32_t chat);
/* The answer to a send as it was first given: delivery_status pending, whatever happened since. */
void sandbox_render_chat_opened(struct json_out *out, const struct world *world, uint32_t message);
void sandbox_render_message_taken(struct json_out *out, const struct world *world, uint32_t message);
/* GET /v3/messages/{id}. */
void sandbox_render_message(struct json_out *out, const struct world *world, uint32_t message, int64_t now_wall_ms);

/* ---- webhook payloads (version 2026-02-03); `number` makes the event's id ---- */

void sandbox_render_status_event(struct json_out *out, const struct world *world, uint64_t number, const char *line,
                                 enum reputation before, enum reputation after, enum service service_before,
                                 enum service service_after, int64_t changed_wall_ms, int64_t now_wall_ms);
/* `type`: message.sent, .delivered, .read or .received; `at_wall_ms`: when that happened. */
void sandbox_render_message_event(struct json_out *out, const struct world *world, uint64_t number, const char *type,
                                  uint32_t message, int64_t at_wall_ms);
void sandbox_render_chat_event(struct json_out *out, const struct world *world, uint64_t number, const char *type,
                               uint32_t chat, int64_t at_wall_ms);
void sandbox_render_failed_event(struct json_out *out, const struct world *world, uint64_t number, uint32_t message,
                                 int code, int64_t at_wall_ms);

#endif
