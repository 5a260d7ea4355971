/* operators.c — see operators.h. */
#include "tests/sim/operators.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "broker/edge/admin.h"
#include "broker/edge/recipients.h"
#include "tests/sim/cast.h"
#include "tests/sim/house.h"
#include "tests/sim/posts.h"
#include "tests/sim/provider.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_stops.h"

#define WISHES_MAX 128
#define AGAIN_US   (15 * US_S)
#define IMPORT_AGAIN_US (500 * US_MS)
#define DRAINS_OVER_US (10 * US_MIN) /* after all was healed, those that were asked to end have ended */
#define TAG_SHIFT  56
#define CAMPAIGNS  2

struct admin {
    struct admin_options options;
    bool open;
};

struct tokens {
    int unused;
};

enum act { ACT_PAUSE, ACT_RESUME, ACT_CORDON, ACT_UNCORDON, ACT_SET, ACT_UNSET, ACT_DRAIN, ACT_UNDRAIN, ACT_SETTLE,
           ACT_REQUEUE, ACT_SUPPRESS, ACT_UNSUPPRESS, ACT_MOVE, ACT_IMPORT };

struct wish {
    bool used, asked, unknown; /* unknown: what it is about is not there */
    enum act act;
    enum pause_scope scope;
    int target; /* a line, pool, conversation, or pool * CAMPAIGNS + campaign */
    int line;   /* to move to */
    int job;
    int64_t for_ms;
    enum reputation word;
    enum drain drain;
    uint64_t token;
    unsigned ends, begins; /* of what is known, when it was asked */
    int64_t asked_us;
    bool looked_up;
    uint64_t mark;
    struct lookup_answer answer;
};

struct known { /* of one pause, cordon, ... */
    bool surely, maybe;
    int64_t since_us, over_us;
    unsigned ends, begins; /* that were asked for */
};

static struct {
    struct admin admin;
    struct tokens tokens;
    struct wish wishes[WISHES_MAX];
    uint64_t tokens_given;
    struct known paused[PAUSE_SCOPE_COUNT][CAST_CONVERSATIONS];
    struct known cordoned[CAST_LINES], set[CAST_LINES], drained[CAST_LINES];
    struct known stopped[CAST_CONVERSATIONS]; /* suppressed by an operator */
    bool moved[CAST_CONVERSATIONS];
    bool suppressed[CAST_CONVERSATIONS], ever_suppressed[CAST_CONVERSATIONS];
    bool ever_failed_backlog;
    bool ramped[CAST_LINES]; /* a drain of it may have stopped, and paused the line */
    bool calm;
} operators;

/* ---- broker/edge/tokens.h ---- */

enum err tokens_open(struct tokens **out, const char *path, bool *made_first, struct tokens_problem *problem)
{
    (void)path;
    (void)made_first;
    (void)problem;
    *out = &operators.tokens;
    return ERR_NONE;
}

void tokens_free(struct tokens **tokens_p)
{
    *tokens_p = NULL;
}

enum err tokens_prepare(struct tokens *tokens, const char *path, struct tokens_problem *problem)
{
    (void)tokens;
    (void)path;
    (void)problem;
    return ERR_NONE;
}

void tokens_commit(struct tokens *tokens)
{
    (void)tokens;
}

/* ---- one wish, carried out ---- */

static uint64_t campaign_target(const struct core *core, int target)
{
    uint16_t campaign = core_campaign_find(core, target % CAMPAIGNS == 0 ? "a" : "b");
    return campaign == 0 ? 0 : (uint64_t)(target / CAMPAIGNS) << 16 | campaign;
}

static uint64_t conversation_key(int conversation, char name[2 * CAST_HANDLE_MAX])
{
    char handles[2][CAST_HANDLE_MAX];
    struct json_out text = {0};
    int count = cast_recipients(conversation, handles);
    json_open(&text, '[');
    for (int i = 0; i < count; i++)
        json_put_string(&text, handles[i]);
    json_close(&text, ']');
    uint64_t key = recipients_conversation(operators.admin.options.hash, cast_pool_name(cast_pool_of(conversation)),
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
    const struct keyed_hash *hash = operators.admin.options.hash;
    cast_recipients(wish->target, handles);
    struct core_suppress ask = {
        .token = wish->token,
        .account = (uint32_t)account,
        .recipient = keyed_hash(hash, KEYED_RECIPIENT, cast_account_name(account), handles[0], strlen(handles[0])),
        .handle = handles[0],
        .reason = "r",
        .by = "ops",
        .conversations = homes,
        .conversation_count = recipients_homes(hash, operators.admin.options.conf, (uint32_t)account, handles[0], homes)};
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
    cast_jobs[wish->job].called_unsent = !provider_has(wish->job);
    core_settle(core, wish->token, cast_jobs[wish->job].number, provider_has(wish->job),
                (struct span){word, sizeof word - 1}, now, out);
}

static void move(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    char name[2 * CAST_HANDLE_MAX];
    core_move(core, wish->token, conversation_key(wish->target, name), cast_line_digits(wish->line), now, out);
}

/* A conversation that exists at the provider. What records are made of is lent, and not given back here. */
static void import(struct core *core, const struct wish *wish, struct instant now, struct effects *out)
{
    char name[2 * CAST_HANDLE_MAX], chat[64];
    struct json_out to = {0}, chat_json = {0};
    char handles[2][CAST_HANDLE_MAX];
    int count = cast_recipients(wish->target, handles);
    json_open(&to, '[');
    for (int i = 0; i < count; i++)
        json_put_string(&to, handles[i]);
    json_close(&to, ']');
    wants_chat_id(wish->target, chat);
    json_put_string(&chat_json, chat);
    struct core_adopt adopt = {.token = wish->token,
                               .pool = (uint32_t)cast_pool_of(wish->target),
                               .conversation = conversation_key(wish->target, name),
                               .line = cast_line_digits(wish->line),
                               .chat_hash = chat_id_hash(operators.admin.options.hash, chat),
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
    if (lookup_submit(operators.admin.options.lookup, &request) != ERR_NONE) {
        free(job);
        wish->used = false;
    }
}

static void requeue(struct wish *wish, struct instant now, struct effects *out)
{
    struct lookup_answer *answer = &wish->answer;
    const struct admin_shell *shell = &operators.admin.options.shell;
    enum code code = CODE_NOT_FOUND;
    if (answer->letter_count > 0) {
        struct dead_letter *letter = &answer->letters[0];
        if (letter->requeue.number != cast_jobs[wish->job].number)
            breach("P1", about_job(wish->job), "the dead letter of job %d is another one's: %.200s", wish->job,
                   answer->text.text + letter->at);
        letter->requeue.mark = wish->mark;
        const struct admin_requeue ask = {.letter = &letter->requeue,
                                          .document = {answer->text.text + letter->at, letter->bytes}};
        code = shell->requeue(shell->self, &ask, now, out);
    }
    note(about_job(wish->job), "operators: job %d is requeued: %s", wish->job, code_name(code));
    lookup_answer_free(answer);
    wish->looked_up = false;
    core_answer(out, wish->token);
}

static void carry_out(struct wish *wish, struct core *core, struct instant now, struct effects *out)
{
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

/* ---- what is known: maybe from the asking on, surely from the answer on ---- */

static struct known *known_of(const struct wish *wish)
{
    switch (wish->act) {
    case ACT_PAUSE:
    case ACT_RESUME:
        return &operators.paused[wish->scope][wish->target];
    case ACT_CORDON:
    case ACT_UNCORDON:
        return &operators.cordoned[wish->target];
    case ACT_SET:
    case ACT_UNSET:
        return &operators.set[wish->target];
    case ACT_DRAIN:
    case ACT_UNDRAIN:
        return &operators.drained[wish->target];
    case ACT_SUPPRESS:
    case ACT_UNSUPPRESS:
        return &operators.stopped[wish->target];
    default:
        return NULL;
    }
}

static bool begins(enum act act)
{
    return act == ACT_PAUSE || act == ACT_CORDON || act == ACT_SET || act == ACT_DRAIN || act == ACT_SUPPRESS;
}

static void asking(struct wish *wish)
{
    struct known *known = known_of(wish);
    wish->asked = true;
    wish->asked_us = now_us();
    if (known != NULL && begins(wish->act)) {
        known->maybe = true;
        known->begins++;
    } else if (known != NULL) {
        known->surely = false;
        known->ends++;
    }
    wish->ends = known == NULL ? 0 : known->ends;
    wish->begins = known == NULL ? 0 : known->begins;
    if (wish->act == ACT_DRAIN && (wish->drain == DRAIN_MOVE || wish->drain == DRAIN_REPLACE))
        memset(operators.moved, true, sizeof operators.moved);
    if (wish->act == ACT_DRAIN && wish->drain == DRAIN_FAIL)
        operators.ever_failed_backlog = true;
    if (wish->act == ACT_DRAIN && wish->drain == DRAIN_RAMP)
        operators.ramped[wish->target] = true;
    if (wish->act == ACT_SUPPRESS)
        operators.ever_suppressed[wish->target] = true;
    if (wish->act == ACT_UNSUPPRESS)
        stops_may_lift(wish->target);
    if (wish->act == ACT_MOVE)
        operators.moved[wish->target] = true;
    if (wish->act == ACT_SETTLE)
        cast_jobs[wish->job].settle_asked = true;
    if (wish->act == ACT_REQUEUE)
        witness_requeued(wish->job);
}

static void wish_for(struct wish wish);

static void import_again(void *self, uint64_t conversation)
{
    (void)self;
    if (!operators.calm)
        wish_for((struct wish){.act = ACT_IMPORT, .target = (int)conversation, .line = wants_home((int)conversation)});
}

static void answered(struct wish *wish, enum code code)
{
    struct known *known = known_of(wish);
    note_world("operators: wish %d of %d/%d is answered %s", (int)wish->act, (int)wish->scope, wish->target,
               code_name(code));
    if (known != NULL && begins(wish->act) && code == CODE_NONE && wish->for_ms == 0 &&
        known->ends == wish->ends) {
        if (!known->surely)
            known->since_us = now_us();
        known->surely = true;
    } else if (known != NULL && (!begins(wish->act) || wish->unknown) && known->begins == wish->begins) {
        known->surely = known->maybe = false;
        known->over_us = now_us();
    }
    if (wish->act == ACT_IMPORT)
        wants_imported(wish->target, code == CODE_NONE);
    if (wish->act == ACT_IMPORT && code == CODE_UNKNOWN_LINE && !operators.calm) /* no list has come yet */
        ground_in(IMPORT_AGAIN_US, import_again, NULL, (uint64_t)wish->target);
    wish->used = false;
}

/* ---- broker/edge/admin.h ---- */

enum err admin_open(struct admin **out, const struct admin_options *options, struct admin_problem *problem)
{
    (void)problem;
    operators.admin = (struct admin){.options = *options, .open = true};
    *out = &operators.admin;
    return ERR_NONE;
}

void admin_close(struct admin **admin_p)
{
    if (*admin_p != NULL)
        operators_broker_down();
    *admin_p = NULL;
}

unsigned admin_port(const struct admin *admin)
{
    (void)admin;
    return 7781;
}

int admin_fd(const struct admin *admin)
{
    static int file = -1;
    (void)admin;
    if (file < 0)
        file = eventfd(0, EFD_CLOEXEC);
    return file;
}

void admin_conf_set(struct admin *admin, const struct conf *conf)
{
    admin->options.conf = conf;
}

bool admin_serve(struct admin *admin, struct core *core, struct instant now, struct effects *out)
{
    for (int i = 0; i < WISHES_MAX; i++) {
        struct wish *wish = &operators.wishes[i];
        if (wish->used && wish->looked_up) {
            requeue(wish, now, out);
            return true;
        }
        if (!wish->used || wish->asked)
            continue;
        wish->token = (uint64_t)ADMIN_TOKEN_TAG << TAG_SHIFT | ++operators.tokens_given;
        asking(wish);
        carry_out(wish, core, now, out);
        return true;
    }
    return posts_serve(&admin->options.shell, (uint64_t)ADMIN_TOKEN_TAG << TAG_SHIFT | ++operators.tokens_given, now, out);
}

bool admin_owns(uint64_t token)
{
    return token >> TAG_SHIFT == ADMIN_TOKEN_TAG;
}

static struct wish *wish_of(uint64_t token)
{
    for (int i = 0; i < WISHES_MAX; i++)
        if (operators.wishes[i].used && operators.wishes[i].asked && operators.wishes[i].token == token)
            return &operators.wishes[i];
    return NULL;
}

void admin_effect(struct admin *admin, const struct effect *effect)
{
    (void)admin;
    if (posts_effect(effect))
        return;
    struct wish *wish = wish_of(effect->token);
    if (wish != NULL)
        answered(wish, wish->unknown ? CODE_NOT_FOUND : effect->code);
}

void admin_follow(struct admin *admin, uint64_t next_seq, bool durable_moved, struct instant now)
{
    (void)admin;
    (void)next_seq;
    (void)durable_moved;
    (void)now;
}

int64_t admin_next_mono_ms(const struct admin *admin)
{
    (void)admin;
    return TIME_NEVER;
}

void admin_looked_up(struct admin *admin, struct lookup_answer *answer)
{
    struct wish *wish = wish_of(answer->token);
    (void)admin;
    if (wish == NULL) {
        lookup_answer_free(answer);
        return;
    }
    wish->answer = *answer;
    wish->looked_up = true;
    house_poke();
}

/* ---- what they wish ---- */

void operators_broker_down(void)
{
    operators.admin.open = false;
    posts_broker_down();
    for (int i = 0; i < WISHES_MAX; i++) {
        struct wish *wish = &operators.wishes[i];
        if (!wish->used || !wish->asked)
            continue;
        wish->asked = wish->looked_up = wish->unknown = false; /* it may have been done, or not */
        if (wish->act == ACT_REQUEUE || wish->act == ACT_SETTLE || wish->act == ACT_MOVE)
            wish->used = false;
    }
}

static void wish_for(struct wish wish)
{
    for (int i = 0; i < WISHES_MAX; i++) {
        if (operators.wishes[i].used)
            continue;
        operators.wishes[i] = wish;
        operators.wishes[i].used = true;
        house_poke();
        return;
    }
}

static void wish_pause(struct stream *stream)
{
    static const enum pause_scope scopes[] = {PAUSE_LINE,     PAUSE_LINE,        PAUSE_LINE,         PAUSE_POOL,
                                              PAUSE_CAMPAIGN, PAUSE_CONVERSATION, PAUSE_CONVERSATION, PAUSE_ACCOUNT,
                                              PAUSE_ALL};
    static const int targets[PAUSE_SCOPE_COUNT] = {[PAUSE_LINE] = CAST_LINES,
                                                   [PAUSE_POOL] = CAST_POOLS,
                                                   [PAUSE_CAMPAIGN] = CAST_POOLS * CAMPAIGNS,
                                                   [PAUSE_CONVERSATION] = CAST_CONVERSATIONS,
                                                   [PAUSE_ACCOUNT] = 1,
                                                   [PAUSE_ALL] = 1};
    enum pause_scope scope = scopes[draw(stream, 9)];
    int target = (int)draw(stream, scope == PAUSE_ACCOUNT && cast_has_second ? CAST_ACCOUNTS : (uint64_t)targets[scope]);
    bool on = !operators.paused[scope][target].maybe;
    fault(on ? FAULT_PAUSED : FAULT_RESUMED);
    wish_for((struct wish){.act = on ? ACT_PAUSE : ACT_RESUME,
                           .scope = scope,
                           .target = target,
                           .for_ms = on && chance(stream, 300) ? 1000 + (int64_t)draw(stream, 60000) : 0});
}

static void wish_line(struct stream *stream)
{
    static const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_AT_RISK, REPUTATION_CRITICAL};
    static const enum drain modes[] = {DRAIN_RAMP, DRAIN_REPLACE, DRAIN_FAIL, DRAIN_MOVE};
    int line = (int)draw(stream, CAST_LINES);
    uint64_t what = draw(stream, 3);
    struct wish wish = {.target = line};
    if (what == 0) {
        fault(FAULT_CORDONED);
        wish.act = operators.cordoned[line].maybe ? ACT_UNCORDON : ACT_CORDON;
    } else if (what == 1) {
        fault(FAULT_REPUTATION_SET);
        wish.act = operators.set[line].maybe ? ACT_UNSET : ACT_SET;
        wish.word = words[draw(stream, 3)];
        wish.for_ms = 1000 + (int64_t)draw(stream, 120000);
    } else {
        fault(FAULT_DRAINED);
        wish.act = operators.drained[line].maybe ? ACT_UNDRAIN : ACT_DRAIN;
        wish.drain = modes[draw(stream, 4)];
    }
    wish_for(wish);
}

static void wish_job(struct stream *stream)
{
    for (int tries = 0; tries < 60 && cast_job_count > 0; tries++) {
        int job = (int)draw(stream, (uint64_t)cast_job_count);
        if (cast_jobs[job].forgiven) /* its number may be another one's by now */
            continue;
        if (witness_is_told_unknown(job)) {
            fault(FAULT_SETTLED);
            wish_for((struct wish){.act = ACT_SETTLE, .job = job});
            return;
        }
        if (cast_jobs[job].final && cast_jobs[job].end == JOB_FAILED && chance(stream, 400)) {
            fault(FAULT_REQUEUED);
            wish_for((struct wish){.act = ACT_REQUEUE, .job = job});
            return;
        }
    }
}

static void wish_conversation(struct stream *stream)
{
    int conversation = (int)draw(stream, CAST_CONVERSATIONS);
    if (chance(stream, 500) && !cast_is_group(conversation)) {
        bool on = !operators.suppressed[conversation];
        fault(FAULT_SUPPRESSED);
        operators.suppressed[conversation] = on;
        wish_for((struct wish){.act = on ? ACT_SUPPRESS : ACT_UNSUPPRESS, .target = conversation});
        return;
    }
    fault(FAULT_MOVED);
    int line = cast_pool_of(conversation) == 0 ? (int)draw(stream, 4) : 4 + (int)draw(stream, 2);
    wish_for((struct wish){.act = ACT_MOVE, .target = conversation, .line = line});
}

void operators_mishap(struct stream *stream)
{
    uint64_t what = draw(stream, 100);
    if (what < 45)
        wish_pause(stream);
    else if (what < 65)
        wish_line(stream);
    else if (what < 85)
        wish_job(stream);
    else if (what < 93)
        wish_conversation(stream);
    else
        house_reload();
}

/* Some come with a past, which is imported before they send, or while they do. */
void operators_begin(void)
{
    for (int c = 0; c < CAST_CONVERSATIONS; c++) {
        if (wants_home(c) < 0 || wants_named_home(c))
            continue;
        fault(FAULT_IMPORTED);
        wish_for((struct wish){.act = ACT_IMPORT, .target = c, .line = wants_home(c)});
    }
}

static void resume_drained(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    for (int line = 0; line < CAST_LINES; line++)
        if (operators.ramped[line])
            wish_for((struct wish){.act = ACT_RESUME, .scope = PAUSE_LINE, .target = line});
}

void operators_heal(void)
{
    operators.calm = true;
    ground_in(DRAINS_OVER_US, resume_drained, NULL, 0);
    for (int i = 0; i < WISHES_MAX; i++)
        if (!operators.wishes[i].asked || begins(operators.wishes[i].act))
            operators.wishes[i].used = false;
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        for (int target = 0; target < CAST_CONVERSATIONS; target++)
            if (operators.paused[scope][target].maybe)
                wish_for((struct wish){.act = ACT_RESUME, .scope = (enum pause_scope)scope, .target = target});
    for (int line = 0; line < CAST_LINES; line++) {
        if (operators.cordoned[line].maybe)
            wish_for((struct wish){.act = ACT_UNCORDON, .target = line});
        if (operators.set[line].maybe)
            wish_for((struct wish){.act = ACT_UNSET, .target = line});
        if (operators.drained[line].maybe)
            wish_for((struct wish){.act = ACT_UNDRAIN, .target = line});
    }
    for (int conversation = 0; conversation < CAST_CONVERSATIONS; conversation++)
        if (operators.suppressed[conversation])
            wish_for((struct wish){.act = ACT_UNSUPPRESS, .target = conversation});
}

bool operators_are_done(void)
{
    for (int i = 0; i < WISHES_MAX; i++)
        if (operators.wishes[i].used)
            return false;
    return true;
}

/* ---- for the witness ---- */

static int campaign_of(int conversation, char campaign)
{
    return cast_pool_of(conversation) * CAMPAIGNS + (campaign == 'a' ? 0 : 1);
}

static const struct known *pause_of(enum pause_scope scope, int line, int conversation, char campaign)
{
    switch (scope) {
    case PAUSE_LINE:
        return line < 0 ? NULL : &operators.paused[scope][line];
    case PAUSE_POOL:
        return &operators.paused[scope][cast_pool_of(conversation)];
    case PAUSE_CAMPAIGN:
        return campaign == '\0' ? NULL : &operators.paused[scope][campaign_of(conversation, campaign)];
    case PAUSE_CONVERSATION:
        return &operators.paused[scope][conversation];
    case PAUSE_ACCOUNT:
        return &operators.paused[scope][cast_account_of(conversation)];
    default:
        return &operators.paused[scope][0];
    }
}

int64_t operators_paused_since_us(int line, int conversation, char campaign)
{
    int64_t since_us = US_NEVER;
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++) {
        const struct known *known = pause_of((enum pause_scope)scope, line, conversation, campaign);
        if (known != NULL && known->surely && known->since_us < since_us)
            since_us = known->since_us;
    }
    return since_us;
}

bool operators_may_have_paused(enum pause_scope scope, int line, int conversation, char campaign, int64_t since_us)
{
    for (int any = 0; scope == PAUSE_LINE && line < 0 && any < CAST_LINES; any++)
        if (operators_may_have_paused(scope, any, conversation, campaign, since_us))
            return true;
    const struct known *known = pause_of(scope, line, conversation, campaign);
    bool by_drain = scope == PAUSE_LINE && line >= 0 && operators.ramped[line];
    return by_drain || (known != NULL && (known->maybe || known->over_us > since_us));
}

bool operators_may_have_set(int line, int64_t since_us)
{
    const struct known *known = &operators.set[line];
    return known->maybe || known->over_us > since_us;
}

bool operators_surely_cordoned(int line, int64_t *since_us)
{
    *since_us = operators.cordoned[line].since_us;
    return operators.cordoned[line].surely;
}

bool operators_may_have_moved(int conversation)
{
    return operators.moved[conversation] || house_moves_by_policy();
}

int64_t operators_stopped_since_us(int conversation)
{
    return operators.stopped[conversation].surely ? operators.stopped[conversation].since_us : US_NEVER;
}

bool operators_ever_suppressed(int conversation)
{
    return operators.ever_suppressed[conversation];
}

bool operators_ever_failed_backlog(void)
{
    return operators.ever_failed_backlog;
}

static void unsure(struct known *known)
{
    known->surely = false;
    known->maybe = known->maybe || known->begins > 0;
}

void operators_unsure(void)
{
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        for (int target = 0; target < CAST_CONVERSATIONS; target++)
            unsure(&operators.paused[scope][target]);
    for (int line = 0; line < CAST_LINES; line++) {
        unsure(&operators.cordoned[line]);
        unsure(&operators.set[line]);
        unsure(&operators.drained[line]);
    }
    for (int conversation = 0; conversation < CAST_CONVERSATIONS; conversation++) {
        unsure(&operators.stopped[conversation]);
        operators.suppressed[conversation] =
            operators.suppressed[conversation] || operators.ever_suppressed[conversation];
    }
    memset(operators.moved, true, sizeof operators.moved);
}

bool operators_may_drain(int line)
{
    return operators.drained[line].maybe;
}

bool operators_ever_drained_line(int line)
{
    return operators.drained[line].begins > 0;
}
