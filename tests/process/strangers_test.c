/* strangers_test.c — connections of nobody in particular: hundreds of silent ones where few descriptors are left, and
 * HTTP that drips or is never read. Who is there already goes on, a CRITICAL acts at once, and when they leave all is
 * as it was.
 *
 * STRANGERS_MS is how long each kind stays; a soak may ask for more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#include "event.h"
#include "lineward/json.h"
#include "producer.h"
#include "strangers.h"

#define FILES_MAX  128
#define SILENT     400
#define SLOW       600 /* more than either listener takes */
#define FOLLOWERS  60
#define STAY_MS    1200
#define ACT_MS     2000 /* a CRITICAL acts within */
#define JOB_BYTES  6000
#define BATCH      8 /* jobs of a request: so that segments of the store fill while they are there */
#define LATER_LINE (RIG_LINES - 1)

static struct rig rig;
static struct producer producer;
static struct strangers strangers[3];
static int made;

static int64_t stay_ms(void)
{
    const char *asked = getenv("STRANGERS_MS");
    return asked == NULL ? STAY_MS : strtoll(asked, NULL, 10);
}

static void begin(unsigned long files_max)
{
    static const char *const sets[] = {"accounts.default.poll_interval_ms=60000", "store.segment_mb=1", NULL};
    rig_open(&rig, sets);
    rig.broker.files_max = files_max;
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    SEND(&producer, "LW1", "PING", "p"); /* it is there before they come, not only on its way */
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "PONG"), "the producer is not let in");
}

static void turn(void)
{
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        strangers_turn(&strangers[i]);
}

static void put_job(char *out, size_t room, size_t line, const char *id)
{
    char filler[JOB_BYTES];
    memset(filler, 'm', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    snprintf(out, room,
             "{\"id\":\"%s\",\"to\":\"+1415%07d\",\"from\":\"%s\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello %s\"}]}}",
             id, 3000000 + made++, rig.lines[line], filler);
}

/* All of it is taken, whatever goes on around it. */
static void enqueue_batch(void)
{
    static char jobs[BATCH][JOB_BYTES + 256];
    struct frame frames[3 + BATCH] = {{"LW1", 3}, {"ENQUEUE", 7}, {"batch", 5}};
    for (int i = 0; i < BATCH; i++) {
        char id[32];
        snprintf(id, sizeof id, "job-%d", made);
        put_job(jobs[i], sizeof jobs[i], 0, id);
        frames[3 + i] = (struct frame){jobs[i], strlen(jobs[i])};
    }
    producer_send_frames(&producer, frames, 3 + BATCH);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK"), "no ACK");
    for (size_t i = 3; i < producer_frames(&producer); i++) {
        cJSON *result = producer_json(&producer, i);
        MUST(json_string(result, "job") != NULL, "a job was refused: %.*s", (int)producer_frame(&producer, i).bytes,
             (const char *)producer_frame(&producer, i).data);
        cJSON_Delete(result);
    }
    turn();
}

static void tell(size_t line, const char *news, const char *amid)
{
    struct event event;
    event_make(&event, rig.lines[line], news, clock_read().wall_ms);
    int64_t from = mono_ms();
    long status = event_post(&rig, &event, RIG_SECRET, 0);
    int64_t took = mono_ms() - from;
    printf("%s: a webhook was answered %ld after %lld ms\n", amid, status, (long long)took);
    fflush(stdout);
    MUST(status == 200 && took < ACT_MS, "%s: a webhook was answered %ld after %lld ms", amid, status,
         (long long)took);
}

/* Who is there goes on, and a CRITICAL, over a connection of its own, acts. */
static void work_amid(const char *amid)
{
    char id[32];
    for (int64_t until = mono_ms() + stay_ms(); mono_ms() < until;) {
        enqueue_batch();
        programs_tick();
    }
    tell(LATER_LINE, EVENT_NEWS("CRITICAL"), amid);
    snprintf(id, sizeof id, "later-%d", made);
    char job[JOB_BYTES + 256], number[JOB_NUMBER_TEXT_MAX];
    put_job(job, sizeof job, LATER_LINE, id);
    producer_enqueue(&producer, job, number, NULL);
    MUST(producer_is(&producer, id, "held", NULL), "%s: a CRITICAL does not act", amid);
}

static void admin_answers(const char *amid)
{
    long status = 0;
    int64_t from = mono_ms();
    cJSON_Delete(rig_ask(&rig, "GET", "/v1/status", NULL, &status));
    int64_t took = mono_ms() - from;
    MUST(status == 200 && took < ACT_MS, "%s: the admin API answers %ld after %lld ms", amid, status,
         (long long)took);
}

static bool all_sent(void)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    bool sent = status != NULL && number_at(status, "totals.sent") == made && number_at(status, "backlog.jobs") == 0;
    cJSON_Delete(status);
    return sent;
}

/* They have gone: everything is as it was, for new connections too, without anybody's help. */
static void end(void)
{
    struct producer fresh;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        strangers_go(&strangers[i]);
    producer_open(&fresh, &rig, rig.port.producers, ZMQ_DEALER);
    SEND(&fresh, "LW1", "PING", "p");
    MUST(producer_receive(&fresh, LIMIT_MS) && producer_got(&fresh, "PONG"), "no new producer gets in afterwards");
    producer_close(&fresh);
    /* The provider's own word, and then, later than that, its better one. */
    rig_set_line(&rig, LATER_LINE, "\"reputation\":\"CRITICAL\"");
    for (int64_t from = clock_read().wall_ms; clock_read().wall_ms <= from + 1;)
        programs_tick();
    rig_set_line(&rig, LATER_LINE, "\"reputation\":\"HEALTHY\"");
    AWAIT(all_sent(), "not all of the %d jobs are sent afterwards", made);
    producer_close(&producer);
    rig_close(&rig);
}

static void silent(const char *name, uint16_t port)
{
    strangers_come(&strangers[0], port, SILENT, DRIP_NOTHING, NULL);
    work_amid(name);
    strangers_go(&strangers[0]);
}

START_TEST(silent_connections_take_all_descriptors_and_who_is_there_goes_on)
{
    begin(FILES_MAX);
    silent("silent at the producers' port", rig.port.producers);
    silent("silent at the workers' port", rig.port.workers);
    silent("silent at the events' port", rig.port.events);
    end();
}
END_TEST

START_TEST(silent_connections_keep_nobody_from_the_http_ports)
{
    begin(FILES_MAX);
    strangers_come(&strangers[0], rig.port.webhooks, SILENT, DRIP_NOTHING, NULL);
    strangers_come(&strangers[1], rig.port.admin, SILENT, DRIP_NOTHING, NULL);
    work_amid("silent at the HTTP ports");
    admin_answers("silent at the HTTP ports");
    end();
}
END_TEST

#define WEBHOOK_HEAD "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\n"

START_TEST(slow_requests_and_followers_that_do_not_read_hold_up_no_critical)
{
    char follow[512];
    begin(0);
    snprintf(follow, sizeof follow, "GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
             rig.token);
    strangers_come(&strangers[0], rig.port.webhooks, SLOW, DRIP_HEADERS, WEBHOOK_HEAD);
    strangers_come(&strangers[1], rig.port.admin, SLOW, DRIP_HEADERS, "GET /v1/status HTTP/1.1\r\nHost: x\r\n");
    strangers_come(&strangers[2], rig.port.admin, FOLLOWERS, DRIP_NOTHING, follow);
    work_amid("slow headers");
    admin_answers("slow headers");
    strangers_go(&strangers[0]);
    strangers_come(&strangers[0], rig.port.webhooks, SLOW, DRIP_BODY, WEBHOOK_HEAD "Content-Length: 500000\r\n\r\n");
    strangers_go(&strangers[1]);
    strangers_come(&strangers[1], rig.port.admin, SLOW, DRIP_BODY,
                   "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    work_amid("slow bodies");
    admin_answers("slow bodies");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("strangers", 90, silent_connections_take_all_descriptors_and_who_is_there_goes_on,
                     silent_connections_keep_nobody_from_the_http_ports,
                     slow_requests_and_followers_that_do_not_read_hold_up_no_critical);
}
