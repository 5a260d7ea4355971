/* provider_answers.c — requests that arrive at the provider, and what each is answered: by what it knows of the key,
 * line, chat and recipient, or by chance. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/hooks.h"
#include "tests/sim/provider.h"
#include "tests/sim/provider_part.h"
#include "tests/sim/witness.h"
#include "tests/sim/witness_lines.h"

struct error_code {
    int code, status;
};

/* Every code of linq-api.md 4.2, and answers without one. */
static const struct error_code codes[] = {
    {1001, 400}, {1002, 400}, {1003, 400}, {1004, 400}, {1005, 400}, {1006, 409}, {1007, 429}, {1008, 400},
    {2003, 404}, {2005, 403}, {2006, 403}, {2007, 404}, {2008, 403}, {2009, 409}, {2010, 404}, {2011, 403},
    {2012, 404}, {2013, 409}, {2014, 409}, {2015, 409}, {2016, 409}, {2017, 409}, {2018, 409}, {2019, 404},
    {2021, 404}, {2022, 500}, {2023, 409}, {2027, 403}, {2028, 400}, {3001, 500}, {3002, 500}, {3003, 500},
    {3004, 500}, {3005, 504}, {3006, 500}, {3007, 500}, {4001, 500}, {4002, 500}, {4003, 500}, {4004, 503},
    {4005, 422}, {4006, 500}, {4007, 500}, {4008, 500}, {4009, 503}, {4010, 503}, {5001, 500}, {5002, 500},
    {5003, 500}, {5004, 400}, {5005, 400}, {5006, 400}, {5007, 400}, {0, 408},    {0, 425},    {0, 429},
    {0, 500},    {0, 502},    {0, 503},    {0, 504},    {0, 404},    {0, 301},    {2999, 403},
};
#define CODE_TOTAL (sizeof codes / sizeof *codes)

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

static void make_message(const struct request *request)
{
    struct message *message = &provider.messages[request->job];
    struct chat *chat = &provider.chats[request->conversation];
    char id[64];
    bool fresh = !chat->open[request->line];
    chat->open[request->line] = chat->ever[request->line] = true;
    chat->last_line = request->line;
    provider_chat_id(request->conversation, request->line, id);
    message->here = true;
    message->line = request->line;
    message->status = request->new_chat ? 201 : 202;
    int bytes =
        request->new_chat
            ? asprintf(&message->answer, "{\"chat\":{\"id\":\"%s\",\"message\":{\"id\":\"msg-%d\"}}}", id,
                       request->job)
            : asprintf(&message->answer, "{\"chat_id\":\"%s\",\"message\":{\"id\":\"msg-%d\"}}", id, request->job);
    assert(bytes > 0);
    (void)bytes;
    note(about_job(request->job), "provider: message of job %d made on line %d in %s", request->job, request->line,
         id);
    witness_message(request->job, request->line, fresh);
    hooks_message_sent(request->job, request->conversation, request->line, message->key, id);
}

static bool read_request(const char *url, const char *body, size_t bytes, struct request *out)
{
    const char *chats = strstr(url, "/v3/chats");
    out->document = json_parse(body, bytes, NULL);
    const cJSON *message = json_get(out->document, "message");
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
    out->job = out->line < 0 ? -1 : cast_job_of_message(out->document, out->line);
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
    bool own = code->code != 0 && code->code != 2999; /* else it is of what stands before it, which will be mended */
    bool passes = !own || code->status >= 500 || code->status == 429 || code->code == 2007 || code->code == 2009 ||
                  code->code == 2027;
    if (!passes) {
        provider.messages[request->job].refused_status = code->status;
        provider.messages[request->job].refused_code = code->code;
    }
    if (may_be_made && chance(&provider.codes, 500))
        make_message(request);
    note(about_job(request->job), "provider: job %d is answered %d/%d", request->job, code->status, code->code);
    return refuse(code->status, code->code);
}

/* What stands before it, a firewall say, knows no keys: it refuses a repeat of what was taken as well. */
static bool front_refuses(struct provider_reply *out)
{
    static const int statuses[] = {400, 403, 404, 413};
    if (provider.calm || !chance(&provider.front, provider.errors_per_mille / 4))
        return false;
    fault(FAULT_PROVIDER_CODE);
    *out = refuse(statuses[draw(&provider.front, 4)], 0);
    return true;
}

static struct provider_reply answer(const struct request *request)
{
    struct provider_reply refusal;
    struct message *message = &provider.messages[request->job];
    const struct chat *chat = &provider.chats[request->conversation];
    bool group = cast_is_group(request->conversation);
    if (front_refuses(&refusal))
        return refusal;
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
    if (!provider.calm && chance(&provider.flags, 3)) /* one message too many, while others are under way */
        provider_flags(request->line);
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
