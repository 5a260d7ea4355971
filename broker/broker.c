/* broker.c — see broker.h. The turn (broker_turn): read, decide, persist, speak; and what happens between turns. */
#include "broker/broker.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/broker_part.h"
#include "broker/edge/view.h"
#include "broker/store/record.h"
#include "lineward/log.h"
#include "lineward/notify.h"

#define MESSAGES_PER_TURN 64   /* of a socket: so that none starves the others */
#define READ_US           500  /* likewise: what asks much goes on in the next turn */
#define CHANGES_PER_TURN  8192 /* before what was gathered is submitted */
#define CLEAN_US          1000
#define CLEAN_CALL_MS     60000
#define CLEAN_AGAIN_MS    1100 /* after a wake: the store looks once a second at most, and may just have looked */
#define RESULTS_MS        6000 /* when TERM comes: for the results of what workers have begun ... */
#define ENDING_MS         3000 /* ... and for what was read to be durable and answered: 10 s in all */

/* ---- persist: changes into the batch, messages into the outbox ---- */

/* The journal has it too, but whoever reads the log should not have to ask for it. */
static void log_gate(const struct change_gate *gate)
{
    char line[LINE_TEXT_MAX];
    char masked[HANDLE_MAX_BYTES + 1];
    line_text(gate->line, line);
    handle_mask(line, masked);
    log_event(LOG_INFO, "line_gate", "line=%s gate=%s reason=%s", masked, gate_name((enum gate)gate->gate),
              reason_name((enum reason)gate->reason));
}

static bool accepts(const struct effect *effect)
{
    return effect->kind == EFFECT_ENQUEUED && effect->code == CODE_NONE && !effect->duplicate;
}

void broker_persist(void *self, struct instant now, struct effects *out)
{
    struct broker *broker = self;
    for (size_t i = 0; i < out->change_count; i++) {
        if (record_add(broker->batch, &out->changes[i]) != ERR_NONE)
            broker->out_of_memory = true;
        if (out->changes[i].kind == CHANGE_GATE)
            log_gate(&out->changes[i].gate);
        if (out->changes[i].kind == CHANGE_SUPPRESSION && broker->cache != NULL)
            cache_link_person(broker->cache, &out->changes[i].suppression, now);
    }
    for (size_t i = 0; i < out->effect_count; i++) {
        if (accepts(&out->effects[i]))
            timings_accepted(broker->timings);
        if (!outbox_waits(out->effects[i].kind) && broker->urgent_count < BROKER_URGENT_MAX)
            broker->urgent[broker->urgent_count++] = out->effects[i];
        else if (outbox_add(broker->outbox, &out->effects[i]) != ERR_NONE)
            broker->out_of_memory = true;
    }
    out->change_count = out->effect_count = 0;
}

static void log_alert(const struct broker *broker, const struct effect *effect)
{
    static const char *const events[ALERT_COUNT] = {
        [ALERT_KEY_REFUSED] = "key_refused",   [ALERT_LINE_UNKNOWN_WORD] = "line_unknown_word",
        [ALERT_BREAKER_OPEN] = "breaker_open", [ALERT_BREAKER_CLOSED] = "breaker_closed",
        [ALERT_LEASE_LAPSED] = "lease_lapsed", [ALERT_WORKER_GONE] = "worker_gone",
        [ALERT_LINE_FLAGGED] = "line_flagged", [ALERT_LINE_GONE] = "line_gone",
        [ALERT_DEDUPE_FULL] = "dedupe_full", [ALERT_DRAIN_STOPPED] = "drain_stopped",
        [ALERT_DRAIN_DONE] = "drain_done",     [ALERT_SUPPRESSIONS_FULL] = "suppressions_full",
        [ALERT_LINES_FULL] = "lines_full"};
    char line[LINE_TEXT_MAX];
    char masked[HANDLE_MAX_BYTES + 1] = "none";
    if (effect->line != 0) {
        line_text(effect->line, line);
        handle_mask(line, masked);
    }
    const char *account =
        effect->account < broker->conf->account_count ? broker->conf->accounts[effect->account].name : "none";
    log_event(effect->alert == ALERT_DRAIN_DONE ? LOG_INFO : LOG_WARN, events[effect->alert], "account=%s line=%s", account,
              masked);
}

static void act(struct broker *broker, const struct effect *effect)
{
    if (effect->kind == EFFECT_POLL)
        feed_link_effect(broker->feed, effect);
    else if (effect->kind == EFFECT_ALERT)
        log_alert(broker, effect);
    else if (effect->kind == EFFECT_SERVICE && broker->cache != NULL)
        cache_link_service(broker->cache, effect->account, effect->line, effect->index != 0, broker->now);
    else
        dispatch_effect(broker->dispatch, effect, broker->now, &broker->effects);
}

/* What must not wait for the disk: a closing line's REVOKEs above all (DESIGN trap 13). What that leads to comes
 * behind it. */
static void act_at_once(struct broker *broker)
{
    for (size_t i = 0; i < broker->urgent_count; i++) {
        act(broker, &broker->urgent[i]);
        broker_persist(broker, broker->now, &broker->effects);
    }
    broker->urgent_count = 0;
}

/* ---- the turn ---- */

static bool room_this_turn(const struct broker *broker)
{
    return store_batch_records(broker->batch) < CHANGES_PER_TURN;
}

static void read_workers(struct broker *broker)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        if (!dispatch_read(broker->dispatch, broker->now, &broker->effects))
            return;
        broker_persist(broker, broker->now, &broker->effects);
    }
    broker->reading = true;
}

/* *now_us: when it began; then, when it was over. */
static bool enough_refused(struct broker *broker, int64_t *now_us)
{
    int64_t begun = *now_us;
    *now_us = clock_us();
    return ingress_refused(broker->ingress) && rest_refused(&broker->rest, *now_us - begun);
}

static void read_producers(struct broker *broker)
{
    bool full = store_is_full(broker->store);
    int64_t begun = clock_us(), now = begun;
    for (int i = 0; i < MESSAGES_PER_TURN && room_this_turn(broker) && now < begun + READ_US; i++) {
        if (!ingress_read(broker->ingress, full, broker->now, &broker->effects))
            return;
        broker_persist(broker, broker->now, &broker->effects);
        if (enough_refused(broker, &now))
            break;
    }
    broker->unread = true;
}

/* A slice at least, whatever else there was to read. */
static void read_large_requests(struct broker *broker)
{
    bool full = store_is_full(broker->store);
    int64_t begun = clock_us(), now = begun;
    bool more = true;
    while (more && room_this_turn(broker) && now < begun + READ_US) {
        more = ingress_work(broker->ingress, full, broker->now, &broker->effects);
        broker_persist(broker, broker->now, &broker->effects);
        if (enough_refused(broker, &now))
            break;
    }
    broker->unread = broker->unread || more;
}

/* Nothing is read while it rests from refusing: rest.h. */
static void hear_producers(struct broker *broker)
{
    if (rest_left_us(&broker->rest, clock_us()) > 0)
        return;
    broker->unread = false;
    read_producers(broker);
    read_large_requests(broker);
    rest_begin(&broker->rest, clock_us());
}

static void read_lookups(struct broker *broker)
{
    struct lookup_answer answer;
    while (lookup_collect(broker->lookup, &answer)) {
        if (admin_owns(answer.token))
            admin_looked_up(broker->admin, &answer);
        else if (ingress_owns(answer.token))
            ingress_looked_up(broker->ingress, &answer, broker->now);
        else if (outcomes_owns(answer.token))
            outcomes_looked_up(broker->outcomes, &answer, broker->now);
        else
            events_looked_up(broker->events, &answer);
    }
}

static void say(struct broker *broker, const struct effect *effect)
{
    if (!outbox_waits(effect->kind)) /* there were too many of them for act_at_once() */
        act(broker, effect);
    else if (effect->kind == EFFECT_JOB || effect->kind == EFFECT_DONE || effect->kind == EFFECT_READY)
        dispatch_effect(broker->dispatch, effect, broker->now, &broker->effects);
    else if (admin_owns(effect->token))
        admin_effect(broker->admin, effect);
    else if (ingress_owns(effect->token))
        ingress_effect(broker->ingress, effect, broker->now);
    else if (feed_link_owns(effect->token))
        feed_link_effect(broker->feed, effect);
}

static void speak(struct broker *broker)
{
    struct effect effect;
    if (outbox_count(broker->outbox) > 0)
        timings_turn(broker->timings, clock_us());
    timings_durable(broker->timings, broker->durable);
    while (outbox_take(broker->outbox, broker->durable, &effect)) {
        say(broker, &effect);
        if (broker->effects.change_count > 0 || broker->effects.effect_count > 0)
            broker_persist(broker, broker->now, &broker->effects);
    }
    dispatch_flush(broker->dispatch, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    act_at_once(broker);
}

/* False: the store failed, and nothing more may be said. */
static bool make_durable(struct broker *broker)
{
    uint64_t commit = store_submit(broker->store, broker->batch);
    broker->commit = commit;
    outbox_bind(broker->outbox, commit);
    timings_submitted(broker->timings, commit);
    return store_collect(broker->store, &broker->durable) == ERR_NONE && !broker->out_of_memory;
}

static void clean(struct broker *broker)
{
    if (!broker->cleaning && broker->now.mono_ms < broker->clean_at_ms)
        return;
    bool woken = broker->clean_at_ms == 0;
    broker->cleaning = store_clean(broker->store, broker->batch, broker->now.wall_ms, CLEAN_US);
    broker->clean_at_ms = broker->now.mono_ms + (woken ? CLEAN_AGAIN_MS : CLEAN_CALL_MS);
}

/* The operator hears when the disk has no room, and when it has some again. */
static void tell_of_room(struct broker *broker)
{
    bool waits = store_waits(broker->store), full = waits || store_is_full(broker->store);
    if (full == broker->store_full && waits == broker->store_waits)
        return;
    if (waits)
        log_event(LOG_ERROR, "store_waits",
                  "reason=\"no room on the disk, or no descriptor, and the reserve is used up: until there is nothing is "
                  "durable\"");
    else if (full)
        log_event(LOG_WARN, "store_full",
                  "reason=\"no room on the disk, or no descriptor, for new jobs; results and gates still pass\"");
    else
        log_event(LOG_INFO, "store_has_room", "reason=\"jobs are taken again\"");
    broker->store_full = full;
    broker->store_waits = waits;
}

static void tell_of_damage(struct broker *broker)
{
    struct store_problem problem;
    unsigned damaged = store_damaged(broker->store, &problem);
    if (damaged != broker->store_damaged)
        log_event(LOG_ERROR, "store_damaged", "reason=\"%s\"", problem.text);
    broker->store_damaged = damaged;
}

/* False: the store failed, and nothing more may be said. */
static bool broker_turn(struct broker *broker)
{
    broker->now = clock_read();
    timings_turn(broker->timings, clock_us());
    notify_turn(broker->now.mono_ms);
    broker->reading = broker->access != NULL && access_serve(broker->access, broker->now);
    if (broker->cache != NULL)
        cache_link_turn(broker->cache, broker->now, broker->cache_woken, &broker->effects);
    broker->cache_woken = false;
    feed_link_start(broker->feed, broker->now);
    feed_link_turn(broker->feed, broker->now, &broker->effects);
    act_at_once(broker);
    read_workers(broker);
    act_at_once(broker);
    hear_producers(broker);
    broker->admin_busy = admin_serve(broker->admin, broker->core, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    broker_suppress_again(broker);
    zones_turn(&broker->zones, broker->core, broker->now);
    core_tick(broker->core, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    act_at_once(broker);
    clean(broker);
    tell_of_room(broker);
    tell_of_damage(broker);

    uint64_t before = broker->durable;
    if (!make_durable(broker))
        return false;
    broker_erase_turn(broker);
    read_lookups(broker);
    speak(broker);
    events_turn(broker->events, core_next_seq(broker->core), broker->durable != before, broker->now);
    admin_follow(broker->admin, core_next_seq(broker->core), broker->durable != before, broker->now);
    outcomes_turn(broker->outcomes, broker->durable != before, broker->now, &broker->effects);
    ingress_retry(broker->ingress, broker->now);
    dispatch_retry(broker->dispatch, broker->now);
    return true;
}

/* ---- waiting ---- */

enum {
    WAIT_PRODUCERS,
    WAIT_WORKERS,
    WAIT_FOLLOWERS,
    WAIT_STORE,
    WAIT_LOOKUP,
    WAIT_ADMIN,
    WAIT_SIGNAL,
    WAIT_ALWAYS, /* behind these: what is not always there */
    WAIT_MAX = WAIT_ALWAYS + 4 + CACHE_LINK_FDS
};

static long timeout_ms(const struct broker *broker, int64_t rest_us)
{
    if (broker->reading || (broker->unread && rest_us == 0) || broker->admin_busy || broker->cleaning || store_batch_records(broker->batch) > 0)
        return 0;
    struct instant now = clock_read();
    int64_t next = time_sooner(core_next_mono_ms(broker->core, now), feed_link_next_mono_ms(broker->feed));
    next = time_sooner(next, ingress_next_mono_ms(broker->ingress));
    next = time_sooner(next, dispatch_next_mono_ms(broker->dispatch));
    next = time_sooner(next, time_sooner(broker->clean_at_ms, admin_next_mono_ms(broker->admin)));
    next = time_sooner(next, outcomes_next_mono_ms(broker->outcomes, now));
    next = time_sooner(next, events_next_mono_ms(broker->events));
    next = time_sooner(next, time_sooner(broker_erase_next_mono_ms(broker), broker->suppress_ms));
    if (broker->cache != NULL)
        next = time_sooner(next, cache_link_next_mono_ms(broker->cache));
    next = time_sooner(next, notify_next_mono_ms());
    if (broker->end_by_ms != 0)
        next = time_sooner(next, broker->end_by_ms);
    int64_t wait = next - now.mono_ms;
    if (rest_us > 0)
        wait = time_sooner(wait, rest_us / 1000 + 1);
    return wait < 0 ? 0 : wait > CLEAN_CALL_MS ? CLEAN_CALL_MS : (long)wait;
}

static void drain_fd(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got; /* it only wakes */
}

static void take_signal(struct broker *broker)
{
    struct signalfd_siginfo info;
    while (read(broker->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            notify_reloading();
            broker_reload(broker);
            notify_ready();
        } else {
            notify_stopping();
            broker->stopping = true;
        }
    }
}

/* zmq_poll() knows milliseconds; without this timer a rest lasts one. */
static void set_rest_timer(const struct broker *broker, int64_t rest_us)
{
    const struct itimerspec rest = {.it_value = {.tv_nsec = rest_us * 1000}};
    int set = timerfd_settime(broker->rest_fd, 0, &rest, NULL);
    (void)set;
}

static int cache_items(const struct broker *broker, zmq_pollitem_t *items)
{
    struct pollfd fds[CACHE_LINK_FDS];
    size_t count = broker->cache == NULL ? 0 : cache_link_fds(broker->cache, fds);
    for (size_t i = 0; i < count; i++) {
        short events = ZMQ_POLLIN | ((fds[i].events & POLLOUT) != 0 ? ZMQ_POLLOUT : 0);
        items[i] = (zmq_pollitem_t){NULL, fds[i].fd, events, 0};
    }
    return (int)count;
}

static void wait_for_work(struct broker *broker)
{
    int64_t rest_us = rest_left_us(&broker->rest, clock_us());
    zmq_pollitem_t items[WAIT_MAX] = {
        [WAIT_PRODUCERS] = {broker->producers, -1, rest_us > 0 ? 0 : ZMQ_POLLIN, 0},
        [WAIT_WORKERS] = {broker->workers, 0, ZMQ_POLLIN, 0},
        [WAIT_FOLLOWERS] = {broker->followers, 0, ZMQ_POLLIN, 0},
        [WAIT_STORE] = {NULL, broker->store_fd, ZMQ_POLLIN, 0},
        [WAIT_LOOKUP] = {NULL, lookup_fd(broker->lookup), ZMQ_POLLIN, 0},
        [WAIT_ADMIN] = {NULL, admin_fd(broker->admin), ZMQ_POLLIN, 0},
        [WAIT_SIGNAL] = {NULL, broker->signal_fd, ZMQ_POLLIN, 0},
    };
    int count = WAIT_ALWAYS;
    short feed_events = ZMQ_POLLIN | (feed_link_wants_write(broker->feed) ? ZMQ_POLLOUT : 0);
    if (feed_link_fd(broker->feed) >= 0)
        items[count++] = (zmq_pollitem_t){NULL, feed_link_fd(broker->feed), feed_events, 0};
    short outcome_events = ZMQ_POLLIN | (outcomes_wants_write(broker->outcomes) ? ZMQ_POLLOUT : 0);
    if (outcomes_fd(broker->outcomes) >= 0)
        items[count++] = (zmq_pollitem_t){NULL, outcomes_fd(broker->outcomes), outcome_events, 0};
    if (broker->access != NULL)
        items[count++] = (zmq_pollitem_t){access_socket(broker->access), 0, ZMQ_POLLIN, 0};
    if (rest_us > 0 && broker->rest_fd >= 0) {
        set_rest_timer(broker, rest_us);
        items[count++] = (zmq_pollitem_t){NULL, broker->rest_fd, ZMQ_POLLIN, 0};
    }
    int caches = cache_items(broker, items + count);
    if (zmq_poll(items, count + caches, timeout_ms(broker, rest_us)) < 0)
        return;
    for (int i = count; i < count + caches; i++)
        broker->cache_woken = broker->cache_woken || items[i].revents != 0;
    if (items[WAIT_STORE].revents != 0) {
        drain_fd(broker->store_fd);
        broker->clean_at_ms = 0;
    }
    if (items[WAIT_SIGNAL].revents != 0)
        take_signal(broker);
}

/* ---- the end ---- */

/* No lease is granted any more; those that workers have begun may still be answered. Who is told nothing more will find
 * the next start, which knows them all. False: the store failed. */
static bool await_results(struct broker *broker)
{
    if (broker->failed)
        return true;
    core_end(broker->core, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    act_at_once(broker);
    broker->end_by_ms = clock_read().mono_ms + RESULTS_MS;
    log_event(LOG_INFO, "ending", "leases=%u", core_in_flight(broker->core));
    while (core_in_flight(broker->core) > 0 && broker->now.mono_ms < broker->end_by_ms) {
        if (!broker_turn(broker))
            return false;
        if (core_in_flight(broker->core) > 0)
            wait_for_work(broker);
    }
    return true;
}

/* Nothing more is read; what was read is made durable and answered, as far as that goes in a moment. */
static bool wind_up(struct broker *broker)
{
    outcomes_note(broker->outcomes, broker->now, &broker->effects);
    struct pollfd wakers[] = {{.fd = broker->store_fd, .events = POLLIN},
                              {.fd = lookup_fd(broker->lookup), .events = POLLIN}};
    for (int64_t end = clock_read().mono_ms + ENDING_MS; broker->now.mono_ms < end;) {
        broker->now = clock_read();
        if (!make_durable(broker))
            return false;
        read_lookups(broker);
        speak(broker);
        ingress_retry(broker->ingress, broker->now);
        dispatch_retry(broker->dispatch, broker->now);
        if (outbox_count(broker->outbox) == 0 && store_batch_records(broker->batch) == 0)
            return true;
        if (poll(wakers, 2, 10) > 0 && wakers[0].revents != 0)
            drain_fd(broker->store_fd);
    }
    return true; /* the store goes on until all of it is durable; who hears nothing asks again */
}

static int fail(const struct broker *broker)
{
    struct store_problem problem;
    store_problem(broker->store, &problem);
    if (broker->out_of_memory)
        log_event(LOG_ERROR, "no_memory",
                  "reason=\"a change could not be kept: stopping, to start again from disk\"");
    else
        log_event(LOG_ERROR, "store_failed", "reason=\"%s\"", problem.text);
    return 1;
}

int broker_run(struct broker *broker)
{
    while (!broker->stopping) {
        if (!broker_turn(broker))
            return fail(broker);
        wait_for_work(broker);
    }
    if (!await_results(broker))
        return fail(broker);
    broker_audit(broker, "stop", broker->failed ? "no_socket" : "signal", CODE_NONE);
    if (!wind_up(broker))
        return fail(broker);
    log_event(LOG_INFO, "stopped", "reason=%s", broker->failed ? "no_socket" : "signal");
    return broker->failed ? 1 : 0;
}
