/* import_provider.c — conversations straight from the provider: the chats of each line of an account that the broker
 * knows, page by page, each page on the broker's disk before the next is asked for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "import.h"
#include "import_sources.h"
#include "import_state.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/wire.h"
#include "provider_chats.h"

#define LINES_MAX       131072
#define BACKOFF_MIN_MS  500
#define BACKOFF_MAX_MS  30000
#define DEFAULT_ACCOUNT "default"
#define DEFAULT_URL     "https://api.linqapp.com/api/partner"
#define CHAT_ID_MAX     128
#define LEVEL_DAYS      7 /* as the broker's: docs/concepts.md */
#define DAY_MS          INT64_C(86400000)
#define LEVELS_PRINTED  20

struct line {
    char number[E164_MAX_BYTES + 1];
    char pool[NAME_MAX_BYTES + 1];
    uint32_t days[LEVEL_DAYS]; /* chats that changed last on each of the whole days before this one */
    bool read_whole, restarted;
};

struct source {
    const struct ctl *ctl;
    const struct args *args;
    char account[NAME_MAX_BYTES + 1];
    char *base_url, *key;
    struct line *lines;
    size_t line_count;
    struct provider_chats *chats;
    struct import_state state;
    char state_path[256];
};

/* ---- one chat ---- */

/* Is it one of those that the chat is with: not our own line, and still there? */
static bool is_with(const cJSON *handle, const struct line *line)
{
    const char *text = json_string(handle, "handle");
    const char *status = json_string(handle, "status");
    if (json_bool(handle, "is_me", false) || (text != NULL && strcmp(text, line->number) == 0))
        return false;
    return json_string(handle, "left_at") == NULL && (status == NULL || strcmp(status, "active") == 0);
}

/* NULL: it can be imported; else why not. *code gets a word for it. */
static const char *judge(const cJSON *chat, const struct line *line, const char **code)
{
    const cJSON *handle = NULL;
    int count = 0;
    char normal[HANDLE_MAX_BYTES + 1];
    cJSON_ArrayForEach(handle, json_get(chat, "handles"))
    {
        const char *text = json_string(handle, "handle");
        if (!is_with(handle, line))
            continue;
        count++;
        *code = "invalid_recipient";
        if (text == NULL || !handle_normalize(text, normal))
            return "one of its members is neither a number in E.164 nor an e-mail address";
    }
    *code = "too_many";
    if (count > WIRE_RECIPIENTS_MAX)
        return "more members than a message may have recipients";
    *code = "no_recipient";
    return count == 0 ? "nobody but the line itself is in it" : NULL;
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    json_key(out, name);
    json_put_string(out, text);
}

/* When it last changed is all that the provider tells of its past. It stands for the last message out, which matters
 * where it makes us more careful. */
static void put_times(struct json_out *out, const cJSON *chat, const cJSON *health)
{
    static const char *const names[] = {"last_out", "health_at"};
    const char *const given[] = {json_string(chat, "updated_at"), json_string(health, "updated_at")};
    for (size_t i = 0; i < 2; i++) {
        int64_t ms = 0;
        if (given[i] == NULL || !time_parse(given[i], &ms))
            continue;
        json_key(out, names[i]);
        json_put_time(out, ms);
    }
}

static void count_day(struct line *line, const cJSON *chat)
{
    const char *text = json_string(chat, "updated_at");
    int64_t ms = 0;
    if (text == NULL || !time_parse(text, &ms))
        return;
    int64_t ago = clock_read().wall_ms / DAY_MS - ms / DAY_MS;
    if (ago >= 1 && ago <= LEVEL_DAYS)
        line->days[ago - 1]++;
}

static void take_chat(struct import *import, const cJSON *chat, const struct line *line)
{
    const char *id = json_string(chat, "id");
    const char *code = "malformed";
    const char *why = id == NULL || *id == '\0' || strlen(id) > CHAT_ID_MAX ? "it has no usable id"
                                                                            : judge(chat, line, &code);
    if (why != NULL) {
        import_skip(import, 0, id, code, why);
        return;
    }
    const cJSON *health = json_get(chat, "health_status");
    const cJSON *handle = NULL;
    struct json_out *out = import_begin(import, 0, id);
    put_text(out, "pool", line->pool);
    put_text(out, "line", line->number);
    json_key(out, "to");
    json_open(out, '[');
    cJSON_ArrayForEach(handle, json_get(chat, "handles"))
    {
        if (is_with(handle, line))
            json_put_string(out, json_string(handle, "handle"));
    }
    json_close(out, ']');
    put_text(out, "chat_id", id);
    put_text(out, "health", json_string(health, "status"));
    put_times(out, chat, health);
    import_add(import);
}

/* ---- one line ---- */

/* The provider no longer takes a cursor of its own: the line once more from the beginning, since what comes twice is
 * known already. */
static void begin_anew(struct line *line)
{
    memset(line->days, 0, sizeof line->days);
    line->read_whole = true;
    line->restarted = true;
}

/* The page after `cursor` ("": the first one), which is emptied when the line begins anew; waits as the provider says.
 * False: stopped, or (*gone) the line is not to be had. */
static bool read_page(struct source *source, struct import *import, struct line *line, char *cursor,
                      struct chats_page *page, bool *gone)
{
    int64_t backoff_ms = BACKOFF_MIN_MS;
    for (;;) {
        enum chats_end end = provider_chats_read(source->chats, line->number, cursor[0] != '\0' ? cursor : NULL, page);
        if (end == CHATS_PAGE)
            return true;
        cJSON_Delete(page->json);
        page->json = NULL;
        if (end == CHATS_NO_LINE) {
            import_skip(import, 0, line->number, "unknown_line", page->problem);
            import->failed = true;
            *gone = true;
            return false;
        }
        if (end == CHATS_NO_CURSOR && !line->restarted) {
            begin_anew(line);
            cursor[0] = '\0';
            continue;
        }
        if (end == CHATS_REFUSED || end == CHATS_NO_CURSOR) {
            import_stop(import, EXIT_REFUSED, page->problem);
            return false;
        }
        int64_t wait_ms = page->wait_ms >= 0 ? page->wait_ms : backoff_ms;
        backoff_ms = backoff_ms < BACKOFF_MAX_MS / 2 ? backoff_ms * 2 : BACKOFF_MAX_MS;
        if (!import_wait(import, wait_ms, page->problem, EXIT_REFUSED))
            return false;
    }
}

static bool remember(struct source *source, struct import *import, const struct line *line, const char *cursor)
{
    char text[400];
    if (import_state_move(&source->state, line->number, cursor))
        return true;
    snprintf(text, sizeof text, "%s: %s", source->state.path, strerror(errno));
    import_stop(import, EXIT_REFUSED, text);
    return false;
}

/* Takes the page's next_cursor over; *more: there is one. False: it leads nowhere, and what is behind it would be missing
 * without a word. */
static bool take_cursor(struct import *import, const struct line *line, const struct chats_page *page,
                        char cursor[IMPORT_CURSOR_BYTES_MAX + 1], bool *more)
{
    *more = page->next != NULL;
    if (page->next == NULL)
        return true;
    if (strlen(page->next) <= IMPORT_CURSOR_BYTES_MAX && strcmp(page->next, cursor) != 0) {
        memcpy(cursor, page->next, strlen(page->next) + 1);
        return true;
    }
    char text[200];
    snprintf(text, sizeof text, "%s: the provider's next_cursor is %s", line->number,
             strcmp(page->next, cursor) == 0 ? "the one that was asked for" : "longer than 2,048 bytes");
    import_stop(import, EXIT_REFUSED, text);
    return false;
}

/* False: stopped. */
static bool read_line(struct source *source, struct import *import, struct line *line)
{
    char cursor[IMPORT_CURSOR_BYTES_MAX + 1] = "";
    if (strcmp(source->state.line, line->number) == 0)
        memcpy(cursor, source->state.cursor, sizeof cursor);
    line->read_whole = cursor[0] == '\0';
    for (bool more = true; more;) {
        struct chats_page page;
        bool gone = false;
        if (!read_page(source, import, line, cursor, &page, &gone))
            return gone && remember(source, import, line, NULL);
        import->patience_mono_ms = clock_read().mono_ms + import->wait_ms;
        const cJSON *chat = NULL;
        cJSON_ArrayForEach(chat, page.chats)
        {
            if (import->count == IMPORT_BATCH_MAX && !import_flush(import))
                break;
            take_chat(import, chat, line);
            count_day(line, chat);
        }
        bool goes_on =
            import->stopped[0] == '\0' && import_flush(import) && take_cursor(import, line, &page, cursor, &more);
        chats_page_free(&page);
        if (!goes_on || !remember(source, import, line, more ? cursor : NULL))
            return false;
    }
    return true;
}

static int compare_counts(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* On half of the days at least so many chats were written in: one day on which all changed at once does not count. */
static uint32_t median(const struct line *line)
{
    uint32_t days[LEVEL_DAYS];
    memcpy(days, line->days, sizeof days);
    qsort(days, LEVEL_DAYS, sizeof *days, compare_counts);
    return days[LEVEL_DAYS / 2];
}

/* What a line is used to is the operator's to say; but here is what there is to see of it. */
static void add_levels(void *self, const struct import *import, struct json_out *out)
{
    const struct source *source = self;
    size_t shown = 0;
    if (out != NULL) {
        json_key(out, "active_chats_per_day");
        json_open(out, '{');
    }
    for (size_t i = 0; i < source->line_count; i++) {
        const struct line *line = &source->lines[i];
        uint32_t level = line->read_whole ? median(line) : 0;
        if (level == 0)
            continue;
        if (out != NULL) {
            json_key(out, line->number);
            json_put_int(out, level);
        } else if (shown++ < LEVELS_PRINTED) {
            fprintf(import->ctl->out, "%s  %s: %" PRIu32 "\n",
                    shown == 1 ? "Chats that were active on a day, of the last seven; a line's `daily_level` is at least that:\n"
                               : "",
                    line->number, level);
        }
    }
    if (out != NULL)
        json_close(out, '}');
    else if (shown > LEVELS_PRINTED)
        fprintf(import->ctl->out, "  and %zu more lines (--json tells all)\n", shown - LEVELS_PRINTED);
}

static bool read_lines(void *self, struct import *import)
{
    struct source *source = self;
    import->add_report = add_levels;
    import->self = source;
    import->total = (int64_t)source->line_count;
    for (size_t i = 0; i < source->line_count; i++, import->done++) {
        struct line *line = &source->lines[i];
        if (import_state_has(&source->state, line->number))
            continue;
        if (line->pool[0] == '\0')
            import_skip(import, 0, line->number, "unknown_pool", "this line belongs to no pool");
        else if (!read_line(source, import, line))
            return false;
    }
    import_state_remove(&source->state);
    return true;
}

/* ---- who and what ---- */

/* Blanks or control bytes in it would end the header and begin another. */
static bool key_is_usable(const char *key)
{
    for (const char *at = key; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            return false;
    return key[0] != '\0';
}

/* The account's key and address: from the configuration file, or as given. */
static int read_account(struct source *source)
{
    const struct ctl *ctl = source->ctl;
    const char *config = args_option(source->args, "config");
    const char *key_file = args_option(source->args, "api-key-file");
    const char *base_url = args_option(source->args, "base-url");
    struct conf *conf = NULL;
    struct conf_problem problem;
    if ((config == NULL) == (key_file == NULL))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "say where the key is: --config FILE or --api-key-file FILE");
    if (config != NULL && conf_load(&conf, config, NULL, 0, &problem) != ERR_NONE)
        return ctl_fail(ctl, EXIT_USAGE, "config", "%s", problem.text);
    const struct conf_account *account = NULL;
    for (size_t i = 0; conf != NULL && i < conf->account_count; i++)
        if (strcmp(conf->accounts[i].name, source->account) == 0)
            account = &conf->accounts[i];
    if (account != NULL) {
        key_file = account->api_key_file;
        base_url = base_url != NULL ? base_url : account->base_url;
    }
    source->base_url = strdup(base_url != NULL ? base_url : DEFAULT_URL);
    errno = 0;
    source->key = key_file != NULL ? conf_read_secret(key_file) : NULL;
    int code = EXIT_DONE;
    if (conf != NULL && account == NULL)
        code = ctl_fail(ctl, EXIT_USAGE, "config", "%s: has no account %s", config, source->account);
    else if (source->key == NULL || source->base_url == NULL || !key_is_usable(source->key))
        code = ctl_fail(ctl, EXIT_USAGE, "key", "%s: %s", key_file != NULL ? key_file : "api_key_file",
                        source->key == NULL && errno != 0 ? strerror(errno) : "has no key, which is printable ASCII without blanks");
    conf_free(&conf);
    return code;
}

static int check_address(const struct source *source)
{
    bool https = strncmp(source->base_url, "https://", 8) == 0;
    if (!https && !(strncmp(source->base_url, "http://", 7) == 0 && conf_endpoint_is_local(source->base_url)))
        return ctl_fail(source->ctl, EXIT_USAGE, "base-url", "%s: https, or http to this machine", source->base_url);
    return EXIT_DONE;
}

/* Is it one of those asked for (all, unless some are)? */
static bool is_wanted(const struct args *args, const char *number)
{
    int at = 0;
    bool any = false;
    for (const char *line = args_next(args, "line", &at); line != NULL; line = args_next(args, "line", &at)) {
        any = true;
        if (strcmp(line, number) == 0)
            return true;
    }
    return !any;
}

static bool keep_line(struct source *source, const cJSON *view)
{
    const char *account = json_string(view, "account");
    const char *number = json_string(view, "line");
    const char *pool = json_string(view, "pool");
    if (account == NULL || number == NULL || strcmp(account, source->account) != 0 || !e164_is_valid(number) ||
        !is_wanted(source->args, number) || source->line_count == LINES_MAX)
        return true;
    struct line *lines = realloc(source->lines, (source->line_count + 1) * sizeof *lines);
    if (lines == NULL)
        return false;
    source->lines = lines;
    struct line *line = &lines[source->line_count++];
    memset(line, 0, sizeof *line);
    snprintf(line->number, sizeof line->number, "%s", number);
    snprintf(line->pool, sizeof line->pool, "%s", pool != NULL ? pool : "");
    return true;
}

/* One that was asked for and is none of these; NULL: there is none. */
static const char *missing_line(const struct source *source)
{
    int at = 0;
    for (const char *line = args_next(source->args, "line", &at); line != NULL;
         line = args_next(source->args, "line", &at)) {
        size_t i = 0;
        while (i < source->line_count && strcmp(source->lines[i].number, line) != 0)
            i++;
        if (i == source->line_count)
            return line;
    }
    return NULL;
}

/* The lines of the account, as the broker knows them. */
static int read_broker_lines(struct source *source)
{
    char next[64] = "0";
    bool ok = true;
    while (ok && next[0] != '\0') {
        struct http_answer answer = {0};
        char path[128];
        snprintf(path, sizeof path, "/v1/lines?limit=1000&after=%s", next);
        int code = http_ask(source->ctl, "GET", path, NULL, &answer);
        if (code != EXIT_DONE)
            return code;
        const cJSON *view = NULL;
        cJSON_ArrayForEach(view, json_get(answer.json, "lines"))
            ok = ok && keep_line(source, view);
        const char *after = json_string(answer.json, "next");
        snprintf(next, sizeof next, "%s", after != NULL && strspn(after, "0123456789") == strlen(after) ? after : "");
        http_answer_free(&answer);
    }
    if (!ok)
        return ctl_fail(source->ctl, EXIT_REFUSED, "no_memory", "%s", "");
    const char *missing = missing_line(source);
    if (missing != NULL || source->line_count == 0)
        return ctl_fail(source->ctl, EXIT_REFUSED, "unknown_line",
                        "the broker knows no such line of account %s%s%s; lines of an `all` pool are known from the "
                        "first poll on",
                        source->account, missing != NULL ? ": " : "", missing != NULL ? missing : "");
    return EXIT_DONE;
}

static int open_state(struct source *source)
{
    char problem[512];
    const char *given = args_option(source->args, "state");
    snprintf(source->state_path, sizeof source->state_path, "linewardctl-import-%s.json", source->account);
    source->state = (struct import_state){.path = given != NULL ? given : source->state_path,
                                          .account = source->account,
                                          .base_url = source->base_url};
    if (!import_state_read(&source->state, problem, sizeof problem))
        return ctl_fail(source->ctl, EXIT_USAGE, "state", "%s", problem);
    if ((source->state.line[0] != '\0' || source->state.done->child != NULL) && !source->ctl->json)
        fprintf(source->ctl->err, "linewardctl: taken up again where %s stands\n", source->state.path);
    return EXIT_DONE;
}

static int prepare(struct source *source)
{
    int code = read_account(source);
    if (code == EXIT_DONE)
        code = check_address(source);
    if (code == EXIT_DONE)
        code = read_broker_lines(source);
    if (code == EXIT_DONE)
        code = open_state(source);
    if (code != EXIT_DONE)
        return code;
    source->chats = provider_chats_open(source->base_url, source->key, source->ctl->ca);
    return source->chats != NULL ? EXIT_DONE : ctl_fail(source->ctl, EXIT_REFUSED, "no_memory", "%s", "");
}

int import_from_provider(const struct ctl *ctl, const struct args *args)
{
    const char *account = args_option(args, "account");
    struct source source = {.ctl = ctl, .args = args};
    if (account == NULL)
        account = DEFAULT_ACCOUNT;
    if (!name_is_valid(account))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--account is the name of one");
    snprintf(source.account, sizeof source.account, "%s", account);
    int code = prepare(&source);
    if (code == EXIT_DONE)
        code = import_run(ctl, args, read_lines, &source);
    provider_chats_close(&source.chats);
    import_state_free(&source.state);
    free(source.lines);
    free(source.base_url);
    free(source.key);
    return code;
}
