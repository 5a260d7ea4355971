/* provider.c — see provider.h. */
#include "tests/sim/provider.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/hooks.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_lines.h"

#define TURNS_MAX  512
#define ANSWERS_MAX 32
#define ANSWERS_US (3 * US_MIN) /* recipients answer so often when all is well; later, more seldom: budgets count it */
#define LAST_ANSWERS_US (10 * US_MIN) /* after all was healed, no answer from before is under way any more */

struct turn { /* of a line, for lists as they were some time ago */
    int64_t at_us;
    enum reputation word;
};

struct line {
    enum reputation word;
    bool flagged;
    struct turn turns[TURNS_MAX];
    unsigned turn_count;
};

struct message { /* of a job */
    bool here;    /* a message was made of it */
    bool deleted; /* and is gone since */
    int line;
    char key[80];
    int codes[ANSWERS_MAX]; /* with which it was answered, the last ones */
    unsigned code_count;
    int refused_status, refused_code; /* for good: what it is is not to be had another time either */
    int status;
    char *answer; /* the first one, which every repeat gets */
};

struct chat {
    bool open[CAST_LINES], ever[CAST_LINES];
    unsigned lives[CAST_LINES]; /* how often it was begun anew: its id */
    enum chat_health health;
    bool opted_out, blocked, ever_stopped;
    int last_line;
};

static struct {
    struct stream luck, codes;
    struct line lines[CAST_LINES];
    struct chat chats[CAST_ALL];
    struct message messages[CAST_JOBS_MAX];
    int64_t storm_until_us, key_bad_until_us;
    int new_line; /* which the list does not have before then; -1: none */
    int64_t new_line_us;
    unsigned errors_per_mille;
    bool calm;
    uint64_t traces;
} provider;

struct error_code {
    int code, status;
};

/* Every code of linq-api.md 4.2, and answers without one. */
static const struct error_code codes[] = {
    {1001, 400}, {1002, 400}, {1003, 400}, {1004, 400}, {1005, 400}, {1006, 409}, {1007, 429}, {1008, 400},
    {2003, 404}, {2005, 403}, {2006, 403}, {2007, 404}, {2008, 403}, {2009, 409}, {2010, 404},
    {2011, 403}, {2012, 404}, {2013, 409}, {2014, 409}, {2015, 409}, {2016, 409}, {2017, 409}, {2018, 409},
    {2019, 404}, {2021, 404}, {2022, 500}, {2023, 409}, {2027, 403}, {2028, 400}, {3001, 500}, {3002, 500},
    {3003, 500}, {3004, 500}, {3005, 504}, {3006, 500}, {3007, 500}, {4001, 500}, {4002, 500}, {4003, 500},
    {4004, 503}, {4005, 422}, {4006, 500}, {4007, 500}, {4008, 500}, {4009, 503}, {4010, 503}, {5001, 500},
    {5002, 500}, {5003, 500}, {5004, 400}, {5005, 400}, {5006, 400}, {5007, 400}, {0, 408},    {0, 425},
    {0, 429},    {0, 500},    {0, 502},    {0, 503},    {0, 504},    {0, 404},    {0, 301},    {2999, 403},
};
#define CODE_TOTAL (sizeof codes / sizeof *codes)

static void turned(int at)
{
    struct line *line = &provider.lines[at];
    if (line->turn_count == TURNS_MAX) {
        memmove(line->turns, line->turns + TURNS_MAX / 2, TURNS_MAX / 2 * sizeof *line->turns);
        line->turn_count = TURNS_MAX / 2;
    }
    line->turns[line->turn_count++] = (struct turn){now_us(), line->word};
}

void provider_begin(void)
{
    provider.luck = stream_of("provider");
    provider.codes = stream_of("provider codes");
    provider.errors_per_mille = (unsigned)draw(&provider.luck, 4) * 60;
    for (int l = 0; l < CAST_LINES; l++) {
        provider.lines[l].word = REPUTATION_HEALTHY;
        turned(l);
    }
    struct stream young = stream_of("new line");
    provider.new_line = chance(&young, 200) ? (int)draw(&young, 4) : -1;
    provider.new_line_us = draw_delay_us(&young, 10 * US_S, 4 * US_MIN);
    if (provider.new_line >= 0)
        fault(FAULT_NEW_LINE);
    for (int c = 0; c < CAST_ALL; c++) {
        struct chat *chat = &provider.chats[c];
        int home = wants_home(c);
        chat->health = CHAT_HEALTHY;
        if (home >= 0) {
            chat->open[home] = chat->ever[home] = true;
            chat->last_line = home;
        }
    }
}

/* ---- answers ---- */

static struct provider_reply reply(int status, char *body)
{
    return (struct provider_reply){.status = status, .body = body};
}

static struct provider_reply refuse(int status, int code)
{
    char *body = NULL;
    int bytes = code == 0 ? asprintf(&body, "<html>%d</html>", status)
                          : asprintf(&body,
                                     "{\"success\":false,\"error\":{\"status\":%d,\"code\":%d,\"message\":\"m\"},"
                                     "\"trace_id\":\"%llx\"}",
                                     status, code, (unsigned long long)++provider.traces);
    assert(bytes > 0);
    (void)bytes;
    struct provider_reply answer = reply(status, body);
    answer.code = code;
    if (status == 429 && chance(&provider.codes, 500))
        snprintf(answer.retry_after, sizeof answer.retry_after, "%u", (unsigned)draw(&provider.codes, 20));
    return answer;
}

static struct provider_reply as_before(const struct message *message)
{
    return reply(message->status, strdup(message->answer));
}

/* ---- one message ---- */

struct request {
    int job, conversation, line;
    const char *key;
    bool new_chat, again; /* again: the key has come before */
    cJSON *document;
};

static void chat_id(int conversation, int line, char out[64])
{
    snprintf(out, 64, "chat-%d-%d-%u", conversation, line, provider.chats[conversation].lives[line]);
}

static void make_message(const struct request *request)
{
    struct message *message = &provider.messages[request->job];
    struct chat *chat = &provider.chats[request->conversation];
    char id[64];
    bool fresh = !chat->open[request->line];
    chat->open[request->line] = chat->ever[request->line] = true;
    chat->last_line = request->line;
    chat_id(request->conversation, request->line, id);
    message->here = true;
    message->line = request->line;
    message->status = request->new_chat ? 201 : 202;
    int bytes = request->new_chat
                    ? asprintf(&message->answer, "{\"chat\":{\"id\":\"%s\",\"message\":{\"id\":\"msg-%d\"}}}", id,
                               request->job)
                    : asprintf(&message->answer, "{\"chat_id\":\"%s\",\"message\":{\"id\":\"msg-%d\"}}", id,
                               request->job);
    assert(bytes > 0);
    (void)bytes;
    note(about_job(request->job), "provider: message of job %d made on line %d in %s", request->job, request->line, id);
    witness_message(request->job, request->line, fresh);
    hooks_message_sent(request->job, request->conversation, request->line, message->key, id);
}

static bool read_request(const char *url, const char *body, size_t bytes, struct request *out)
{
    const char *chats = strstr(url, "/v3/chats");
    out->document = json_parse(body, bytes, NULL);
    const cJSON *message = json_get(out->document, "message");
    const cJSON *parts = json_get(message, "parts");
    out->key = json_string(message, "idempotency_key");
    if (chats == NULL || out->key == NULL)
        return false;
    unsigned life = 0;
    out->new_chat = chats[9] == '\0';
    if (out->new_chat)
        out->line = cast_line_of(json_string(out->document, "from"));
    else if (sscanf(chats + 9, "/chat-%d-%d-%u/messages", &out->conversation, &out->line, &life) != 3)
        return false;
    if (out->new_chat && out->line >= 0)
        out->conversation = cast_conversation_of(json_get(out->document, "to"), cast_pool_of_line(out->line));
    out->job = out->line < 0 ? -1 : cast_job_of_text(parts == NULL ? NULL : json_string(parts->child, "value"), out->line);
    return out->job >= 0 && out->conversation >= 0;
}

/* Whatever it answers, what it then knows of the key counts. */
static void remember_key(struct request *request)
{
    struct message *message = &provider.messages[request->job];
    request->again = message->key[0] != '\0';
    if (message->key[0] == '\0')
        snprintf(message->key, sizeof message->key, "%s", request->key);
}

static struct provider_reply by_chance(const struct request *request)
{
    const struct error_code *code = &codes[draw(&provider.codes, CODE_TOTAL)];
    if (code->code == 2002 && request->again) /* it would mean that the message was made, and is gone */
        code++;
    bool may_be_made = code->code == 3005 || (code->code == 0 && code->status >= 500);
    fault(FAULT_PROVIDER_CODE);
    if (code->code == 2027 || code->code == 4002)
        lines_refused(request->line);
    bool passes = code->status >= 500 || code->status == 429 || code->status == 408 || code->status == 425 ||
                  code->status == 301 || code->code == 2007 || code->code == 2009 || code->code == 2027;
    if (!passes) {
        provider.messages[request->job].refused_status = code->status;
        provider.messages[request->job].refused_code = code->code;
    }
    if (may_be_made && chance(&provider.codes, 500))
        make_message(request);
    note(about_job(request->job), "provider: job %d is answered %d/%d", request->job, code->status, code->code);
    return refuse(code->status, code->code);
}

static struct provider_reply answer(const struct request *request)
{
    struct message *message = &provider.messages[request->job];
    const struct chat *chat = &provider.chats[request->conversation];
    bool group = cast_is_group(request->conversation);
    if (!provider_key_is_good(cast_account_of_line(request->line)))
        return refuse(401, 2004);
    if (now_us() < provider.storm_until_us) {
        int status = chance(&provider.codes, 300) ? 502 : 500;
        return refuse(status, chance(&provider.codes, 500) ? 3001 : 0);
    }
    if (message->here)
        return message->deleted ? refuse(404, 2002) : as_before(message);
    if (message->refused_status != 0)
        return refuse(message->refused_status, message->refused_code);
    if (provider.lines[request->line].flagged) {
        lines_refused(request->line);
        return refuse(403, 2027);
    }
    if (!group && chat->opted_out)
        return refuse(403, 2024);
    if (!group && chat->blocked)
        return refuse(403, 2026);
    if (!request->new_chat && !chat->open[request->line])
        return refuse(404, 2001);
    if (!provider.calm && chance(&provider.codes, provider.errors_per_mille))
        return by_chance(request);
    make_message(request);
    return as_before(message);
}

/* A line is spoken for with its own account's key (promise P9). */
static void check_account(const struct request *request, const char *key)
{
    const char *name = cast_account_name(cast_account_of_line(request->line));
    if (strncmp(key, "key-of-", 7) != 0 || strcmp(key + 7, name) != 0)
        breach("P9", ((struct about){request->job, request->conversation, request->line}),
               "job %d comes on line %d of account %s with %s", request->job, request->line, name, key);
    if (cast_pool_of(request->conversation) != cast_pool_of_line(request->line))
        breach("P2", ((struct about){request->job, request->conversation, request->line}),
               "job %d comes on line %d of another pool", request->job, request->line);
}

struct provider_reply provider_take(const char *key, const char *url, const char *body, size_t bytes)
{
    struct request request = {.line = -1, .conversation = -1};
    if (!read_request(url, body, bytes, &request))
        breach("form", NOBODY_ABOUT, "the provider cannot read %s %.*s", url, (int)bytes, body);
    note(about_job(request.job), "provider: job %d comes on line %d%s", request.job, request.line,
         request.new_chat ? " for a new chat" : "");
    check_account(&request, key);
    witness_arrived(request.job, request.conversation, request.line, request.key, body, bytes);
    remember_key(&request);
    struct provider_reply result = answer(&request);
    struct message *message = &provider.messages[request.job];
    message->codes[message->code_count++ % ANSWERS_MAX] = result.code;
    cJSON_Delete(request.document);
    return result;
}

bool provider_key_is_good(int account)
{
    return account != 0 || now_us() >= provider.key_bad_until_us;
}

/* ---- the list ---- */

static enum reputation word_ago(const struct line *line, int64_t ago_us)
{
    enum reputation word = line->turns[0].word;
    for (unsigned i = 0; i < line->turn_count && line->turns[i].at_us <= now_us() - ago_us; i++)
        word = line->turns[i].word;
    return word;
}

char *provider_list(int account, int64_t ago_us, int without)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "phone_numbers");
    json_open(&out, '[');
    for (int l = 0; l < CAST_LINES; l++) {
        char number[CAST_HANDLE_MAX];
        if (cast_account_of_line(l) != account || l == without || (l == provider.new_line && now_us() < provider.new_line_us))
            continue;
        cast_line_number(l, number);
        json_open(&out, '{');
        json_key(&out, "phone_number");
        json_put_string(&out, number);
        json_key(&out, "reputation");
        json_open(&out, '{');
        json_key(&out, "status");
        json_put_string(&out, reputation_name(word_ago(&provider.lines[l], ago_us)));
        json_close(&out, '}');
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    out.comma = false;
    json_put_raw(&out, "", 1);
    return out.text;
}

/* ---- what happens there ---- */

static void turn_line(int at, enum reputation word, bool flagged)
{
    struct line *line = &provider.lines[at];
    enum reputation before = line->word;
    bool was_flagged = line->flagged;
    if (before == word && was_flagged == flagged)
        return;
    line->word = word;
    line->flagged = flagged;
    turned(at);
    fault(FAULT_LINE_TURNED);
    note(about_line(at), "provider: line %d is %s%s", at, reputation_name(word), flagged ? " and flagged" : "");
    hooks_line_turned(at, before, word, was_flagged, flagged);
}

static void turn_some_line(struct stream *stream)
{
    static const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_HEALTHY, REPUTATION_AT_RISK,
                                            REPUTATION_CRITICAL};
    int at = (int)draw(stream, CAST_LINES);
    bool flagged = chance(stream, 150);
    if (flagged)
        fault(FAULT_LINE_FLAGGED);
    turn_line(at, words[draw(stream, 4)], flagged);
}

static void health_told(int conversation)
{
    char id[64];
    int line = provider.chats[conversation].last_line;
    chat_id(conversation, line, id);
    hooks_chat_health(conversation, line, id, provider.chats[conversation].health);
}

static void recipient_wrote(int conversation, bool stop)
{
    char id[64];
    int line = provider.chats[conversation].last_line;
    chat_id(conversation, line, id);
    hooks_message_received(conversation, line, id, stop);
}

/* In each chat that there ever was, on every line: the broker may know an older one, or have moved away. */
static void all_is_well_in(int conversation)
{
    struct chat *chat = &provider.chats[conversation];
    for (int line = 0; line < CAST_LINES; line++) {
        for (unsigned life = 0; life <= chat->lives[line]; life++) {
            char id[64];
            snprintf(id, sizeof id, "chat-%d-%d-%u", conversation, line, life);
            if (cast_pool_of_line(line) != cast_pool_of(conversation) || (cast_is_group(conversation) && !chat->ever[line]))
                continue;
            hooks_chat_health(conversation, line, id, CHAT_HEALTHY);
            hooks_message_received(conversation, line, id, false);
        }
    }
}

static void turn_some_chat(struct stream *stream)
{
    static const enum chat_health healths[] = {CHAT_HEALTHY, CHAT_AT_RISK, CHAT_CRITICAL};
    int at = (int)draw(stream, CAST_CONVERSATIONS);
    provider.chats[at].health = healths[draw(stream, 3)];
    fault(FAULT_CHAT_TURNED);
    note(about_conversation(at), "provider: chat of conversation %d is %s", at, chat_health_name(provider.chats[at].health));
    health_told(at);
}

static void recipient_writes(struct stream *stream)
{
    int at = (int)draw(stream, CAST_CONVERSATIONS);
    bool stop = chance(stream, 120);
    if (cast_is_group(at))
        return;
    if (stop)
        fault(FAULT_OPTED_OUT);
    provider.chats[at].opted_out = stop;
    provider.chats[at].ever_stopped = provider.chats[at].ever_stopped || stop;
    note(about_conversation(at), "provider: the recipient of conversation %d writes%s", at, stop ? " STOP" : "");
    recipient_wrote(at, stop);
}

void provider_mishap(struct stream *stream)
{
    uint64_t what = draw(stream, 100);
    if (what < 40) {
        turn_some_line(stream);
    } else if (what < 55) {
        turn_some_chat(stream);
    } else if (what < 75) {
        recipient_writes(stream);
    } else if (what < 80) {
        fault(FAULT_PROVIDER_STORM);
        provider.storm_until_us = now_us() + draw_delay_us(stream, US_S, 90 * US_S);
        note_world("provider: a storm");
    } else if (what < 83) {
        fault(FAULT_KEY_REFUSED);
        provider.key_bad_until_us = now_us() + draw_delay_us(stream, US_S, 60 * US_S);
        note_world("provider: refuses the key");
    } else if (what < 93) {
        struct message *message = &provider.messages[draw(stream, (uint64_t)cast_job_count + 1)];
        if (message->here && !message->deleted)
            fault(FAULT_MESSAGE_DELETED);
        message->deleted = message->here;
    } else {
        struct chat *chat = &provider.chats[draw(stream, CAST_CONVERSATIONS)];
        if (chat->open[chat->last_line])
            chat->lives[chat->last_line]++;
        chat->open[chat->last_line] = false;
    }
}

static bool has_chats(int conversation)
{
    for (int line = 0; line < CAST_LINES; line++)
        if (provider.chats[conversation].ever[line])
            return true;
    return false;
}

/* The cadence asks for answers. */
static void all_write(void *self, uint64_t times)
{
    (void)self;
    for (int c = 0; c < CAST_ALL; c++)
        if (c < CAST_CONVERSATIONS || has_chats(c))
            all_is_well_in(c);
    ground_in(ANSWERS_US << (times < 20 ? 0 : 5), all_write, NULL, times + 1);
}

/* An error may have flagged what the provider did not. */
static void say_active(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    for (int l = 0; l < CAST_LINES; l++)
        hooks_line_turned(l, REPUTATION_HEALTHY, REPUTATION_HEALTHY, true, false);
}

void provider_heal(void)
{
    provider.calm = true;
    provider.storm_until_us = provider.key_bad_until_us = 0;
    for (int l = 0; l < CAST_LINES; l++)
        turn_line(l, REPUTATION_HEALTHY, false);
    say_active(NULL, 0);
    ground_in(LAST_ANSWERS_US, say_active, NULL, 0); /* and an answer from before may be late */
    for (int c = 0; c < CAST_ALL; c++) {
        provider.chats[c].blocked = provider.chats[c].opted_out = false;
        provider.chats[c].health = CHAT_HEALTHY;
    }
    all_write(NULL, 0);
}

/* ---- for the witness ---- */

bool provider_ever_answered(int job, int code)
{
    const struct message *message = &provider.messages[job];
    for (unsigned i = 0; i < ANSWERS_MAX && i < message->code_count; i++)
        if (message->codes[i] == code)
            return true;
    return message->code_count > ANSWERS_MAX;
}

bool provider_ever_stopped(int conversation)
{
    return provider.chats[conversation].ever_stopped || provider.chats[cast_base(conversation)].ever_stopped;
}

bool provider_ever_lost_chat(int conversation)
{
    for (int line = 0; line < CAST_LINES; line++)
        if (provider.chats[conversation].lives[line] > 0)
            return true;
    return false;
}

bool provider_has(int job)
{
    return provider.messages[job].here;
}
