/* GET /v1/events/stream: what followers get, from where, who sees what, and that a slow one costs no more than a page. */
#include "admin_rig.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "broker/edge/admin_stream.h"
#include "tests/support/suite.h"

struct follower {
    int fd;
    char *text; /* all that came */
    size_t bytes;
};

static struct follower follow(const char *target, const char *token, const char *last_event_id)
{
    char head[1024];
    struct follower follower = {.fd = rig_connect(), .text = calloc(1, 1)};
    int bytes = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: rig\r\nAuthorization: Bearer %s\r\n", target, token);
    if (last_event_id != NULL)
        bytes += snprintf(head + bytes, sizeof head - (size_t)bytes, "Last-Event-ID: %s\r\n", last_event_id);
    bytes += snprintf(head + bytes, sizeof head - (size_t)bytes, "\r\n");
    rig_send(follower.fd, head, (size_t)bytes);
    return follower;
}

static void unfollow(struct follower *follower)
{
    close(follower->fd);
    free(follower->text);
}

/* False: the end. */
static bool hear(struct follower *follower)
{
    char part[65536];
    ck_assert(rig_wait(follower->fd));
    ssize_t got = recv(follower->fd, part, sizeof part, 0);
    if (got <= 0)
        return false;
    follower->text = realloc(follower->text, follower->bytes + (size_t)got + 1);
    memcpy(follower->text + follower->bytes, part, (size_t)got);
    follower->bytes += (size_t)got;
    follower->text[follower->bytes] = '\0';
    return true;
}

static void hear_until(struct follower *follower, const char *word)
{
    while (strstr(follower->text, word) == NULL)
        ck_assert_msg(hear(follower), "no %s in: %s", word, follower->text);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void offer(const char *id, const char *pool)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"+14155550101\",\"meta\":{\"mark\":\"%s\"},\"message\":{\"parts\":[]}}", id,
             pool, id);
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
}

/* covers: call GET /v1/events/stream */
START_TEST(a_follower_gets_what_happens_from_now_on_with_its_number_and_topic)
{
    offer("before", "eu");
    struct follower one = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    ck_assert_ptr_nonnull(strstr(one.text, "200 OK"));
    ck_assert_ptr_nonnull(strstr(one.text, "Content-Type: text/event-stream\r\n"));
    offer("first", "eu");
    hear_until(&one, "\"mark\":\"first\"");
    offer("second", "us");
    hear_until(&one, "\"mark\":\"second\"");
    ck_assert_ptr_null(strstr(one.text, "\"mark\":\"before\""));
    char id[64];
    snprintf(id, sizeof id, "id: %llu\nevent: job.queued\ndata: {\"seq\":%llu,",
             (unsigned long long)core_next_seq(rig.core) - 1, (unsigned long long)core_next_seq(rig.core) - 1);
    ck_assert_ptr_nonnull(strstr(one.text, id));
    unfollow(&one);
}
END_TEST

START_TEST(it_goes_on_where_it_was_cut_off_and_the_header_counts_more_than_the_query)
{
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "job-%d", i);
        offer(id, "eu");
    }
    uint64_t last = core_next_seq(rig.core) - 1;
    char number[24], target[64];
    snprintf(number, sizeof number, "%llu", (unsigned long long)last - 2);
    struct follower one = follow("/v1/events/stream?after=0&topic=job.", "viewer-token", number);
    hear_until(&one, "\"mark\":\"job-4\"");
    ck_assert_uint_eq(count_of(one.text, "\"mark\":"), 2);
    unfollow(&one);
    snprintf(target, sizeof target, "/v1/events/stream?after=%llu", (unsigned long long)last - 3);
    one = follow(target, "viewer-token", "none of ours");
    hear_until(&one, "\"mark\":\"job-4\"");
    ck_assert_uint_eq(count_of(one.text, "\"mark\":"), 3);
    unfollow(&one);
}
END_TEST

START_TEST(topics_are_chosen_and_tokens_of_some_pools_see_only_those)
{
    struct follower gates = follow("/v1/events/stream?topic=line.gate", "viewer-token", NULL);
    struct follower us = follow("/v1/events/stream", "viewer-us-token", NULL);
    struct follower all = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&gates, ": events follow");
    hear_until(&us, ": events follow");
    hear_until(&all, ": events follow");
    offer("secret", "eu");
    offer("open", "us");
    rig_expect("POST", "/v1/lines/+12025550101/pause", "operator-token", "{}", 200);
    hear_until(&all, "line.gate");
    hear_until(&gates, "line.gate");
    hear_until(&us, "\"mark\":\"open\"");
    ck_assert_ptr_nonnull(strstr(all.text, "\"mark\":\"secret\""));
    ck_assert_ptr_null(strstr(us.text, "secret"));
    ck_assert_ptr_null(strstr(us.text, "line.gate"));
    ck_assert_ptr_null(strstr(gates.text, "\"mark\""));
    unfollow(&gates);
    unfollow(&us);
    unfollow(&all);
}
END_TEST

/* A line's end within the data would end them: the rest of the event, or all of it, would be lost to who reads. */
START_TEST(what_a_producer_breaks_into_lines_is_one_line_to_followers)
{
    static const char body[] = "{\"id\":\"broken\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"meta\":{\"mark\":\n\n\r\"broken\",\r\n"
                               "\t\"more\":\n1},\"message\":{\"parts\":[]}}";
    struct follower one = follow("/v1/events/stream?topic=job.", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
    offer("after", "eu");
    hear_until(&one, "\"mark\":\"after\"");
    const char *data = strstr(one.text, "data: ");
    ck_assert_ptr_nonnull(data);
    data += 6;
    size_t bytes = strcspn(data, "\r\n");
    cJSON *event = json_parse(data, bytes, NULL);
    ck_assert_msg(cJSON_IsObject(event), "%.*s", (int)bytes, data);
    ck_assert_str_eq(json_string(json_get(event, "meta"), "mark"), "broken");
    cJSON_Delete(event);
    unfollow(&one);
}
END_TEST

/* A request that was let in by the old file must not become a stream that outlives it. */
START_TEST(a_token_taken_back_while_its_stream_was_being_opened_opens_none)
{
    struct tokens_problem problem;
    int fd = rig_ask_begin("GET", "/v1/events/stream", "viewer-token", NULL);
    struct pollfd arrived = {.fd = admin_fd(rig.admin), .events = POLLIN};
    ck_assert_int_eq(poll(&arrived, 1, RIG_WAIT_MS), 1);
    ck_assert_int_eq(tokens_prepare(rig.tokens, rig.tokens_path, &problem), ERR_NONE);
    admin_conf_set(rig.admin, rig.conf);
    tokens_commit(rig.tokens);
    struct reply reply = rig_receive(fd);
    ck_assert_int_eq(reply.status, 429);
    reply_free(&reply);
    struct follower again = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&again, ": events follow");
    unfollow(&again);
}
END_TEST

START_TEST(who_may_not_or_asks_for_what_is_not_there_is_told_by_the_status)
{
    rig_expect("GET", "/v1/events/stream", NULL, NULL, 401);
    rig_expect("GET", "/v1/events/stream", "producer-eu-token", NULL, 403);
    rig_expect("GET", "/v1/events/stream?after=x", "viewer-token", NULL, 422);
    rig_expect("GET", "/v1/events/stream?after=99999", "viewer-token", NULL, 410);
    offer("a", "eu");
    offer("b", "eu");
    for (size_t i = 0; i < rig.record_count; i++)
        if (rig.records[i].event.seq > 0 && rig.records[i].event.seq < 3)
            rig.records[i].event.seq = 0;
    rig_expect("GET", "/v1/events/stream?after=1", "viewer-token", NULL, 410);
}
END_TEST

START_TEST(silence_is_broken_by_heartbeats)
{
    struct follower one = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    ck_assert_int_le(admin_next_mono_ms(rig.admin), rig.now.mono_ms + STREAM_HEARTBEAT_MS);
    rig.now.mono_ms += STREAM_HEARTBEAT_MS;
    rig_serve();
    hear_until(&one, ": nothing new\n\n");
    unfollow(&one);
}
END_TEST

static unsigned events_asked(bool none_from_now_on)
{
    pthread_mutex_lock(&rig.mutex);
    unsigned asked = rig.events_asked;
    rig.no_events = none_from_now_on;
    pthread_mutex_unlock(&rig.mutex);
    return asked;
}

/* It serves as long as the disk has answers for somebody: forever, if each failure is followed by the same question. */
static void serve_the_disk(void)
{
    struct pollfd answered = {.fd = lookup_fd(rig.lookup), .events = POLLIN};
    for (int i = 0; i < 20 && poll(&answered, 1, 100) == 1; i++)
        rig_serve();
}

START_TEST(a_disk_that_cannot_be_read_is_asked_again_soon_and_not_all_the_time)
{
    struct follower one = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    serve_the_disk();
    unsigned before = events_asked(true);
    offer("a", "eu");
    serve_the_disk();
    ck_assert_uint_eq(events_asked(true) - before, 1);
    ck_assert_int_le(admin_next_mono_ms(rig.admin), rig.now.mono_ms + LOOKUP_AGAIN_MS);
    rig.now.mono_ms += LOOKUP_AGAIN_MS;
    rig_serve();
    serve_the_disk();
    ck_assert_uint_eq(events_asked(false) - before, 2);
    rig.now.mono_ms += LOOKUP_AGAIN_MS;
    rig_serve();
    hear_until(&one, "\"mark\":\"a\"");
    unfollow(&one);
}
END_TEST

START_TEST(a_new_configuration_and_the_end_of_the_broker_end_streams_with_a_word)
{
    struct follower one = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    admin_conf_set(rig.admin, rig.conf);
    while (hear(&one) && strstr(one.text, "\r\n0\r\n") == NULL)
        continue;
    ck_assert_ptr_nonnull(strstr(one.text, "event: error\ndata: {\"error\":{\"code\":\"busy\""));
    unfollow(&one);
    one = follow("/v1/events/stream", "viewer-token", NULL);
    hear_until(&one, ": events follow");
    admin_close(&rig.admin);
    char part[4096];
    ssize_t got = recv(one.fd, part, sizeof part - 1, 0); /* the last word, if it still got out, then the end */
    ck_assert_int_ge(got, 0);
    unfollow(&one);
}
END_TEST

/* The second answer from disk is the stream's first page: before it comes, who may see what changes. */
static unsigned answers;
static void end_at_the_first_page(void)
{
    if (++answers == 2)
        admin_conf_set(rig.admin, rig.conf);
}

START_TEST(a_page_that_was_asked_for_before_the_end_is_not_told_behind_it)
{
    offer("before", "eu");
    answers = 0;
    rig.looked_up = end_at_the_first_page;
    struct follower one = follow("/v1/events/stream?after=0", "viewer-token", NULL);
    while (hear(&one) && strstr(one.text, "\r\n0\r\n") == NULL)
        continue;
    ck_assert_uint_eq(answers, 2);
    ck_assert_ptr_nonnull(strstr(one.text, "event: error\ndata: {\"error\":{\"code\":\"busy\""));
    ck_assert_msg(strstr(one.text, "\"mark\":\"before\"") == NULL, "%s", one.text);
    unfollow(&one);
}
END_TEST

START_TEST(so_many_may_follow_and_who_leaves_makes_room)
{
    struct follower all[STREAMS_MAX];
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        bool half = i < STREAMS_OF_NAME_MAX;
        if (i == STREAMS_OF_NAME_MAX)
            rig_expect("GET", "/v1/events/stream", "viewer-token", NULL, 429); /* the rest is for others */
        all[i] = follow("/v1/events/stream", half ? "viewer-token" : "operator-token", NULL);
        hear_until(&all[i], ": events follow");
    }
    rig_expect("GET", "/v1/events/stream", "admin-token", NULL, 429);
    unfollow(&all[0]);
    int status = 0;
    for (int tries = 0; tries < 200 && status != 200; tries++) { /* it is missed when it is next spoken to */
        rig.now.mono_ms += STREAM_HEARTBEAT_MS / 10;
        rig_serve();
        struct follower late = follow("/v1/events/stream", "viewer-token", NULL);
        hear_until(&late, "HTTP/1.1");
        ck_assert_int_eq(sscanf(late.text, "HTTP/1.1 %d", &status), 1);
        unfollow(&late);
    }
    ck_assert_int_eq(status, 200);
    for (unsigned i = 1; i < STREAMS_MAX; i++)
        unfollow(&all[i]);
}
END_TEST

enum {
    BATCHES = 100, /* more than the sockets' buffers take */
    BATCH = 20,
    TURNS = 100 /* in each the HTTP thread, which answers meanwhile, may send a chunk: until the buffers are full */
};

/* The server's end of it, which is in this process, keeps little: else the kernel lets it grow to megabytes. */
static void keep_little_at_the_other_end(int fd)
{
    struct sockaddr_in mine = {.sin_port = 0}, peer = mine;
    socklen_t bytes = sizeof mine;
    int little = 65536, found = 0;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&mine, &bytes), 0);
    for (int at = 3; at < 1024; at++) {
        bytes = sizeof peer;
        if (getpeername(at, (struct sockaddr *)&peer, &bytes) == 0 && peer.sin_family == AF_INET &&
            peer.sin_port == mine.sin_port)
            found += setsockopt(at, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0;
    }
    ck_assert_int_eq(found, 1);
}

static void offer_much(void)
{
    static char body[BATCH * 4200 + 64];
    size_t bytes = (size_t)snprintf(body, sizeof body, "{\"jobs\":[");
    for (int i = 0; i < BATCH; i++)
        bytes += (size_t)snprintf(body + bytes, sizeof body - bytes,
                                  "%s{\"pool\":\"eu\",\"to\":\"+14155550101\",\"meta\":{\"fill\":\"%04000d\"},"
                                  "\"message\":{\"parts\":[]}}",
                                  i > 0 ? "," : "", i);
    snprintf(body + bytes, sizeof body - bytes, "]}");
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
}

/* Reads nothing while thousands of events come: no more is read for it than its buffer may hold, and it is cut. */
START_TEST(a_follower_that_reads_nothing_is_cut_and_told_why)
{
    struct follower one = follow("/v1/events/stream?after=0", "viewer-token", NULL);
    int small = 131072; /* a smaller one would be read at a crawl */
    setsockopt(one.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    hear_until(&one, ": events follow");
    keep_little_at_the_other_end(one.fd);
    for (int i = 0; i < BATCHES; i++)
        offer_much();
    for (int i = 0; i < TURNS; i++) {
        rig.now.mono_ms += STREAM_STUCK_MS / 3 + 1;
        rig_serve();
        rig_expect("GET", "/healthz", NULL, NULL, 200);
    }
    while (hear(&one) && strstr(one.text, "you read too slowly") == NULL)
        continue;
    ck_assert_ptr_nonnull(strstr(one.text, "you read too slowly; go on from the last id"));
    ck_assert_uint_lt(count_of(one.text, "\"fill\""), BATCHES * BATCH);
    unfollow(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_stream");
    TCase *tests = tcase_create("admin_stream");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, a_follower_gets_what_happens_from_now_on_with_its_number_and_topic);
    tcase_add_test(tests, it_goes_on_where_it_was_cut_off_and_the_header_counts_more_than_the_query);
    tcase_add_test(tests, topics_are_chosen_and_tokens_of_some_pools_see_only_those);
    tcase_add_test(tests, who_may_not_or_asks_for_what_is_not_there_is_told_by_the_status);
    tcase_add_test(tests, silence_is_broken_by_heartbeats);
    tcase_add_test(tests, a_disk_that_cannot_be_read_is_asked_again_soon_and_not_all_the_time);
    tcase_add_test(tests, a_new_configuration_and_the_end_of_the_broker_end_streams_with_a_word);
    tcase_add_test(tests, a_page_that_was_asked_for_before_the_end_is_not_told_behind_it);
    tcase_add_test(tests, so_many_may_follow_and_who_leaves_makes_room);
    tcase_add_test(tests, a_follower_that_reads_nothing_is_cut_and_told_why);
    tcase_add_test(tests, what_a_producer_breaks_into_lines_is_one_line_to_followers);
    tcase_add_test(tests, a_token_taken_back_while_its_stream_was_being_opened_opens_none);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
