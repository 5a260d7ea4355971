/* view_why.c — why a job waits, in words: for each reason the rule that stops it and what would release it. */
#include "broker/edge/view_put.h"

struct why {
    const char *rule, *release;
};

static const struct why whys[] = {
    [REASON_NONE] = {"nothing stops it", "its turn"},
    [REASON_NOT_YET_DUE] = {"send_after lies ahead", "the time of due_at"},
    [REASON_PAUSED] = {"an operator paused everything", "resume of that pause"},
    [REASON_ACCOUNT_PAUSED] = {"an operator paused its account", "resume of that pause"},
    [REASON_POOL_PAUSED] = {"an operator paused its pool", "resume of that pause"},
    [REASON_CAMPAIGN_PAUSED] = {"an operator paused its campaign", "resume of that pause"},
    [REASON_CONVERSATION_PAUSED] = {"an operator paused its conversation", "resume of that pause"},
    [REASON_OUTCOME_UNKNOWN] = {"an attempt of this conversation may or may not have gone out",
                                "a retry with the same key, the provider's webhook, or a person who settles it"},
    [REASON_CONVERSATION_CRITICAL] = {"the provider calls the chat CRITICAL or it has opted out",
                                      "a better word from the provider about this chat"},
    [REASON_LINE_PAUSED] = {"an operator paused its line", "resume of that pause"},
    [REASON_LINE_FLAGGED] = {"its line is FLAGGED by the provider", "a signed ACTIVE, or a probe that gets through"},
    [REASON_LINE_GONE] = {"its line is no longer in the provider's list", "the line's return to the list"},
    [REASON_LINE_CRITICAL] = {"its line's reputation is CRITICAL",
                              "the line's recovery to HEALTHY, proven by a poll"},
    [REASON_LINE_RECOVERING] = {"its line was CRITICAL and is not proven HEALTHY yet",
                                "HEALTHY, agreed by a poll begun later"},
    [REASON_LINE_STALE] = {"nothing was heard of its line for longer than blind_after_ms",
                           "a good poll or a status webhook"},
    [REASON_PROVIDER_DOWN] = {"the provider does not answer, or refuses the key", "an answer to the next probe"},
    [REASON_RETRY_BACKOFF] = {"its last try failed and may be repeated", "the time of due_at"},
    [REASON_CONVERSATION_BUSY] = {"an earlier job of its conversation is under way or goes first",
                                  "the end of the jobs ahead"},
    [REASON_CONVERSATION_AT_RISK] = {"the chat is AT_RISK: one message per at_risk_chat_gap_ms until an answer",
                                     "an answer of the recipient, or the gap's end"},
    [REASON_CONVERSATION_CADENCE] = {"earlier messages are unanswered: cadence_ms",
                                     "an answer of the recipient, or the wait's end"},
    [REASON_QUIET_HOURS] = {"it is night where the recipient is: quiet_hours", "the end of the quiet hours"},
    [REASON_NO_HEALTHY_LINE] = {"no line of the pool is HEALTHY, open and free to take a new conversation",
                                "a line of the pool that opens"},
    [REASON_LINE_AT_RISK] = {"a new conversation starts on a line that is HEALTHY, and heard of within stale_after_ms",
                             "the line's HEALTHY, by a good poll or a status webhook"},
    [REASON_LINE_CORDONED] = {"an operator allows no new conversations on that line",
                              "uncordon, or the end of a drain with move"},
    [REASON_BUDGET_NEW_CONVERSATIONS] = {"new_conversations_per_day is spent", "room in the rolling day"},
    [REASON_BUDGET_RECIPIENTS] = {"distinct_recipients_per_hour is spent", "room in the rolling hour"},
    [REASON_BUDGET_DAILY] = {"daily_messages is spent", "room in the rolling day"},
    [REASON_BUDGET_GROWTH] = {"the line would grow beyond daily_growth_factor", "room in the rolling day"},
    [REASON_BUDGET_PAIR] = {"pair_per_min of this pair is spent", "room in the rolling minute"},
    [REASON_RAMP] = {"its line recovers and lets messages go step by step", "the ramp's next step or turn"},
    [REASON_PACE] = {"its line's pace", "the line's next turn"},
    [REASON_RATE_LIMITED] = {"the provider asked to wait", "the end of its Retry-After"},
    [REASON_NO_WORKER] = {"no worker has a free slot", "a worker that is READY and free"},
};
/* pool_paused that is nobody's pause. */
static const struct why unconfigured = {"its pool is not in the configuration, or another broker owns it",
                                        "the pool's return to this broker's configuration"};
/* pace as what slows a line: what a job waits for is the line's turn, but that changes nothing of this. */
static const struct why doubtful = {"nothing was heard of it for stale_after_ms, or a reputation that nobody documents",
                                    "a good poll or a status webhook, with a reputation that is known"};
_Static_assert(sizeof whys / sizeof *whys == REASON_COUNT, "explain every reason");

int64_t view_word_until_ms(const struct line_view *line)
{
    return line->by_operator && line->status != REPUTATION_HEALTHY ? line->orders->word_until_ms : 0;
}

/* Is it the operator's reputation that the reason tells of, and not the provider's? */
static bool is_word(enum reason reason, int64_t word_until_ms)
{
    return word_until_ms != 0 && (reason == REASON_LINE_CRITICAL || reason == REASON_LINE_AT_RISK);
}

static const char *release_of(enum reason reason, int64_t word_until_ms)
{
    return is_word(reason, word_until_ms) ? "the end of an operator's reputation of the line" : whys[reason].release;
}

static void put_chat_inputs(struct json_out *out, const struct chat_view *chat)
{
    put_word(out, "chat_health", chat->health != CHAT_UNKNOWN ? chat_health_name(chat->health) : NULL);
    put_time(out, "chat_health_at", chat->health_at_ms);
    put_count(out, "unanswered", chat->unanswered);
    put_time(out, "last_out_at", chat->last_out_ms);
    put_time(out, "last_in_at", chat->last_in_ms);
}

/* While it is away, what is known of the line is this broker's own, and of its age. */
static void put_cache_inputs(struct json_out *out, const struct cache_facts *cache)
{
    if (!cache->is_shared)
        return;
    put_word(out, "cache", cache->up ? "up" : "away");
    put_time(out, "cache_away_since", cache->since_ms);
}

static void put_line_inputs(struct json_out *out, const struct line_view *line, struct instant now)
{
    put_line(out, "line", line->number);
    put_word(out, "reputation", reputation_name(line->status));
    put_word(out, "proven", reputation_name(line->proven));
    put_word(out, "source", line->source != SOURCE_NONE ? source_name(line->source) : NULL);
    put_time(out, "changed_at", line->changed_at_ms);
    json_key(out, "heard_ms_ago");
    if (line->heard_at_ms != 0)
        json_put_int(out, now.wall_ms - line->heard_at_ms);
    else
        json_put_null(out);
    put_word(out, "service", service_name(line->service));
    put_word(out, "gate", gate_name(line->gate));
    put_word(out, "gate_reason", line->reason != REASON_NONE ? reason_name(line->reason) : NULL);
    json_key(out, "cordoned");
    json_put_bool(out, line->cordoned);
    json_key(out, "pace_per_min");
    if (line->pace_per_min < 0)
        json_put_null(out);
    else
        json_put_number(out, line->pace_per_min);
    put_count(out, "ramp_percent", line->ramp_percent);
    put_count(out, "daily_messages_used", line->messages_used);
    put_count(out, "new_conversations_used", line->fresh_used);
}

/* Of the budget that stops the job: its policy key, and how much of how much is used. */
static void put_budget_inputs(struct json_out *out, enum reason reason, const struct budget_state *state)
{
    static const char *const keys[REASON_COUNT] = {
        [REASON_BUDGET_NEW_CONVERSATIONS] = "new_conversations_per_day",
        [REASON_BUDGET_RECIPIENTS] = "distinct_recipients_per_hour",
        [REASON_BUDGET_DAILY] = "daily_messages",
        [REASON_BUDGET_GROWTH] = "daily_growth_factor",
        [REASON_BUDGET_PAIR] = "pair_per_min",
    };
    if (keys[reason] == NULL)
        return;
    json_key(out, "budget");
    json_open(out, '{');
    put_word(out, "key", keys[reason]);
    view_budget(out, state->used, state->limit);
    json_close(out, '}');
}

void view_estimate(struct json_out *out, const struct estimate *estimate)
{
    bool known = estimate->at_ms != 0;
    put_time(out, "estimated_at", estimate->at_ms);
    put_word(out, "estimate_unknown",
             known ? NULL : estimate->unknown != REASON_NONE ? reason_name(estimate->unknown) : "too_far");
    json_key(out, "queue");
    json_open(out, '{');
    put_count(out, "ahead", estimate->ahead);
    put_count(out, "lines", estimate->lines);
    json_key(out, "per_min");
    if (estimate->per_min < 0) /* without limit */
        json_put_null(out);
    else
        json_put_number(out, (double)(int64_t)(estimate->per_min * 10 + 0.5) / 10);
    json_close(out, '}');
}

static void put_paused(struct json_out *out, const char *by, const char *reason, int64_t until_ms)
{
    json_key(out, "paused");
    json_open(out, '{');
    put_word(out, "by", by[0] != '\0' ? by : NULL);
    put_word(out, "reason", reason[0] != '\0' ? reason : NULL);
    put_time(out, "until", until_ms);
    json_close(out, '}');
}

static struct why why_of(const struct cause *cause, bool of_line, int64_t word_until_ms)
{
    if (cause->code == CODE_UNKNOWN_LINE)
        return (struct why){"it is no line of the job's pool", NULL};
    if (cause->code == CODE_LINE_CONFLICT)
        return (struct why){"the conversation lives on another line, or one of its jobs names another", NULL};
    if (cause->reason == REASON_POOL_PAUSED && cause->paused == NULL)
        return unconfigured;
    if (cause->reason == REASON_PACE && of_line)
        return doubtful;
    return (struct why){whys[cause->reason].rule, release_of(cause->reason, word_until_ms)};
}

void view_cause(struct json_out *out, const struct cause *cause, bool of_line, int64_t word_until_ms)
{
    struct why why = why_of(cause, of_line, word_until_ms);
    json_open(out, '{');
    if (cause->code != CODE_NONE)
        put_word(out, "code", code_name(cause->code));
    else
        put_reason(out, cause->reason);
    put_word(out, "rule", why.rule);
    put_word(out, "release", why.release);
    put_time(out, "release_at", is_word(cause->reason, word_until_ms) ? word_until_ms : cause->release_at_ms);
    if (cause->line != 0)
        put_line(out, "line", cause->line);
    put_budget_inputs(out, cause->reason, &cause->budget);
    if (cause->paused != NULL)
        put_paused(out, cause->paused->by, cause->paused->reason, cause->paused->until_ms);
    json_close(out, '}');
}

void view_why(struct json_out *out, const struct job_view *job, const struct line_view *line, const struct why_more *more,
              struct instant now)
{
    enum reason reason = job->reason < REASON_COUNT ? job->reason : REASON_NONE;
    bool leased = job->state == JOB_LEASED;
    bool nobodys = reason == REASON_POOL_PAUSED && job->pause == 0;
    const char *release = nobodys ? unconfigured.release : release_of(reason, more->word_until_ms);
    char pause[PAUSE_TEXT_MAX];
    pause_text(job->pause, pause);
    json_open(out, '{');
    put_reason(out, reason);
    put_word(out, "rule", leased ? "a worker has it" : nobodys ? unconfigured.rule : whys[reason].rule);
    put_time(out, "since", job->since_ms);
    json_key(out, "inputs");
    json_open(out, '{');
    put_count(out, "attempts", job->attempts);
    json_key(out, "unsettled");
    json_put_bool(out, job->unsettled);
    put_chat_inputs(out, &job->chat);
    put_word(out, "zone", job->zone);
    put_budget_inputs(out, reason, &job->budget);
    if (line != NULL)
        put_line_inputs(out, line, now);
    put_cache_inputs(out, &more->cache);
    json_close(out, '}');
    put_word(out, "release", leased ? "the worker's result, or the lease's end" : release);
    put_time(out, "release_at", is_word(reason, more->word_until_ms) ? more->word_until_ms : job->release_at_ms);
    put_count(out, "ahead", job->ahead);
    put_word(out, "pause", job->pause != 0 ? pause : NULL);
    if (more->paused)
        put_paused(out, more->pause_by, more->pause_reason, more->pause_until_ms);
    view_estimate(out, &more->estimate);
    json_close(out, '}');
}
