/* several_watch.c — the brokers' gates as their events tell them, by a thread that does nothing else: when each
 * became what it is, and whether one left `closed` that must not. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/wire.h"
#include "several.h"

#define WAIT_MS 20

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    void *context, *socket[SEVERAL_BROKERS];
    char lines[RIG_LINES][16];
    struct gate {
        char word[8];
        int64_t us;    /* when that was told */
        int64_t at_ms; /* and when it became so, by the event */
        bool has_shut; /* since the line is CRITICAL */
    } gates[SEVERAL_BROKERS][RIG_LINES];
    bool critical[RIG_LINES];
    unsigned wrong;
    atomic_bool ends, heard[SEVERAL_BROKERS];
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

int64_t several_now_us(void)
{
    return clock_us();
}

static void note(size_t broker, size_t line, const char *word, int64_t at_ms, int64_t now_us)
{
    struct gate *gate = &watch.gates[broker][line];
    bool shut = strcmp(word, "closed") == 0;
    if (watch.critical[line] && gate->has_shut && !shut) {
        watch.wrong++;
        printf("broker %zu makes line %zu %s, which is CRITICAL\n", broker + 1, line + 1, word);
    }
    gate->has_shut |= shut;
    if (strcmp(gate->word, word) != 0) {
        gate->us = now_us;
        gate->at_ms = at_ms;
    }
    snprintf(gate->word, sizeof gate->word, "%s", word);
}

static void take(size_t broker, const struct message *message)
{
    struct frame text = message_frame(message, 1);
    cJSON *event = text.data == NULL ? NULL : json_parse(text.data, text.bytes, NULL);
    const char *number = json_string(event, "line"), *word = json_string(event, "gate");
    const char *at = json_string(event, "at");
    int64_t now_us = several_now_us(), at_ms = 0;
    MUST(at != NULL && time_parse(at, &at_ms), "an event without a time");
    atomic_store(&watch.heard[broker], true);
    pthread_mutex_lock(&watch.lock);
    for (size_t line = 0; line < RIG_LINES && number != NULL && word != NULL; line++)
        if (strcmp(watch.lines[line], number) == 0)
            note(broker, line, word, at_ms, now_us);
    pthread_mutex_unlock(&watch.lock);
    cJSON_Delete(event);
}

static void *run(void *self)
{
    struct message *message = message_new();
    (void)self;
    while (!atomic_load(&watch.ends)) {
        zmq_pollitem_t items[SEVERAL_BROKERS] = {0};
        for (size_t i = 0; i < SEVERAL_BROKERS; i++)
            items[i] = (zmq_pollitem_t){watch.socket[i], 0, ZMQ_POLLIN, 0};
        if (zmq_poll(items, SEVERAL_BROKERS, WAIT_MS) <= 0)
            continue;
        for (size_t i = 0; i < SEVERAL_BROKERS; i++)
            while (message_receive(message, watch.socket[i]) == ERR_NONE)
                take(i, message);
    }
    message_free(&message);
    return NULL;
}

/* A subscription takes a moment: something is told again and again until it is heard. */
static bool is_heard(struct several *several, size_t broker)
{
    struct rig *rig = &several->broker[broker].rig;
    cJSON_Delete(rig_ask(rig, "POST", "/v1/pools/default/pause", "{}", NULL));
    cJSON_Delete(rig_ask(rig, "POST", "/v1/pools/default/resume", "{}", NULL));
    return atomic_load(&watch.heard[broker]);
}

void several_watch(struct several *several)
{
    char endpoint[64];
    int none = 0;
    memcpy(watch.lines, several->rig.lines, sizeof watch.lines);
    watch.context = zmq_ctx_new();
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        watch.socket[i] = zmq_socket(watch.context, ZMQ_SUB);
        zmq_setsockopt(watch.socket[i], ZMQ_LINGER, &none, sizeof none);
        zmq_setsockopt(watch.socket[i], ZMQ_SUBSCRIBE, "line.gate", 9);
        zmq_setsockopt(watch.socket[i], ZMQ_SUBSCRIBE, "pool.", 5);
        snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", several->broker[i].rig.port.events);
        MUST(zmq_connect(watch.socket[i], endpoint) == 0, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
        for (size_t line = 0; line < RIG_LINES; line++)
            snprintf(watch.gates[i][line].word, sizeof watch.gates[i][line].word, "open");
    }
    MUST(pthread_create(&watch.thread, NULL, run, NULL) == 0, "no thread to watch with");
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        AWAIT(is_heard(several, i), "broker %zu's events are not heard", i + 1);
}

void several_watch_end(void)
{
    atomic_store(&watch.ends, true);
    pthread_join(watch.thread, NULL);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        zmq_close(watch.socket[i]);
    zmq_ctx_term(watch.context);
}

void several_watch_truth(size_t line, bool critical)
{
    pthread_mutex_lock(&watch.lock);
    watch.critical[line] = critical;
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        watch.gates[i][line].has_shut = false;
    pthread_mutex_unlock(&watch.lock);
}

static int64_t since(size_t broker, size_t line, const char *word, int64_t since_us)
{
    pthread_mutex_lock(&watch.lock);
    const struct gate *gate = &watch.gates[broker][line];
    int64_t us = strcmp(gate->word, word) == 0 && gate->us >= since_us ? gate->us : 0;
    pthread_mutex_unlock(&watch.lock);
    return us;
}

int64_t several_closed_us(size_t broker, size_t line, int64_t since_us)
{
    return since(broker, line, "closed", since_us);
}

int64_t several_gate_wall_ms(size_t broker, size_t line)
{
    pthread_mutex_lock(&watch.lock);
    int64_t at_ms = watch.gates[broker][line].at_ms;
    pthread_mutex_unlock(&watch.lock);
    return at_ms;
}

int64_t several_open_us(size_t broker, size_t line, int64_t since_us)
{
    return since(broker, line, "open", since_us);
}

unsigned several_wrong_releases(void)
{
    pthread_mutex_lock(&watch.lock);
    unsigned wrong = watch.wrong;
    pthread_mutex_unlock(&watch.lock);
    return wrong;
}
