/* outcomes_post.c — see outcomes_post.h. */
#include "broker/outcomes/outcomes_post.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/feed/feed_secrets.h"
#include "lineward/log.h"
#include "lineward/outcome_target.h"
#include "lineward/signature.h"
#include "lineward/version.h"

_Static_assert(FEED_SECRETS_MAX <= SIGNATURE_SECRETS_MAX, "each secret signs");

struct target { /* of a pool */
    const struct conf_pool *pool;
    struct feed_secrets secrets;
};

struct request {
    struct poster *poster;
    struct request *next, *prev;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    uint64_t number;
    size_t answered; /* bytes of the answer's body */
    bool refused;    /* an address was not allowed */
};

struct poster {
    const struct conf *conf;
    poster_done *done;
    void *context;
    CURLM *multi;
    struct target *targets; /* those with an outcome_url */
    size_t target_count, under_way;
    struct request *first;
};

/* ---- what libcurl asks ---- */

/* Nobody needs to know what an answer says but its status. */
static size_t on_body(char *bytes, size_t size, size_t count, void *self)
{
    struct request *request = self;
    (void)bytes;
    request->answered += size * count;
    return request->answered > OUTCOME_ANSWER_BYTES_MAX ? 0 : size * count;
}

/* The address that is really connected to, whatever the name had when the configuration was written. */
static curl_socket_t on_socket(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct request *request = self;
    const struct conf_broker *broker = &request->poster->conf->broker;
    (void)purpose;
    if (!outcome_address_is_allowed((const char *const *)broker->outcome_hosts, broker->outcome_host_count,
                                    &address->addr)) {
        request->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the end of a request ---- */

static enum outcome_problem problem_of(const struct request *request, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return OUTCOME_PROBLEM_NOT_RESOLVED;
    case CURLE_COULDNT_CONNECT:
        return request->refused ? OUTCOME_PROBLEM_ADDRESS_REFUSED : OUTCOME_PROBLEM_NOT_CONNECTED;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTCOME_PROBLEM_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return OUTCOME_PROBLEM_TLS;
    case CURLE_OUT_OF_MEMORY:
        return OUTCOME_PROBLEM_NO_MEMORY;
    default:
        return OUTCOME_PROBLEM_BROKEN;
    }
}

static void request_free(struct request *request)
{
    struct poster *poster = request->poster;
    if (request->easy != NULL) {
        curl_multi_remove_handle(poster->multi, request->easy);
        curl_easy_cleanup(request->easy);
    }
    curl_slist_free_all(request->headers);
    free(request->body);
    if (request->next != NULL)
        request->next->prev = request->prev;
    if (request->prev != NULL)
        request->prev->next = request->next;
    else
        poster->first = request->next;
    poster->under_way--;
    free(request);
}

/* The answer's status has come: what else of it comes, slowly or not at all, nobody needs. */
static bool is_answered(const struct request *request, CURLcode code, long *status)
{
    *status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, status);
    return code == CURLE_OK || *status >= 200;
}

static void on_done(struct request *request, CURLcode code)
{
    struct poster *poster = request->poster;
    struct outcome_result result = {.request = request->number};
    long status = 0;
    curl_off_t retry_after_s = 0;
    if (is_answered(request, code, &status)) {
        curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        result.status = status < 0 || status > 999 ? 0 : (int)status;
        result.problem = status >= 200 && status <= 299 ? OUTCOME_PROBLEM_NONE : OUTCOME_PROBLEM_STATUS;
        if ((status == 429 || status == 503) && retry_after_s > 0)
            result.retry_after_ms = retry_after_s < 86400 ? (int64_t)retry_after_s * 1000 : 86400000;
    } else {
        result.problem = problem_of(request, code);
    }
    request_free(request);
    poster->done(poster->context, &result);
}

static void fail(struct poster *poster, uint64_t number, enum outcome_problem problem)
{
    struct outcome_result result = {.request = number, .problem = problem};
    poster->done(poster->context, &result);
}

/* ---- the begin ---- */

static const struct target *find(const struct poster *poster, const char *pool)
{
    for (size_t i = 0; i < poster->target_count; i++)
        if (strcmp(poster->targets[i].pool->name, pool) == 0)
            return &poster->targets[i];
    return NULL;
}

static bool add_header(struct request *request, const char *name, const char *value)
{
    char *text = NULL;
    if (asprintf(&text, "%s: %s", name, value) < 0)
        return false;
    struct curl_slist *longer = curl_slist_append(request->headers, text);
    free(text);
    if (longer == NULL)
        return false;
    request->headers = longer;
    return true;
}

/* Signed with the time of this try, so that the receiver may refuse what is old. */
static bool set_headers(struct request *request, const struct target *target, const struct outcome_post *post,
                        struct instant now)
{
    char timestamp[24], signatures[SIGNATURES_TEXT_MAX];
    snprintf(timestamp, sizeof timestamp, "%" PRId64, now.wall_ms / 1000);
    signature_make_all(target->secrets.secrets, target->secrets.count, post->id, timestamp, post->body, post->bytes,
                       signatures);
    return add_header(request, "Content-Type", "application/json") && add_header(request, "webhook-id", post->id) &&
           add_header(request, "webhook-timestamp", timestamp) &&
           add_header(request, "webhook-signature", signatures) &&
           curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK;
}

static bool set_options(struct request *request, const struct target *target, size_t bytes)
{
    CURL *easy = request->easy;
    bool set =
        curl_easy_setopt(easy, CURLOPT_URL, target->pool->outcome_url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "lineward/" LINEWARD_VERSION) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK; /* else the proxy's address is what is checked */
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)bytes);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* it would lead past the list of hosts */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)target->pool->outcome_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)OUTCOME_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    return set;
}

static struct request *request_new(struct poster *poster, const struct outcome_post *post)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    *request = (struct request){.poster = poster, .next = poster->first, .number = post->request};
    if (poster->first != NULL)
        poster->first->prev = request;
    poster->first = request;
    poster->under_way++;
    request->easy = curl_easy_init();
    request->body = malloc(post->bytes + 1);
    if (request->easy == NULL || request->body == NULL) {
        request_free(request);
        return NULL;
    }
    memcpy(request->body, post->body, post->bytes);
    return request;
}

void poster_begin(struct poster *poster, const struct outcome_post *post, struct instant now)
{
    const struct target *target = find(poster, post->pool);
    if (target == NULL || target->secrets.count == 0) {
        fail(poster, post->request, target == NULL ? OUTCOME_PROBLEM_NOT_CONFIGURED : OUTCOME_PROBLEM_NO_SECRET);
        return;
    }
    struct request *request = request_new(poster, post);
    if (request != NULL && set_options(request, target, post->bytes) && set_headers(request, target, post, now) &&
        curl_multi_add_handle(poster->multi, request->easy) == CURLM_OK)
        return;
    if (request != NULL)
        request_free(request);
    fail(poster, post->request, OUTCOME_PROBLEM_NO_MEMORY);
}

/* ---- the turn ---- */

void poster_step(struct poster *poster)
{
    int running = 0, left = 0;
    const CURLMsg *message = NULL;
    curl_multi_perform(poster->multi, &running);
    while ((message = curl_multi_info_read(poster->multi, &left)) != NULL) {
        struct request *request = NULL;
        CURLcode code = message->data.result; /* *message is gone once its handle is removed */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        on_done(request, code);
    }
}

size_t poster_under_way(const struct poster *poster)
{
    return poster->under_way;
}

void poster_wait(struct poster *poster, struct curl_waitfd *extra, unsigned count, int timeout_ms)
{
    curl_multi_poll(poster->multi, extra, count, timeout_ms, NULL);
}

/* ---- opening and closing ---- */

static void read_targets(struct poster *poster)
{
    for (size_t p = 0; p < poster->conf->pool_count; p++) {
        const struct conf_pool *pool = &poster->conf->pools[p];
        struct conf_problem problem;
        if (pool->outcome_url == NULL)
            continue;
        struct target *target = &poster->targets[poster->target_count++];
        target->pool = pool;
        if (feed_secrets_read(&target->secrets, pool->outcome_secrets_file, &problem) != ERR_NONE) {
            target->secrets.count = 0;
            log_event(LOG_ERROR, "outcome_secrets_not_read", "pool=%s reason=\"%s\"", pool->name, problem.text);
        }
    }
}

struct poster *poster_open(const struct conf *conf, poster_done *done, void *context)
{
    struct poster *poster = calloc(1, sizeof *poster);
    if (poster == NULL)
        return NULL;
    *poster = (struct poster){.conf = conf, .done = done, .context = context};
    poster->multi = curl_multi_init();
    poster->targets = calloc(conf->pool_count + 1, sizeof *poster->targets);
    if (poster->multi == NULL || poster->targets == NULL) {
        poster_close(&poster);
        return NULL;
    }
    read_targets(poster);
    return poster;
}

void poster_close(struct poster **poster_p)
{
    struct poster *poster = *poster_p;
    *poster_p = NULL;
    if (poster == NULL)
        return;
    while (poster->first != NULL)
        request_free(poster->first);
    if (poster->targets != NULL)
        sodium_memzero(poster->targets, (poster->conf->pool_count + 1) * sizeof *poster->targets);
    free(poster->targets);
    curl_multi_cleanup(poster->multi);
    free(poster);
}
