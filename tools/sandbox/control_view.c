/* control_view.c — the sandbox as JSON. */
#include "tools/sandbox/control_view.h"

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void put_clocks(struct json_out *out, struct instant now)
{
    put_int(out, "mono_ms", now.mono_ms);
    put_int(out, "wall_ms", now.wall_ms);
}

static void put_line(struct json_out *out, const struct world_line *line)
{
    put_text(out, "line", line->number);
    put_text(out, "reputation", reputation_name(line->reputation));
    put_text(out, "listed_reputation", reputation_name(line->listed_reputation));
    put_text(out, "service", service_name(line->service));
    put_int(out, "change", (int64_t)line->change);
    put_int(out, "accepted", (int64_t)line->accepted);
    put_int(out, "duplicates", (int64_t)line->duplicates);
    put_int(out, "refused", (int64_t)line->refused);
    put_int(out, "chats", (int64_t)line->chats);
}

void sandbox_view_line(struct json_out *out, const struct world *world, uint32_t line, struct instant now)
{
    json_open(out, '{');
    put_line(out, &world->lines[line]);
    put_clocks(out, now);
    json_close(out, '}');
}

static void put_lines(struct json_out *out, const struct world *world)
{
    json_key(out, "lines");
    json_open(out, '[');
    for (uint32_t i = 0; i < world->line_count; i++) {
        if (world->lines[i].removed)
            continue;
        json_open(out, '{');
        put_line(out, &world->lines[i]);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void sandbox_view_lines(struct json_out *out, const struct world *world, struct instant now)
{
    json_open(out, '{');
    put_lines(out, world);
    put_clocks(out, now);
    json_close(out, '}');
}

void sandbox_view_faults(struct json_out *out, const struct faults *faults)
{
    static const char *const targets[] = {
        [FAULT_ON_SENDS] = "sends", [FAULT_ON_READS] = "reads", [FAULT_ON_ALL] = "all"};
    json_open(out, '{');
    json_key(out, "down");
    json_put_bool(out, faults->down);
    put_text(out, "on", targets[faults->target]);
    put_text(out, "only_line", faults->only_line[0] == '\0' ? NULL : faults->only_line);
    put_int(out, "latency_ms", faults->latency_ms);
    put_int(out, "jitter_ms", faults->jitter_ms);
    put_int(out, "retry_after_s", faults->retry_after_s);
    put_int(out, "silence_ms", faults->silence_ms);
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        json_key(out, fault_rate_key((enum fault)fault));
        json_put_number(out, faults->rate[fault]);
    }
    json_close(out, '}');
}

void sandbox_view_stats(struct json_out *out, const struct sandbox *sandbox, struct instant now)
{
    const struct world *world = sandbox->world;
    json_open(out, '{');
    put_int(out, "requests", (int64_t)sandbox->requests);
    put_int(out, "accepted", (int64_t)world->accepted);
    put_int(out, "duplicates", (int64_t)world->duplicates);
    put_int(out, "refused", (int64_t)world->refused);
    put_int(out, "chats", world->chat_count);
    put_int(out, "recipients", world->recipient_count);
    put_int(out, "messages", world->message_count);
    put_int(out, "events", (int64_t)sandbox->events);
    json_key(out, "faults");
    json_open(out, '{');
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++)
        put_int(out, fault_name((enum fault)fault), (int64_t)sandbox->faulted[fault]);
    put_int(out, "rule", (int64_t)sandbox->ruled);
    json_close(out, '}');
    put_lines(out, world);
    put_clocks(out, now);
    json_close(out, '}');
}
