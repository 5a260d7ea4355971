/* record_walk_line.c — the fields of a line, and of what operators ordered: as in record_walk.c. */
#include "broker/store/record_cursor.h"

static size_t bucket_slot(const struct budget_window *window, uint64_t back)
{
    return (size_t)((uint64_t)window->newest % BUDGET_BUCKETS + BUDGET_BUCKETS - back) % BUDGET_BUCKETS;
}

/* From the newest count back to the oldest one that is not 0: of 145 such at most, so that four windows always fit. */
static void walk_window(struct cursor *cursor, struct budget_window *window)
{
    uint64_t used = 0;
    SIGNED(window->newest);
    for (uint64_t back = 0; cursor->write != NULL && back < BUDGET_BUCKETS; back++)
        if (window->count[bucket_slot(window, back)] != 0)
            used = back + 1;
    FIELD(used);
    if (used > BUDGET_BUCKETS || window->newest < 0) {
        cursor->broken = true;
        return;
    }
    for (uint64_t back = 0; back < used; back++) {
        uint16_t *count = &window->count[bucket_slot(window, back)];
        FIELD(*count);
        if (cursor->write == NULL)
            window->sum += *count;
    }
}

/* The latest day first. */
void record_walk_reply_days(struct cursor *cursor, struct reply_days *days)
{
    FIELD(days->newest);
    for (uint32_t ago = 0; ago < REPLY_DAYS; ago++) {
        size_t slot = ((size_t)days->newest + REPLY_DAYS - ago) % REPLY_DAYS;
        FIELD(days->sent[slot]);
        FIELD(days->answered[slot]);
    }
}

void record_walk_line(struct cursor *cursor, struct change_line *line)
{
    FIELD(line->account);
    FIELD(line->word);
    FIELD(line->previous);
    FIELD(line->proven);
    FIELD(line->source);
    FIELD(line->service);
    FIELD(line->service_source);
    FIELD(line->hold);
    FIELD(line->gone);
    FIELD(line->cordoned);
    FIELD(line->heard);
    FIELD(line->missed_polls);
    FIELD(line->ramp_step);
    FIELD(line->relapses);
    SIGNED(line->changed_at_ms);
    SIGNED(line->heard_at_ms);
    SIGNED(line->first_seen_ms);
    SIGNED(line->flagged_at_ms);
    SIGNED(line->ramp_until_ms);
    SIGNED(line->relapsed_at_ms);
    SIGNED(line->gate_since_ms);
    SIGNED(line->event_at_ms);
    walk_window(cursor, &line->messages);
    walk_window(cursor, &line->fresh);
    walk_window(cursor, &line->out);
    SIGNED(line->day);
    for (int i = 0; i < LEVEL_DAYS; i++)
        FIELD(line->days[i]);
    walk_window(cursor, &line->away);
    record_walk_reply_days(cursor, &line->replies); /* from version 6 on */
}

void record_walk_pause(struct cursor *cursor, struct change_pause *pause)
{
    FIELD(pause->scope);
    FIELD(pause->over);
    FIELD(pause->target);
    SIGNED(pause->since_ms);
    SIGNED(pause->until_ms);
    cursor_text(cursor, pause->reason, sizeof pause->reason);
    cursor_text(cursor, pause->by, sizeof pause->by);
    FIELD(pause->pool); /* from version 2 on */
    cursor_text(cursor, pause->name, sizeof pause->name);
}

void record_walk_orders(struct cursor *cursor, struct change_orders *orders)
{
    FIELD(orders->word);
    FIELD(orders->word_stands);
    SIGNED(orders->word_since_ms);
    SIGNED(orders->word_until_ms);
    cursor_text(cursor, orders->word_reason, sizeof orders->word_reason);
    cursor_text(cursor, orders->word_by, sizeof orders->word_by);
    FIELD(orders->drain);
    SIGNED(orders->drain_pace_per_min);
    SIGNED(orders->drain_since_ms);
    FIELD(orders->drain_before);
    FIELD(orders->drain_jobs);
    FIELD(orders->drain_conversations);
    cursor_text(cursor, orders->drain_by, sizeof orders->drain_by);
    FIELD(orders->drain_order);
    FIELD(orders->drain_stop_percent);
    FIELD(orders->drain_state);
    FIELD(orders->drain_past);
    FIELD(orders->drain_opened);
    FIELD(orders->drain_sent);
    FIELD(orders->drain_failed);
    FIELD(orders->drain_total);
    SIGNED(orders->drain_ended_ms);
    FIELD(orders->drain_pause);
    cursor_text(cursor, orders->drain_why, sizeof orders->drain_why);
}
