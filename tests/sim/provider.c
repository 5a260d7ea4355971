/* provider.c — see provider.h. */
#include "tests/sim/provider.h"

#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/hooks.h"
#include "tests/sim/provider_part.h"
#include "tests/sim/wants.h"

#define ANSWERS_US (3 * US_MIN) /* recipients answer so often when all is well; later, more seldom: budgets count it */
#define LAST_ANSWERS_US (10 * US_MIN) /* after all was healed, no answer from before is under way any more */
#define LINE_ASTRAY 2

struct provider_world provider;

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
    provider.front = stream_of("before the provider");
    provider.flags = stream_of("flags");
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

void provider_chat_id(int conversation, int line, char out[64])
{
    snprintf(out, 64, "chat-%d-%d-%u", conversation, line, provider.chats[conversation].lives[line]);
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

/* A line of the first account's that the second one's list has, too, as it once was: that says nothing of it. */
static bool is_astray(int account, int line)
{
    return cast_has_second && account == 1 && line == LINE_ASTRAY;
}

char *provider_list(int account, int64_t ago_us, int without)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "phone_numbers");
    json_open(&out, '[');
    for (int l = 0; l < CAST_LINES; l++) {
        char number[CAST_HANDLE_MAX];
        bool astray = is_astray(account, l);
        bool listed = astray || cast_account_of_line(l) == account;
        if (!listed || l == without || (l == provider.new_line && now_us() < provider.new_line_us))
            continue;
        cast_line_number(l, number);
        json_open(&out, '{');
        json_key(&out, "phone_number");
        json_put_string(&out, number);
        json_key(&out, "reputation");
        json_open(&out, '{');
        json_key(&out, "status");
        json_put_string(&out, reputation_name(astray ? REPUTATION_HEALTHY : word_ago(&provider.lines[l], ago_us)));
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

void provider_flags(int line)
{
    fault(FAULT_LINE_FLAGGED);
    turn_line(line, provider.lines[line].word, true);
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
    provider_chat_id(conversation, line, id);
    hooks_chat_health(conversation, line, id, provider.chats[conversation].health);
}

static void recipient_wrote(int conversation, bool stop)
{
    char id[64];
    int line = provider.chats[conversation].last_line;
    provider_chat_id(conversation, line, id);
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
