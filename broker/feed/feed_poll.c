/* feed_poll.c — see feed_poll.h. */
#include "broker/feed/feed_poll.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/feed/feed_linq.h"
#include "broker/feed/feed_secrets.h"
#include "broker/feed/feed_skew.h"

#define PATH_LINES       "/v3/phone_numbers"
#define CONNECT_MS_MAX   10000
#define BODY_BYTES_FIRST 16384
#define BODY_BYTES_KEPT  (1024u * 1024) /* a larger buffer is given back after its poll */

struct account {
    const struct conf_account *conf;
    struct feed_poll *poll;
    CURL *easy;
    struct curl_slist *headers; /* only while under way: they hold the key */
    char *body;
    size_t bytes, room;
    bool too_large, under_way, wanted;
    uint64_t number;
    struct instant begun;
    int64_t due_mono_ms;
    bool barred; /* polled only when told to */
    int64_t not_before_mono_ms; /* Retry-After */
    struct feed_skew skew;
};

struct feed_poll {
    struct feed_poll_options options;
    CURLM *multi;
    struct account *accounts;
    size_t count;
    size_t under_way;
};

/* ---- the answer ---- */

static size_t on_body(char *data, size_t size, size_t count, void *userdata)
{
    struct account *account = userdata;
    size_t bytes = size * count;
    size_t limit = account->poll->options.answer_bytes_max;
    if (bytes > limit - account->bytes) {
        account->too_large = true;
        return 0;
    }
    if (account->bytes + bytes > account->room) {
        size_t room = account->room == 0 ? BODY_BYTES_FIRST : account->room;
        while (room < account->bytes + bytes)
            room *= 2;
        char *body = realloc(account->body, room);
        if (body == NULL)
            return 0;
        account->body = body;
        account->room = room;
    }
    memcpy(account->body + account->bytes, data, bytes);
    account->bytes += bytes;
    return bytes;
}

static const char *header_value(const struct account *account, const char *name)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(account->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* Sets `skew_ms` and `cached` from what the answer's head says of its age. */
static void judge_age(struct account *account, struct instant now, struct feed_message *end)
{
    const char *date = header_value(account, "date");
    const char *age = header_value(account, "age");
    time_t date_s = date == NULL ? -1 : curl_getdate(date, NULL);
    if (date_s > 0)
        end->cached = feed_skew_observe(&account->skew, (int64_t)date_s * 1000, account->begun, now, &end->skew_ms);
    if (age != NULL && strtol(age, NULL, 10) > 0)
        end->cached = true;
}

static void emit_lines(struct account *account, struct linq_list *list, struct feed_message *end)
{
    const struct feed_poll_options *options = &account->poll->options;
    size_t index = (size_t)(account - account->poll->accounts);
    struct feed_message lines = {.kind = FEED_POLL_LINES, .poll = end->poll};
    memcpy(lines.account, end->account, sizeof lines.account);
    lines.lines = list->lines;
    lines.line_count = list->count;
    feed_notes_add(options->notes, index, FEED_NOTE_UNKNOWN_VALUE, list->unknown_values);
    feed_notes_add(options->notes, index, FEED_NOTE_UNREADABLE_LINE, list->unreadable);
    end->ok = list->count == 0 || options->emit(options->context, &lines);
    if (!end->ok)
        snprintf(end->problem, sizeof end->problem, "the broker does not keep up");
}

static void read_answer(struct account *account, struct instant now, struct feed_message *end)
{
    struct linq_list list = {0};
    const char *why = NULL;
    judge_age(account, now, end);
    end->key_refused = end->http_status == 401;
    if (end->http_status != 200) {
        snprintf(end->problem, sizeof end->problem, "answered %d", end->http_status);
        return;
    }
    if (linq_read_lines(account->body == NULL ? "" : account->body, account->bytes, &list, &why) != ERR_NONE) {
        snprintf(end->problem, sizeof end->problem, "not a list of lines: %s", why);
        return;
    }
    emit_lines(account, &list, end);
    linq_list_clear(&list);
}

/* ---- begin and end ---- */

static void schedule_next(struct account *account, struct instant now)
{
    account->due_mono_ms = account->begun.mono_ms + account->conf->poll_interval_ms;
    if (account->due_mono_ms < now.mono_ms)
        account->due_mono_ms = now.mono_ms;
}

static void clear_request(struct account *account)
{
    for (struct curl_slist *header = account->headers; header != NULL; header = header->next)
        sodium_memzero(header->data, strlen(header->data));
    curl_slist_free_all(account->headers);
    account->headers = NULL;
    account->bytes = 0;
    if (account->room > BODY_BYTES_KEPT) {
        free(account->body);
        account->body = NULL;
        account->room = 0;
    }
}

/* `problem`: why there is no answer; NULL: there is one. */
static void end_poll(struct account *account, struct instant now, const char *problem)
{
    const struct feed_poll_options *options = &account->poll->options;
    struct feed_message end = {
        .kind = FEED_POLL_END, .poll = account->number, .begun_mono_ms = account->begun.mono_ms};
    memcpy(end.account, account->conf->name, sizeof end.account);
    long status = 0;
    if (problem == NULL)
        curl_easy_getinfo(account->easy, CURLINFO_RESPONSE_CODE, &status);
    end.http_status = status < 0 || status > 999 ? 0 : (int)status;
    if (problem != NULL)
        snprintf(end.problem, sizeof end.problem, "%s", problem);
    else
        read_answer(account, now, &end);
    options->emit(options->context, &end); /* not taken: the broker hears of the next one */
    clear_request(account);
    schedule_next(account, now);
}

static void honour_retry_after(struct account *account, struct instant now)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(account->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(account->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if ((status != 429 && status != 503) || retry_after_s <= 0)
        return;
    int64_t wait_ms =
        retry_after_s < POLL_RETRY_AFTER_MS_MAX / 1000 ? (int64_t)retry_after_s * 1000 : POLL_RETRY_AFTER_MS_MAX;
    account->not_before_mono_ms = now.mono_ms + wait_ms;
}

static void on_done(struct account *account, CURLcode code, struct instant now)
{
    curl_multi_remove_handle(account->poll->multi, account->easy);
    account->under_way = false;
    account->poll->under_way--;
    honour_retry_after(account, now);
    if (account->too_large)
        end_poll(account, now, "the answer is too large");
    else
        end_poll(account, now, code == CURLE_OK ? NULL : curl_easy_strerror(code));
}

static bool add_header(struct account *account, const char *text)
{
    struct curl_slist *longer = curl_slist_append(account->headers, text);
    if (longer == NULL)
        return false;
    account->headers = longer;
    return true;
}

/* NULL: the headers are set. Else what is missing. */
static const char *set_headers(struct account *account)
{
    char *authorization = feed_authorization_header(account->conf->api_key_file);
    if (authorization == NULL)
        return "the API key cannot be read";
    bool added = add_header(account, authorization) && add_header(account, "Accept: application/json") &&
                 add_header(account, "Cache-Control: no-cache");
    feed_secret_free(authorization);
    if (!added || curl_easy_setopt(account->easy, CURLOPT_HTTPHEADER, account->headers) != CURLE_OK)
        return "out of memory";
    return NULL;
}

/* The key is read for each poll: after a refused one its owner only has to write the file anew. */
static void begin_poll(struct account *account, struct instant now)
{
    account->wanted = false;
    account->begun = now;
    account->number++;
    account->too_large = false;
    const char *problem = set_headers(account);
    if (problem == NULL && curl_multi_add_handle(account->poll->multi, account->easy) != CURLM_OK)
        problem = "out of memory";
    if (problem != NULL) {
        end_poll(account, now, problem);
        return;
    }
    account->under_way = true;
    account->poll->under_way++;
}

/* ---- opening and closing ---- */

static enum err prepare_easy(struct account *account, struct conf_problem *problem)
{
    const char *base = account->conf->base_url;
    bool local = conf_endpoint_is_local(base);
    size_t bytes = strlen(base);
    char *url = NULL;
    while (bytes > 0 && base[bytes - 1] == '/')
        bytes--;
    if (strncmp(base, "https://", 8) != 0 && !(local && strncmp(base, "http://", 7) == 0)) {
        snprintf(problem->text, sizeof problem->text, "accounts.%s.base_url: https only, http only to loopback",
                 account->conf->name);
        return ERR_BAD_INPUT;
    }
    account->easy = curl_easy_init();
    if (account->easy == NULL || asprintf(&url, "%.*s" PATH_LINES, (int)bytes, base) < 0)
        return ERR_NO_MEMORY;
    CURL *easy = account->easy;
    const struct feed_poll_options *options = &account->poll->options;
    bool set = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, local ? "http,https" : "https") == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_USERAGENT, "lineward") == CURLE_OK &&
               (!local || curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK);
    free(url);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes nowhere else */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, account);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, account);
    return set ? ERR_NONE : ERR_NO_MEMORY;
}

enum err feed_poll_open(struct feed_poll **out, const struct conf *conf, const struct feed_poll_options *options,
                        struct instant now, struct conf_problem *problem)
{
    enum err err = ERR_NO_MEMORY;
    snprintf(problem->text, sizeof problem->text, "out of memory");
    struct feed_poll *poll = calloc(1, sizeof *poll);
    if (poll == NULL)
        return err;
    poll->options = *options;
    poll->multi = curl_multi_init();
    poll->accounts = calloc(conf->account_count + 1, sizeof *poll->accounts);
    if (poll->multi == NULL || poll->accounts == NULL)
        goto fail;
    for (; poll->count < conf->account_count; poll->count++) {
        struct account *account = &poll->accounts[poll->count];
        account->conf = &conf->accounts[poll->count];
        account->poll = poll;
        account->due_mono_ms = now.mono_ms + randombytes_uniform((uint32_t)options->jitter_ms_max + 1);
        if ((err = prepare_easy(account, problem)) != ERR_NONE)
            goto fail;
    }
    *out = poll;
    return ERR_NONE;
fail:
    feed_poll_close(&poll);
    return err;
}

void feed_poll_close(struct feed_poll **poll_p)
{
    struct feed_poll *poll = *poll_p;
    if (poll == NULL)
        return;
    for (size_t i = 0; poll->accounts != NULL && i <= poll->count; i++) { /* the last one may be half made */
        struct account *account = &poll->accounts[i];
        if (account->under_way)
            curl_multi_remove_handle(poll->multi, account->easy);
        curl_easy_cleanup(account->easy);
        clear_request(account);
        free(account->body);
    }
    free(poll->accounts);
    curl_multi_cleanup(poll->multi);
    free(poll);
    *poll_p = NULL;
}

enum err feed_poll_follow(struct feed_poll **poll_p, const struct conf *conf, struct instant now,
                          struct conf_problem *problem)
{
    struct feed_poll *poll = *poll_p, *next = NULL;
    enum err err = feed_poll_open(&next, conf, &poll->options, now, problem);
    if (err != ERR_NONE)
        return err;
    for (size_t i = 0; i < poll->count && i < next->count; i++) {
        next->accounts[i].number = poll->accounts[i].number;
        next->accounts[i].skew = poll->accounts[i].skew;
        next->accounts[i].wanted = poll->accounts[i].wanted || poll->accounts[i].under_way;
        next->accounts[i].not_before_mono_ms = poll->accounts[i].not_before_mono_ms;
        next->accounts[i].barred = poll->accounts[i].barred;
    }
    feed_poll_close(poll_p);
    *poll_p = next;
    return ERR_NONE;
}

/* ---- the turn ---- */

void feed_poll_allow(struct feed_poll *poll, size_t account, bool on)
{
    poll->accounts[account].barred = !on;
}

void feed_poll_now(struct feed_poll *poll, size_t account)
{
    poll->accounts[account].wanted = true;
}

static int64_t account_due(const struct account *account)
{
    if (account->under_way || account->conf->gone)
        return TIME_NEVER;
    int64_t due = account->wanted ? 0 : account->barred ? TIME_NEVER : account->due_mono_ms;
    return due > account->not_before_mono_ms ? due : account->not_before_mono_ms;
}

/* The one that has been due for longest, so that many slow accounts cannot crowd out the others. */
static struct account *next_due(const struct feed_poll *poll)
{
    struct account *next = NULL;
    for (size_t i = 0; i < poll->count; i++) {
        if (next == NULL || account_due(&poll->accounts[i]) < account_due(next))
            next = &poll->accounts[i];
    }
    return next;
}

int64_t feed_poll_due(const struct feed_poll *poll)
{
    const struct account *next = poll->under_way < POLLS_AT_ONCE_MAX ? next_due(poll) : NULL;
    return next == NULL ? TIME_NEVER : account_due(next);
}

static void end_finished(struct feed_poll *poll, struct instant now)
{
    int left = 0;
    const CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(poll->multi, &left)) != NULL) {
        struct account *account = NULL;
        CURLcode code = message->data.result; /* *message is gone once its handle is removed */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&account);
        on_done(account, code, now);
    }
}

void feed_poll_step(struct feed_poll *poll, struct instant now)
{
    int running = 0;
    for (size_t i = 0; i < poll->count && feed_poll_due(poll) <= now.mono_ms; i++)
        begin_poll(next_due(poll), now);
    curl_multi_perform(poll->multi, &running);
    end_finished(poll, now);
}

void feed_poll_wait(struct feed_poll *poll, struct curl_waitfd *extra, unsigned count, int timeout_ms)
{
    curl_multi_poll(poll->multi, extra, count, timeout_ms, NULL);
}
