/* operators_acts.c — one wish of the operators, carried out as the admin API does it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/recipients.h"
#include "tests/sim/desk.h"
#include "tests/sim/erasures.h"
#include "tests/sim/operators_part.h"
#include "tests/sim/provider.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

static uint64_t campaign_target(const struct core *core, int target)
{
    uint16_t campaign = core_campaign_find(core, target % OPERATORS_CAMPAIGNS == 0 ? "a" : "b");
    return campaign == 0 ? 0 : (uint64_t)(target / OPERATORS_CAMPAIGNS) << 16 | campaign;
}

static uint64_t conversation_key(int conversation, char name[2 * CAST_HANDLE_MAX])
{
    char handles[2][CAST_HANDLE_MAX];
    struct json_out text = {0};
    int count = cast_recipients(conversation, handles);
    cast_put_recipients(&text, conversation);
    uint64_t key = recipients_conversation(desk_options()->hash, cast_pool_name(cast_pool_of(conversation)),
                                           (struct span){text.text, text.bytes});
    json_out_free(&text);
    snprintf(name, 2 * CAST_HANDLE_MAX, "%s%s%s", handles[0], count > 1 ? "," : "", count > 1 ? handles[1] : "");
    return key;
}

static uint64_t pause_target(const struct core *core, const struct wish *wish, char name[2 * CAST_HANDLE_MAX])
{
    switch (wish->scope) {
    case PAUSE_LINE:
        return cast_line_digits(wish->target);
    case PAUSE_CAMPAIGN:
        return campaign_target(core, wish->target);
    case PAUSE_CONVERSATION:
        return conversation_key(wish->target, name);
    default:
        return wish->scope == PAUSE_POOL || wish->scope == PAUSE_ACCOUNT ? (uint64_t)wish->target : 0;
    }
}

static void pause_or_resume(struct core *core, struct wish *wish, struct instant now, struct effects *out)
{
    char name[2 * CAST_HANDLE_MAX] = "";
    uint64_t target = pause_target(core, wish, name);
    if (wish->scope == PAUSE_CAMPAIGN && target == 0) { /* nobody has named it yet */
        wish->unknown = true;
        core_answer(out, wish->token);
        return;
    }
    if (wish->act == ACT_RESUME) {
        core_resume(core, wish->token, wish->scope, target, 0, now, out);
        return;
    }
    if (erasures_may_be_open(wish->target)) /* the API then masks it */
        name[0] = '\0';
    struct core_pause pause = {.token = wish->token,
                               .scope = wish->scope,
                               .target = target,
                               .name = name,
                               .for_ms = wish->for_ms,
                               .reason = "r",
                               .by = "ops"};
    if (wish->scope == PAUSE_CONVERSATION)
        pause.pool = (uint32_t)cast_pool_of(wish->target);
    core_pause(core, &pause, now, out);
}

static void suppress(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    char handles[2][CAST_HANDLE_MAX];
    uint64_t homes[CONF_POOLS_MAX];
    int account = cast_account_of(wish->target);
    const struct keyed_hash *hash = desk_options()->hash;
    cast_recipients(wish->target, handles);
    struct core_suppress ask = {
        .token = wish->token,
        .account = (uint32_t)account,
        .recipient = keyed_hash(hash, KEYED_RECIPIENT, cast_account_name(account), handles[0], strlen(handles[0])),
        .handle = erasures_may_be_open(wish->target) ? NULL : handles[0],
        .reason = "r",
        .by = "ops",
        .conversations = homes,
        .conversation_count = recipients_homes(hash, desk_options()->conf, (uint32_t)account, handles[0], homes)};
    if (wish->act == ACT_SUPPRESS)
        core_suppress(core, &ask, now, out);
    else
        core_unsuppress(core, &ask, now, out);
}

static void set_reputation(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    struct core_word word = {.token = wish->token,
                             .line = cast_line_digits(wish->target),
                             .status = wish->word,
                             .for_ms = wish->for_ms,
                             .reason = "r",
                             .by = "ops",
                             .may_better = true};
    if (wish->act == ACT_SET)
        core_reputation(core, &word, now, out);
    else
        core_reputation_end(core, wish->token, word.line, now, out);
}

static void drain(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    struct core_drain ask = {.token = wish->token,
                             .line = cast_line_digits(wish->target),
                             .mode = wish->act == ACT_DRAIN ? wish->drain : DRAIN_NONE,
                             .order = (enum drain_order)(wish->token % DRAIN_ORDER_COUNT),
                             .stop_percent = 20,
                             .pace_per_min = 20,
                             .by = "ops"};
    core_drain(core, &ask, now, out);
}

static void settle(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    static const char word[] = "{\"settled_by\":\"ops\"}";
    if (!provider_has(wish->job))
        cast_jobs[wish->job].called_unsent_us = now_us();
    core_settle(core, wish->token, cast_jobs[wish->job].number, provider_has(wish->job),
                (struct span){word, sizeof word - 1}, now, out);
}

static void move(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    char name[2 * CAST_HANDLE_MAX];
    core_move(core, wish->token, conversation_key(wish->target, name), cast_line_digits(wish->line), now, out);
}

/* A conversation that exists at the provider. What records are made of is lent, and not given back here. */
static void import(struct core *core, struct wish *wish, struct instant now, struct effects *out)
{
    char name[2 * CAST_HANDLE_MAX], chat[64];
    if (erasures_may_be_open(wish->target)) { /* the API refuses it */
        wish->unknown = true;
        core_answer(out, wish->token);
        return;
    }
    struct json_out to = {0}, chat_json = {0};
    cast_put_recipients(&to, wish->target);
    wants_chat_id(wish->target, chat);
    json_put_string(&chat_json, chat);
    struct core_adopt adopt = {.token = wish->token,
                               .pool = (uint32_t)cast_pool_of(wish->target),
                               .conversation = conversation_key(wish->target, name),
                               .line = cast_line_digits(wish->line),
                               .chat_hash = chat_id_hash(desk_options()->hash, chat),
                               .recipients = {to.text, to.bytes},
                               .chat_id = {chat_json.text, chat_json.bytes}};
    core_adopt(core, &adopt, false, now, out);
}

static void look_up_letter(struct wish *wish, struct core *core, struct instant now)
{
    struct lookup_job *job = calloc(1, sizeof *job);
    assert(job != NULL);
    job->number = cast_jobs[wish->job].number;
    wish->mark = core_requeue_mark(core);
    struct lookup_request request = {
        .what = LOOKUP_LETTERS, .token = wish->token, .now = now, .jobs = job, .job_count = 1};
    if (lookup_submit(desk_options()->lookup, &request) != ERR_NONE) {
        free(job);
        wish->used = false;
    }
}

void acts_requeue(struct wish *wish, struct instant now, struct effects *out)
{
    struct lookup_answer *answer = &wish->answer;
    const struct admin_shell *shell = &desk_options()->shell;
    enum code code = CODE_NOT_FOUND;
    if (answer->letter_count > 0) {
        struct dead_letter *letter = &answer->letters[0];
        if (letter->requeue.number != cast_jobs[wish->job].number)
            breach("P1", about_job(wish->job), "the dead letter of job %d is another one's: %.200s", wish->job,
                   answer->text.text + letter->at);
        letter->requeue.mark = wish->mark;
        uint64_t home = 0;
        const struct admin_requeue ask = {.letter = &letter->requeue,
                                          .document = {answer->text.text + letter->at, letter->bytes},
                                          .home = &home};
        code = shell->requeue(shell->self, &ask, now, out);
        if (code == CODE_LINE_CONFLICT && (home == 0 || (letter->requeue.doubtful && home == letter->requeue.line)))
            breach("P10", about_job(wish->job), "job %d is refused as if it lived elsewhere than on line %llu", wish->job,
                   (unsigned long long)home);
        if (code == CODE_NONE) /* else it is as dead as it was */
            witness_requeued(wish->job);
    }
    note(about_job(wish->job), "operators: job %d is requeued: %s", wish->job, code_name(code));
    lookup_answer_free(answer);
    wish->looked_up = false;
    core_answer(out, wish->token);
}

void acts_carry_out(struct wish *wish, struct core *core, struct instant now, struct effects *out)
{
    bool names = wish->act == ACT_SUPPRESS || wish->act == ACT_UNSUPPRESS || wish->act == ACT_IMPORT ||
                 ((wish->act == ACT_PAUSE || wish->act == ACT_RESUME) && wish->scope == PAUSE_CONVERSATION);
    if (names)
        erasures_named(wish->target);
    switch (wish->act) {
    case ACT_PAUSE:
    case ACT_RESUME:
        pause_or_resume(core, wish, now, out);
        break;
    case ACT_CORDON:
    case ACT_UNCORDON:
        core_cordon(core, wish->token, cast_line_digits(wish->target), wish->act == ACT_CORDON, now, out);
        break;
    case ACT_SET:
    case ACT_UNSET:
        set_reputation(core, wish, now, out);
        break;
    case ACT_DRAIN:
    case ACT_UNDRAIN:
        drain(core, wish, now, out);
        break;
    case ACT_SETTLE:
        settle(core, wish, now, out);
        break;
    case ACT_REQUEUE:
        look_up_letter(wish, core, now);
        break;
    case ACT_SUPPRESS:
    case ACT_UNSUPPRESS:
        suppress(core, wish, now, out);
        break;
    case ACT_MOVE:
        move(core, wish, now, out);
        break;
    case ACT_IMPORT:
        import(core, wish, now, out);
        break;
    }
}
