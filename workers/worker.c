/* worker.c — see worker.h. One turn: hear the brokers first, so that a REVOKE reaches what has come to the sockets
 * with it, then the provider's answers, then begin and answer what is due, then tell the brokers. */
#include "worker.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "accounts.h"
#include "broker_link.h"
#include "curve_keys.h"
#include "lease_json.h"
#include "lineward/log.h"
#include "lineward/notify.h"
#include "lineward/retry_after.h"
#include "sender.h"

#define EVENTS_PER_TURN    256
#define END_WAIT_MS        5000  /* for DONE, once nothing is under way */
#define END_MAX_MS         9000  /* in all: what then still is under way is tried again by another, with the same key */
#define NO_ACCOUNT_WAIT_MS 10000 /* until a worker that knows the account may have come */
#define FIXED_KEYS_MAX     8
#define INSTANCE_TEXT      33    /* random, in hex, and a terminator */

enum event_kind { EVENT_SIGNAL, EVENT_LINK, EVENT_SENDER }; /* upper half of epoll's data */

static volatile sig_atomic_t resumes; /* times that the process was continued */

struct worker {
    sig_atomic_t resumes_seen;
    int epoll_fd;
    void *zmq;
    struct instant (*clock)(void);
    struct instant now; /* of the turn */
    int64_t request_timeout_ms;
    struct accounts *accounts;
    struct sender *sender;
    struct broker_link *links[CONF_WORKER_BROKERS_MAX];
    size_t link_count;
    bool more; /* a broker has said more than the last turn read */
    bool ending, idle; /* ending, and nothing is under way any more */
    int64_t end_by_mono_ms;
};

/* ---- one lease --------------------------------------------------------------------------------------------- */

static void answer(struct lease *lease, const struct disposition *verdict, const struct provider_answer *from,
                   const char *error)
{
    size_t bytes = 0;
    char *result = lease_result(verdict, from, error, &bytes);
    broker_link_answer(lease->link, lease, result, bytes);
}

static void answer_returned(struct lease *lease)
{
    static const struct disposition returned = {.outcome = OUTCOME_RETURNED, .retry_after_ms = -1};
    answer(lease, &returned, NULL, NULL);
}

static void answer_unsendable(struct lease *lease, const char *what)
{
    static const struct disposition rejected = {
        .outcome = OUTCOME_REJECTED, .retry_after_ms = -1, .reason = "the job as leased is malformed"};
    log_event(LOG_ERROR, "lease_unsendable", "lease=%s job=%s field=\"%s\"", lease->id,
              lease->job[0] != '\0' ? lease->job : "?", what);
    answer(lease, &rejected, NULL, NULL);
}

static void answer_no_account(struct lease *lease, const char *account)
{
    static const struct disposition waits = {.outcome = OUTCOME_RETRY,
                                             .scope = SCOPE_ACCOUNT,
                                             .retry_after_ms = NO_ACCOUNT_WAIT_MS,
                                             .reason = "the worker's configuration lacks the account"};
    struct disposition verdict = waits;
    verdict.unknown = lease->unsettled;
    log_event(LOG_ERROR, "account_unknown", "job=%s account=%s", lease->job, name_is_valid(account) ? account : "?");
    answer(lease, &verdict, NULL, NULL);
}

static void begin_sending(struct worker *worker, struct lease *lease, const struct leased_job *job)
{
    struct provider_request request = {0};
    const char *base_url = NULL;
    const struct sender_route *route = accounts_find(worker->accounts, job->account, &base_url);
    if (route == NULL) {
        answer_no_account(lease, job->account);
        return;
    }
    enum err err = provider_linq.request(base_url, &job->send, &request);
    if (err == ERR_BAD_INPUT) {
        answer_unsendable(lease, "message or chat_id");
        return;
    }
    if (err == ERR_NONE)
        err = sender_start(worker->sender, lease, route, &request, worker->now.mono_ms, lease->deadline_mono_ms,
                           &lease->send);
    if (err != ERR_NONE)
        answer_returned(lease);
}

static void on_job(void *context, struct lease *lease, struct frame json)
{
    struct worker *worker = context;
    struct leased_job job;
    const char *why = NULL;
    if (leased_job_read(json.data, json.bytes, &job, &why) != ERR_NONE) {
        answer_unsendable(lease, why);
        return;
    }
    int64_t time_ms = job.lease_ms < worker->request_timeout_ms ? job.lease_ms : worker->request_timeout_ms;
    snprintf(lease->job, sizeof lease->job, "%s", job.job);
    snprintf(lease->line, sizeof lease->line, "%s", job.send.line);
    lease->attempt = job.attempt;
    lease->has_chat = job.send.chat_id != NULL;
    lease->unsettled = job.unsettled;
    lease->expires_wall_ms = job.expires_wall_ms;
    lease->deadline_mono_ms = worker->now.mono_ms + time_ms;
    begin_sending(worker, lease, &job);
    leased_job_clear(&job);
}

static void on_withdraw(void *context, struct lease *lease)
{
    struct worker *worker = context;
    if (lease->send != NULL)
        sender_withdraw(worker->sender, lease->send);
    lease->send = NULL;
}

void worker_resumed(int signal)
{
    (void)signal;
    resumes++;
}

static void doubt_if_resumed(struct worker *worker)
{
    if (worker->resumes_seen == resumes)
        return;
    worker->resumes_seen = resumes;
    for (size_t i = 0; i < worker->link_count; i++)
        broker_link_doubt(worker->links[i], worker->clock().mono_ms);
}

/* The last moment before bytes leave. The clock is read anew: the process may have been stopped since the turn
 * began, and then everything the turn knows is old. */
static bool may_begin(void *context, void *owner)
{
    struct worker *worker = context;
    struct lease *lease = owner;
    doubt_if_resumed(worker);
    struct instant now = worker->clock();
    if (lease->revoked || now.wall_ms >= lease->expires_wall_ms || now.mono_ms >= lease->deadline_mono_ms ||
        !broker_link_is_fresh(lease->link, now.mono_ms))
        return false;
    lease_begin(lease);
    return true;
}

static void log_verdict(const struct lease *lease, const struct disposition *verdict,
                        const struct provider_answer *from, const char *error)
{
    char line[HANDLE_MAX_BYTES + 1];
    if (verdict->outcome == OUTCOME_SENT && verdict->documented)
        return; /* the broker says so, once it is durable */
    handle_mask(lease->line, line);
    log_event(verdict->documented ? LOG_INFO : LOG_WARN, outcome_name(verdict->outcome),
              "job=%s line=%s attempt=%lld http_status=%d code=%lld scope=%s unknown=%d documented=%d reason=\"%s\"",
              lease->job, line, (long long)lease->attempt, from->answer.http_status, (long long)from->answer.code,
              scope_name(verdict->scope), verdict->unknown, verdict->documented,
              error != NULL             ? error
              : verdict->reason != NULL ? verdict->reason
                                        : "");
}

static void read_answer(struct worker *worker, const struct send_end *end, struct provider_answer *out)
{
    int64_t wall_ms = worker->now.wall_ms;
    if (end->transport != TRANSPORT_ANSWERED) {
        *out = (struct provider_answer){.answer = {.transport = end->transport, .retry_after_ms = -1}};
        return;
    }
    if (end->date != NULL) /* a date in Retry-After is of the provider's clock, which is in its Date */
        http_date_parse(end->date, &wall_ms);
    provider_linq.read(end->http_status, end->body, end->bytes, end->retry_after, end->trace, wall_ms, out);
}

static void on_ended(void *context, void *owner, const struct send_end *end)
{
    struct lease *lease = owner;
    struct provider_answer from;
    lease->send = NULL;
    if (end->refused) {
        answer_returned(lease);
        return;
    }
    read_answer(context, end, &from);
    from.answer.has_chat = lease->has_chat;
    from.answer.attempt = (unsigned)lease->attempt;
    /* Written twice, the request is its own earlier try. */
    from.answer.unsettled = lease->unsettled || end->begun > 1;
    struct disposition verdict = disposition_of(&from.answer);
    log_verdict(lease, &verdict, &from, end->error);
    answer(lease, &verdict, end->transport == TRANSPORT_ANSWERED ? &from : NULL, end->error);
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static enum err problem_set(struct conf_problem *problem, enum err err, const char *key, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "%s: %s", key, what);
    return err;
}

static void make_label(const struct conf_worker *conf, char out[NAME_MAX_BYTES + 1])
{
    char host[NAME_MAX_BYTES + 1] = "worker";
    if (conf->name != NULL) {
        snprintf(out, NAME_MAX_BYTES + 1, "%s", conf->name);
        return;
    }
    gethostname(host, sizeof host - 1);
    snprintf(out, NAME_MAX_BYTES + 1, "%.48s-%ld", host, (long)getpid());
}

/* Random for each broker: one that goes on with another's store must not take what was begun for that one for not begun,
 * only because we say READY to both. */
static void make_instance(char out[INSTANCE_TEXT])
{
    unsigned char random[INSTANCE_TEXT / 2];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(out, INSTANCE_TEXT, random, sizeof random);
}

static enum err open_links(struct worker *worker, const struct conf *conf, const struct curve_keys *keys,
                           struct conf_problem *problem)
{
    static const struct link_hooks hooks = {.job = on_job, .withdraw = on_withdraw};
    char label[NAME_MAX_BYTES + 1], instance[INSTANCE_TEXT];
    make_label(&conf->worker, label);
    for (; worker->link_count < conf->worker.broker_count; worker->link_count++) {
        size_t i = worker->link_count;
        make_instance(instance);
        struct link_settings settings = {.endpoint = conf->worker.brokers[i],
                                         .worker = label,
                                         .instance = instance,
                                         .slots = (size_t)conf->worker.slots,
                                         .heartbeat_ms = conf->broker.heartbeat_ms,
                                         .secret_key = keys->in_force ? keys->own.secret : NULL,
                                         .broker_key = keys->in_force ? keys->broker : NULL,
                                         .epoll_fd = worker->epoll_fd,
                                         .epoll_data = (uint64_t)EVENT_LINK << 32 | i};
        enum err err = broker_link_open(&worker->links[i], worker->zmq, &settings, &hooks, worker);
        if (err != ERR_NONE)
            return problem_set(problem, err, conf->worker.brokers[i], strerror(errno));
    }
    log_event(LOG_INFO, "started", "worker=%s brokers=%zu slots=%lld", label, worker->link_count,
              (long long)conf->worker.slots);
    return ERR_NONE;
}

enum err worker_open(struct worker **out, const struct conf *conf, struct instant (*clock)(void),
                     struct conf_problem *problem)
{
    static const struct sender_hooks hooks = {.may_begin = may_begin, .ended = on_ended};
    struct curve_keys keys = {.in_force = false};
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return problem_set(problem, ERR_NO_MEMORY, "worker", "out of memory");
    *worker = (struct worker){.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                              .zmq = zmq_ctx_new(),
                              .clock = clock,
                              .now = clock(),
                              .request_timeout_ms = conf->worker.request_timeout_ms};
    enum err err = ERR_NO_MEMORY;
    if (worker->epoll_fd < 0 || worker->zmq == NULL)
        problem_set(problem, err, "worker", strerror(errno));
    else if ((err = curve_keys_read(&keys, conf, problem)) == ERR_NONE &&
             (err = accounts_open(&worker->accounts, conf, problem)) == ERR_NONE) {
        /* Each broker is told the number of slots and gives that many jobs, so each has its own. */
        err = sender_open(&worker->sender, worker->epoll_fd, EVENT_SENDER,
                          (size_t)conf->worker.slots * conf->worker.broker_count, &hooks, worker);
        if (err != ERR_NONE)
            problem_set(problem, err, "worker.slots", "out of memory");
        else
            err = open_links(worker, conf, &keys, problem);
    }
    curve_keys_clear(&keys);
    if (err == ERR_NONE)
        *out = worker;
    else
        worker_free(&worker);
    return err;
}

void worker_free(struct worker **worker_p)
{
    struct worker *worker = *worker_p;
    if (worker == NULL)
        return;
    sender_free(&worker->sender);
    for (size_t i = 0; i < worker->link_count; i++)
        broker_link_free(&worker->links[i]);
    accounts_free(&worker->accounts);
    if (worker->zmq != NULL)
        zmq_ctx_term(worker->zmq);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    free(worker);
    *worker_p = NULL;
}

/* ---- turns ------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct worker *worker, int wait_max_ms)
{
    int64_t due = sender_due_mono_ms(worker->sender);
    for (size_t i = 0; i < worker->link_count; i++) {
        int64_t link_due = broker_link_due_mono_ms(worker->links[i]);
        due = link_due < due ? link_due : due;
    }
    if (worker->ending && worker->end_by_mono_ms < due)
        due = worker->end_by_mono_ms;
    if (worker->more || due <= worker->now.mono_ms)
        return 0;
    if (due == INT64_MAX)
        return wait_max_ms;
    int64_t left = due - worker->now.mono_ms;
    int wait = left > 60000 ? 60000 : (int)left;
    return wait_max_ms >= 0 && wait_max_ms < wait ? wait_max_ms : wait;
}

static size_t in_hand(const struct worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->link_count; i++)
        count += broker_link_in_hand(worker->links[i]);
    return count;
}

void worker_turn(struct worker *worker, int wait_max_ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(worker->epoll_fd, events, EVENTS_PER_TURN, wait_ms(worker, wait_max_ms));
    doubt_if_resumed(worker);
    worker->now = worker->clock();
    for (size_t i = 0; i < worker->link_count; i++)
        broker_link_read(worker->links[i], worker->now);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 >> 32 == EVENT_SENDER)
            sender_socket_event(worker->sender, (int)(events[i].data.u64 & UINT32_MAX), events[i].events);
    }
    sender_turn(worker->sender, worker->now.mono_ms);
    worker->more = false;
    for (size_t i = 0; i < worker->link_count; i++)
        worker->more = broker_link_write(worker->links[i], worker->now) || worker->more;
    if (worker->ending && !worker->idle && in_hand(worker) == 0) {
        int64_t by = worker->now.mono_ms + END_WAIT_MS;
        worker->idle = true;
        worker->end_by_mono_ms = by < worker->end_by_mono_ms ? by : worker->end_by_mono_ms;
    }
}

void worker_end(struct worker *worker)
{
    if (worker->ending)
        return;
    worker->ending = true;
    worker->end_by_mono_ms = worker->clock().mono_ms + END_MAX_MS;
    for (size_t i = 0; i < worker->link_count; i++)
        broker_link_end(worker->links[i]);
    log_event(LOG_INFO, "ending", "in_hand=%zu leases=%zu", in_hand(worker), worker_leases(worker));
}

bool worker_has_ended(const struct worker *worker)
{
    return worker->ending && (worker_leases(worker) == 0 || worker->now.mono_ms >= worker->end_by_mono_ms);
}

size_t worker_leases(const struct worker *worker)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->link_count; i++)
        count += broker_link_leases(worker->links[i]);
    return count;
}

static void log_fixed(const struct conf *conf, const struct conf *started)
{
    const char *fixed[FIXED_KEYS_MAX];
    size_t count = conf_worker_fixed_differences(&conf->worker, &started->worker, fixed, FIXED_KEYS_MAX);
    for (size_t i = 0; i < count; i++)
        log_event(LOG_WARN, "needs_restart", "key=%s", fixed[i]);
}

void worker_reload(struct worker *worker, const struct worker_source *source)
{
    struct conf *conf = NULL;
    struct accounts *accounts = NULL;
    struct conf_problem problem;
    size_t in_hand = 0;
    enum err err = conf_load(&conf, source->path, source->sets, source->set_count, &problem);
    if (err == ERR_NONE)
        err = accounts_open(&accounts, conf, &problem);
    for (size_t i = 0; i < worker->link_count; i++)
        in_hand += broker_link_in_hand(worker->links[i]);
    if (in_hand == 0) {
        sender_forget_routes(worker->sender);
        accounts_settle(worker->accounts);
    }
    if (err != ERR_NONE) {
        log_event(LOG_ERROR, "not_reloaded", "reason=\"%s\"", problem.text);
    } else {
        accounts_follow(&worker->accounts, &accounts);
        worker->request_timeout_ms = conf->worker.request_timeout_ms;
        log_fixed(conf, source->started);
        log_event(LOG_INFO, "reloaded", "accounts=%zu", conf->account_count);
    }
    conf_free(&conf);
}

/* How long a turn may wait for the service manager's sake; -1: as long as it likes. */
static int watched_ms(const struct worker *worker)
{
    int64_t next = notify_next_mono_ms();
    if (next == TIME_NEVER)
        return -1;
    int64_t wait = next - worker->now.mono_ms;
    return wait < 0 ? 0 : wait > INT32_MAX ? INT32_MAX : (int)wait;
}

int worker_run(struct worker *worker, int signal_fd, const struct worker_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)EVENT_SIGNAL << 32};
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, signal_fd, &event) != 0)
        return 1;
    while (!worker_has_ended(worker)) {
        struct signalfd_siginfo signal;
        notify_turn(worker->now.mono_ms);
        worker_turn(worker, watched_ms(worker));
        while (read(signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
            if (signal.ssi_signo == SIGHUP) {
                notify_reloading();
                worker_reload(worker, source);
                notify_ready();
                continue;
            }
            if (worker->ending)
                return 1;
            notify_stopping();
            worker_end(worker);
        }
    }
    size_t left = worker_leases(worker);
    log_event(left == 0 ? LOG_INFO : LOG_WARN, "ended", "unacknowledged=%zu", left);
    return 0; /* what is left is tried again by another, with the same key */
}
