/* events_test.c — followers of XPUB and readers of GET /v1/events are told the same, without a gap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "load.h"

#define JOBS       1200
#define EVENTS_MAX 20000
#define TOPICS_MAX 32
#define PAGE       300
#define QUIET_MS   500

struct event {
    int64_t seq, prev;
    char topic[40];
    char *text;
};

static struct rig rig;
static struct load load;
static struct event told[EVENTS_MAX], read_back[EVENTS_MAX];
static size_t told_count, read_count;
static void *follower;
static struct message *message;

static void keep(struct event *event, const cJSON *json, const char *text, size_t bytes)
{
    event->seq = number_at(json, "seq");
    event->prev = cJSON_IsNull(json_get(json, "prev")) ? 0 : number_at(json, "prev");
    snprintf(event->topic, sizeof event->topic, "%s", text_at(json, "topic"));
    event->text = text == NULL ? cJSON_PrintUnformatted(json) : strndup(text, bytes);
    MUST(event->text != NULL, "out of memory");
}

static void forget(struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(events[i].text);
}

/* ---- following ---- */

static void follow(void)
{
    char endpoint[64];
    int none = 0;
    follower = zmq_socket(rig.zmq, ZMQ_SUB);
    message = message_new();
    MUST(follower != NULL && message != NULL, "no follower");
    zmq_setsockopt(follower, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(follower, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(follower, ZMQ_SUBSCRIBE, "", 0);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig.port.events);
    MUST(zmq_connect(follower, endpoint) == 0, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
}

static bool hear_one(void)
{
    if (message_receive(message, follower) != ERR_NONE)
        return false;
    struct frame topic = message_frame(message, 0), text = message_frame(message, 1);
    cJSON *json = text.data == NULL ? NULL : json_parse(text.data, text.bytes, NULL);
    MUST(message_frame_count(message) == 2 && json != NULL, "an event is [topic][JSON]");
    MUST(told_count < EVENTS_MAX, "too many events");
    struct event *event = &told[told_count++];
    keep(event, json, text.data, text.bytes);
    MUST(frame_is(topic, event->topic), "topic %.*s of an event under %s", (int)topic.bytes, (const char *)topic.data,
         event->topic);
    cJSON_Delete(json);
    return true;
}

static bool hear(void)
{
    bool any = false;
    while (hear_one())
        any = true;
    return any;
}

static void operate(const char *path)
{
    cJSON_Delete(rig_ask(&rig, "POST", path, "{}", NULL));
}

/* A subscription takes a moment: something is told again and again until it is heard. */
static bool is_followed(void)
{
    operate("/v1/pools/default/pause");
    operate("/v1/pools/default/resume");
    return hear();
}

/* Everything there is to hear has been heard when nothing comes any more. */
static void hear_the_rest(void)
{
    for (int64_t quiet_until = mono_ms() + QUIET_MS; mono_ms() < quiet_until; programs_tick())
        if (hear())
            quiet_until = mono_ms() + QUIET_MS;
}

/* ---- reading ---- */

static size_t read_page(int64_t after, const char *topic, int64_t *next, struct event *out, size_t room)
{
    char path[128];
    long status = 0;
    size_t count = 0;
    const cJSON *json;
    snprintf(path, sizeof path, "/v1/events?after=%lld&limit=%d%s%s", (long long)after, PAGE,
             topic == NULL ? "" : "&topic=", topic == NULL ? "" : topic);
    cJSON *page = rig_ask(&rig, "GET", path, NULL, &status);
    MUST(status == 200, "GET %s: %ld", path, status);
    cJSON_ArrayForEach(json, json_get(page, "events"))
    {
        MUST(count < room, "more events than asked for");
        keep(&out[count++], json, NULL, 0);
    }
    *next = number_at(page, "next");
    cJSON_Delete(page);
    MUST(count <= PAGE, "a page of %zu", count);
    return count;
}

static size_t read_all(const char *topic, struct event *out)
{
    int64_t after = 0, next = 0;
    size_t count = 0, got;
    while ((got = read_page(after, topic, &next, out + count, EVENTS_MAX - count)) > 0 || next > after) {
        MUST(next > after, "a page that does not go on after %lld", (long long)after);
        count += got;
        after = next;
    }
    return count;
}

static void must_be_whole(const struct event *events, size_t count)
{
    struct {
        char topic[40];
        int64_t seq;
    } last[TOPICS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t topic = 0;
        MUST(i == 0 || events[i].seq == events[i - 1].seq + 1, "seq %lld follows %lld", (long long)events[i].seq,
             (long long)events[i - 1].seq);
        while (last[topic].topic[0] != '\0' && strcmp(last[topic].topic, events[i].topic) != 0)
            topic++;
        MUST(topic + 1 < TOPICS_MAX, "too many topics");
        MUST(last[topic].topic[0] == '\0' || events[i].prev == last[topic].seq, "%s: prev of %lld is %lld, not %lld",
             events[i].topic, (long long)events[i].seq, (long long)events[i].prev, (long long)last[topic].seq);
        snprintf(last[topic].topic, sizeof last[topic].topic, "%s", events[i].topic);
        last[topic].seq = events[i].seq;
    }
}

/* All that followers were told is there to read, the same as JSON. */
static void must_agree(void)
{
    MUST(told_count > 0 && read_count > 0, "nothing to compare");
    size_t at = 0;
    while (at < read_count && read_back[at].seq < told[0].seq)
        at++;
    MUST(read_count - at == told_count, "%zu events told, %zu read", told_count, read_count - at);
    for (size_t i = 0; i < told_count; i++, at++) {
        cJSON *heard = cJSON_Parse(told[i].text), *found = cJSON_Parse(read_back[at].text);
        MUST(json_equal(heard, found), "told %s, read %s", told[i].text, read_back[at].text);
        cJSON_Delete(heard);
        cJSON_Delete(found);
    }
}

static void must_be_filtered(const char *prefix)
{
    static struct event some[EVENTS_MAX];
    size_t count = read_all(prefix, some), at = 0;
    for (size_t i = 0; i < read_count; i++) {
        if (strncmp(read_back[i].topic, prefix, strlen(prefix)) != 0)
            continue;
        MUST(at < count && some[at].seq == read_back[i].seq, "topic=%s misses %lld", prefix,
             (long long)read_back[i].seq);
        at++;
    }
    MUST(at == count, "topic=%s shows %zu too many", prefix, count - at);
    forget(some, count);
}

static bool load_is_made(void)
{
    load_turn(&load);
    hear();
    return load.job_count == JOBS && load.acked == load.job_count;
}

static void make_events(void)
{
    load_open(&load, &rig, JOBS, 5);
    rig_faults(&rig, "{\"rate_500\":0.05}");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(load_is_made(), "%u of %d jobs", load.acked, JOBS);
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    load_await_final(&load, LIMIT_MS);
    load_close(&load);
}

static size_t count_of(const char *topic)
{
    size_t count = 0;
    for (size_t i = 0; i < read_count; i++)
        count += strcmp(read_back[i].topic, topic) == 0;
    return count;
}

START_TEST(followers_and_readers_are_told_the_same_without_a_gap)
{
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    follow();
    AWAIT(is_followed(), "a follower hears nothing");
    make_events();
    hear_the_rest();
    read_count = read_all(NULL, read_back);
    must_be_whole(told, told_count);
    must_be_whole(read_back, read_count);
    must_agree();
    must_be_filtered("job.sent");
    must_be_filtered("line.");
    MUST(count_of("job.sent") == JOBS, "%zu job.sent for %d jobs", count_of("job.sent"), JOBS);
    MUST(count_of("line.gate") >= 2 && count_of("line.reputation") >= 2, "the line's changes are not told");
    size_t before = read_count;
    forget(read_back, read_count);
    forget(told, told_count);

    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    operate("/v1/pools/default/pause");
    read_count = read_all(NULL, read_back);
    must_be_whole(read_back, read_count); /* over the restart too */
    MUST(read_count > before, "%zu events before the restart, %zu after", before, read_count);
    forget(read_back, read_count);
    zmq_close(follower);
    message_free(&message);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("events", 30, followers_and_readers_are_told_the_same_without_a_gap);
}
