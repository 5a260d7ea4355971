/* Producers over real sockets: every shape of request, good and hostile, and what is answered when. */
#include "edge_rig.h"
#include "tests/support/suite.h"

#define JOB_TO(id, to)                                                                                               \
    "{\"id\":\"" id "\",\"to\":\"" to "\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}}"
#define JOB(id) JOB_TO(id, "+14155550101")

static void *producer;
static struct heard heard;

static void setup(void)
{
    edge_setup();
    producer = edge_connect("inproc://producers", NULL);
}

static void teardown(void)
{
    edge_forget(&heard);
    zmq_close(producer);
    edge_teardown();
}

/* The answer to what was said, all being durable at once; views are looked up. */
static void answer(void)
{
    edge_read_producers();
    edge_settle();
    edge_hear(producer, &heard);
}

static void answer_from_disk(void)
{
    edge_read_producers();
    edge_settle();
    edge_look_up();
    edge_hear(producer, &heard);
}

static void check_error(const char *request_id, const char *code)
{
    char part[64];
    snprintf(part, sizeof part, "{\"error\":{\"code\":\"%s\"", code);
    ck_assert_uint_eq(heard.count, 4);
    ck_assert_str_eq(heard.frames[0], "LW1");
    ck_assert_str_eq(heard.frames[1], "ERR");
    ck_assert_str_eq(heard.frames[2], request_id);
    ck_assert_has(heard.frames[3], part);
    ck_assert_has(heard.frames[3], "\"message\":\"");
}

static void check_ack(const char *request_id, size_t count)
{
    ck_assert_uint_eq(heard.count, 3 + count);
    ck_assert_str_eq(heard.frames[0], "LW1");
    ck_assert_str_eq(heard.frames[1], "ACK");
    ck_assert_str_eq(heard.frames[2], request_id);
}

START_TEST(a_job_is_acked_once_it_is_durable_and_not_before)
{
    SAY(producer, "LW1", "ENQUEUE", "r1", JOB("a"));
    edge_read_producers();
    ck_assert(edge_is_silent(producer));
    edge_settle();
    edge_hear(producer, &heard);
    check_ack("r1", 1);
    ck_assert_has(heard.frames[3], "\"id\":\"a\"");
    ck_assert_has(heard.frames[3], "\"job\":\"j_");
    ck_assert_has(heard.frames[3], "\"state\":\"queued\"");
}
END_TEST

/* covers: code malformed, id_conflict, unknown_pool */
START_TEST(results_come_in_the_order_of_the_jobs_whatever_became_of_them)
{
    SAY(producer, "LW1", "ENQUEUE", "", JOB("a"), "{}", JOB("b"), "not json", JOB("a"), JOB_TO("a", "+14155550199"),
        "{\"id\":\"d\",\"pool\":\"nowhere\",\"to\":\"+14155550101\",\"message\":{}}");
    answer();
    check_ack("", 7);
    ck_assert_has(heard.frames[3], "\"id\":\"a\",\"job\":");
    ck_assert_has(heard.frames[4], "{\"id\":null,\"error\":{\"code\":\"invalid_field\"");
    ck_assert_has(heard.frames[5], "\"id\":\"b\",\"job\":");
    ck_assert_has(heard.frames[6], "{\"id\":null,\"error\":{\"code\":\"malformed\"");
    ck_assert_has(heard.frames[7], "\"state\":\"duplicate\",\"current\":\"queued\"");
    ck_assert_has(heard.frames[8], "{\"id\":\"a\",\"error\":{\"code\":\"id_conflict\"");
    ck_assert_has(heard.frames[9], "{\"id\":\"d\",\"error\":{\"code\":\"unknown_pool\"");
    ck_assert_has(heard.frames[9], "\"field\":\"pool\"");
}
END_TEST

START_TEST(a_req_socket_is_answered_behind_its_delimiter)
{
    int zero = 0;
    void *req = zmq_socket(edge.zmq, ZMQ_REQ);
    zmq_setsockopt(req, ZMQ_LINGER, &zero, sizeof zero);
    ck_assert_int_eq(zmq_connect(req, "inproc://producers"), 0);
    SAY(req, "LW1", "PING", "p");
    edge_read_producers();
    edge_hear(req, &heard);
    ck_assert_uint_eq(heard.count, 4);
    ck_assert_str_eq(heard.frames[1], "PONG");
    ck_assert_str_eq(heard.frames[2], "p");
    ck_assert_has(heard.frames[3], "{\"version\":\"0.1.0\",\"broker\":\"rig\",\"time\":\"2026-11-23T10:00:00.000Z\","
                                   "\"queued\":0,\"jobs_max\":3000}");
    zmq_close(req);
}
END_TEST

/* covers: code unsupported_version, unknown_command, malformed */
START_TEST(what_is_no_request_is_refused_with_its_id_and_changes_nothing)
{
    char long_id[66];
    memset(long_id, 'x', 65);
    long_id[65] = '\0';
    const struct {
        const char *frames[6], *request_id, *code;
    } bad[] = {
        {{"LW2", "ENQUEUE", "r", JOB("a"), NULL}, "r", "unsupported_version"},
        {{"", "x", NULL}, "", "unsupported_version"},
        {{"hello", NULL}, "", "unsupported_version"},
        {{"LW1", NULL}, "", "malformed"},
        {{"LW1", "ENQUEUE", NULL}, "", "malformed"},
        {{"LW1", "PING", NULL}, "", "malformed"},
        {{"LW1", "ENQUEUE", long_id, JOB("a"), NULL}, "", "malformed"},
        {{"LW1", "ENQUEUE", "r", NULL}, "r", "malformed"},
        {{"LW1", "STATUS", "r", NULL}, "r", "malformed"},
        {{"LW1", "enqueue", "r", JOB("a"), NULL}, "r", "unknown_command"},
        {{"LW1", "", "r", JOB("a"), NULL}, "r", "unknown_command"},
        {{"LW1", "READY", "r", "{}", NULL}, "r", "unknown_command"},
    };
    size_t before = edge.record_count;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edge_say(producer, bad[i].frames);
        edge_read_producers();
        edge_hear(producer, &heard);
        size_t delimiter = heard.frames[0][0] == '\0'; /* ours was taken for one */
        ck_assert_uint_eq(heard.count, 4 + delimiter);
        ck_assert_str_eq(heard.frames[delimiter + 1], "ERR");
        ck_assert_str_eq(heard.frames[delimiter + 2], bad[i].request_id);
        ck_assert_has(heard.frames[delimiter + 3], bad[i].code);
    }
    ck_assert_uint_eq(edge.record_count, before);
}
END_TEST

static void say_many(size_t count, const char *command, const char *item)
{
    zmq_send(producer, "LW1", 3, ZMQ_SNDMORE);
    zmq_send(producer, command, strlen(command), ZMQ_SNDMORE);
    zmq_send(producer, "many", 4, ZMQ_SNDMORE);
    for (size_t i = 0; i < count; i++)
        zmq_send(producer, item, strlen(item), i + 1 < count ? ZMQ_SNDMORE : 0);
}

/* covers: code too_many */
START_TEST(a_thousand_and_twenty_four_items_are_taken_and_one_more_is_too_many)
{
    say_many(WIRE_ENQUEUE_JOBS_MAX, "ENQUEUE", "{\"to\":\"+14155550101\",\"message\":{}}");
    answer();
    check_ack("many", WIRE_ENQUEUE_JOBS_MAX);
    say_many(WIRE_ENQUEUE_JOBS_MAX + 1, "ENQUEUE", "{}");
    answer();
    check_error("many", "too_many");
    say_many(4 * WIRE_FRAMES_MAX, "STATUS", "x");
    answer();
    check_error("many", "too_many");
    SAY(producer, "LW1", "PING", "still there");
    answer();
    ck_assert_str_eq(heard.frames[1], "PONG");
}
END_TEST

/* covers: code too_large */
START_TEST(eight_mebibytes_are_taken_and_one_byte_more_is_too_large)
{
    size_t rest = WIRE_REQUEST_BYTES_MAX - 3 - 7 - 1; /* LW1 ENQUEUE r */
    char *text = calloc(1, rest + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', rest + 1);
    for (size_t over = 0; over <= 1; over++) {
        zmq_send(producer, "LW1", 3, ZMQ_SNDMORE);
        zmq_send(producer, "ENQUEUE", 7, ZMQ_SNDMORE);
        zmq_send(producer, "r", 1, ZMQ_SNDMORE);
        zmq_send(producer, text, rest + over, 0);
        answer();
        if (over == 0)
            check_ack("r", 1);
        else
            check_error("r", "too_large");
    }
    free(text);
}
END_TEST

START_TEST(a_job_too_large_is_refused_alone)
{
    char *text = malloc(WIRE_JOB_BYTES_MAX + 2);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', WIRE_JOB_BYTES_MAX + 1);
    text[WIRE_JOB_BYTES_MAX + 1] = '\0';
    SAY(producer, "LW1", "ENQUEUE", "r", text, JOB("a"));
    answer();
    check_ack("r", 2);
    ck_assert_has(heard.frames[3], "too_large");
    ck_assert_has(heard.frames[4], "\"id\":\"a\",\"job\":");
    free(text);
}
END_TEST

/* covers: code busy */
START_TEST(once_one_is_busy_so_are_all_after_it)
{
    char text[128];
    for (int i = 0; i < 3; i++) { /* jobs_max is 3000 */
        say_many(i < 2 ? 1024 : 3000 - 2048 - 1, "ENQUEUE", "{\"to\":\"+14155550101\",\"message\":{}}");
        answer();
    }
    snprintf(text, sizeof text, "%s", JOB("last"));
    SAY(producer, "LW1", "ENQUEUE", "r", text, "{", JOB("over"), "{", text);
    answer();
    check_ack("r", 5);
    ck_assert_has(heard.frames[3], "\"id\":\"last\",\"job\":");
    ck_assert_has(heard.frames[4], "malformed");
    ck_assert_has(heard.frames[5], "{\"id\":\"over\",\"error\":{\"code\":\"busy\"");
    ck_assert_has(heard.frames[5], "\"retry_after_ms\":");
    ck_assert_has(heard.frames[6], "malformed");
    ck_assert_has(heard.frames[7], "{\"id\":\"last\",\"error\":{\"code\":\"busy\"");
}
END_TEST

START_TEST(a_full_store_takes_no_new_jobs_but_knows_the_old_ones)
{
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"));
    answer();
    edge.store_full = true;
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"), JOB("b"), JOB("c"));
    answer();
    ck_assert_has(heard.frames[3], "duplicate");
    ck_assert_has(heard.frames[4], "store_full");
    ck_assert_has(heard.frames[5], "store_full");
    ck_assert_lacks(heard.frames[5], "retry_after_ms");
}
END_TEST

/* Or a flood of what is refused takes the room that is left for results. */
START_TEST(a_full_store_keeps_nothing_of_what_it_refuses)
{
    size_t before = edge.record_count;
    edge.store_full = true;
    SAY(producer, "LW1", "ENQUEUE", "r",
        "{\"id\":\"a\",\"to\":\"+14155550101\",\"message\":{},\"campaign\":\"new\",\"tz\":\"Europe/Lisbon\"}",
        "{\"id\":\"b\",\"to\":\"+14155550101\",\"message\":{},\"campaign\":\"newer\",\"tz\":\"Asia/Tokyo\"}");
    answer();
    ck_assert_has(heard.frames[3], "store_full");
    ck_assert_has(heard.frames[4], "store_full");
    ck_assert_uint_eq(edge.record_count, before);
}
END_TEST

START_TEST(an_unknown_line_and_a_first_message_with_a_link_are_refused)
{
    SAY(producer, "LW1", "ENQUEUE", "r", "{\"from\":\"+12025550199\",\"to\":\"+14155550101\",\"message\":{}}",
        "{\"to\":\"+14155550101\",\"message\":{\"parts\":[{\"type\":\"link\",\"value\":\"https://x.example\"}]}}");
    answer();
    ck_assert_has(heard.frames[3], "\"code\":\"unknown_line\"");
    ck_assert_has(heard.frames[3], "\"field\":\"from\"");
    ck_assert_has(heard.frames[4], "\"code\":\"not_allowed\"");
}
END_TEST

/* ---- STATUS ---- */

START_TEST(status_tells_jobs_by_number_by_id_and_by_pool)
{
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"));
    answer();
    char number[40] = {0};
    sscanf(strstr(heard.frames[3], "j_"), "%39[0-9a-z_]", number);
    SAY(producer, "LW1", "STATUS", "s", "a", number, "default/a");
    answer_from_disk();
    check_ack("s", 3);
    for (size_t i = 3; i < 6; i++) {
        ck_assert_has(heard.frames[i], number);
        ck_assert_has(heard.frames[i], "\"to\":[\"+14155550101\"]");
        ck_assert_has(heard.frames[i], "\"state\":\"queued\"");
        ck_assert_lacks(heard.frames[i], "\"error\"");
    }
}
END_TEST

/* covers: code not_found */
START_TEST(what_nobody_knows_is_not_found_under_the_name_it_was_asked_for)
{
    char far_too_long[600];
    memset(far_too_long, 'y', sizeof far_too_long - 1);
    far_too_long[sizeof far_too_long - 1] = '\0';
    SAY(producer, "LW1", "STATUS", "s", "nobody", "j_zzz", "other/a", "", "a\"b\\c", "\xff\xfe", far_too_long);
    edge_read_producers();
    edge_settle();
    edge_look_up(); /* j_zzz could be a job of long ago */
    edge_hear(producer, &heard);
    check_ack("s", 7);
    ck_assert_str_eq(heard.frames[3], "{\"id\":\"nobody\",\"error\":{\"code\":\"not_found\",\"message\":\"there is "
                                      "nothing of this name\"}}");
    ck_assert_has(heard.frames[4], "{\"id\":\"j_zzz\",\"error\":{\"code\":\"not_found\"");
    ck_assert_has(heard.frames[5], "{\"id\":\"other/a\",\"error\":{\"code\":\"not_found\"");
    ck_assert_has(heard.frames[6], "{\"id\":\"\",\"error\":{\"code\":\"not_found\"");
    ck_assert_has(heard.frames[7], "{\"id\":\"a\\\"b\\\\c\",\"error\":");
    ck_assert_has(heard.frames[8], "not_found");
    ck_assert_has(heard.frames[9], "{\"id\":\"yyyyyyyy");
    ck_assert_uint_lt(strlen(heard.frames[9]), 400);
}
END_TEST

/* covers: code not_owner */
START_TEST(what_another_broker_owns_is_refused_with_its_address_in_every_request)
{
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"),
        "{\"id\":\"b\",\"pool\":\"far\",\"to\":\"+14155550101\",\"message\":{}}", JOB("c"));
    answer();
    check_ack("r", 3);
    ck_assert_has(heard.frames[3], "\"state\":\"queued\"");
    ck_assert_str_eq(heard.frames[4],
                     "{\"id\":\"b\",\"error\":{\"code\":\"not_owner\",\"message\":\"pool: another broker owns it, at "
                     "tcp://10.0.0.2:7710\",\"field\":\"pool\",\"owner\":\"tcp://10.0.0.2:7710\"}}");
    ck_assert_has(heard.frames[5], "\"state\":\"queued\"");
    static const char *const commands[] = {"STATUS", "CANCEL"};
    for (size_t i = 0; i < 2; i++) {
        SAY(producer, "LW1", commands[i], "s", "far/b", "nowhere/b");
        answer();
        check_ack("s", 2);
        ck_assert_has(heard.frames[3], "{\"id\":\"far/b\",\"error\":{\"code\":\"not_owner\"");
        ck_assert_has(heard.frames[3], "\"owner\":\"tcp://10.0.0.2:7710\"");
        ck_assert_has(heard.frames[4], "{\"id\":\"nowhere/b\",\"error\":{\"code\":\"not_found\"");
    }
}
END_TEST

START_TEST(status_waits_for_what_is_not_durable_yet)
{
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"));
    SAY(producer, "LW1", "STATUS", "s", "a");
    edge_read_producers();
    edge_read_producers();
    ck_assert(edge_is_silent(producer));
    edge_settle();
    edge_look_up();
    edge_hear(producer, &heard);
    check_ack("r", 1);
    edge_hear(producer, &heard);
    check_ack("s", 1);
    ck_assert_has(heard.frames[3], "\"to\":[\"+14155550101\"]");
}
END_TEST

/* ---- CANCEL ---- */

/* covers: state cancelled; code already_final */
START_TEST(cancel_ends_a_waiting_job_and_says_so_once)
{
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"), JOB("b"));
    answer();
    SAY(producer, "LW1", "CANCEL", "c", "a", "nobody", "a");
    edge_read_producers();
    edge_settle();
    edge_look_up();
    while (edge_is_silent(producer)) /* the two halves are two lookups */
        edge_look_up();
    edge_hear(producer, &heard);
    check_ack("c", 3);
    ck_assert_has(heard.frames[3], "\"state\":\"cancelled\"");
    ck_assert_has(heard.frames[3], "\"id\":\"a\"");
    ck_assert_has(heard.frames[4], "{\"id\":\"nobody\",\"error\":{\"code\":\"not_found\"");
    ck_assert_has(heard.frames[5], "{\"id\":\"a\",\"error\":{\"code\":\"already_final\"");
    SAY(producer, "LW1", "CANCEL", "c", "a");
    answer_from_disk();
    ck_assert_has(heard.frames[3], "already_final");
}
END_TEST

/* covers: state leased */
START_TEST(cancel_of_a_leased_job_is_asked_and_revokes_it)
{
    void *worker = edge_connect("inproc://workers", NULL);
    struct heard told = {0};
    SAY(worker, "LW1", "READY", "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":1}");
    edge_read_workers();
    edge_settle();
    SAY(producer, "LW1", "ENQUEUE", "r", JOB("a"));
    answer();
    edge_tick();
    edge_hear(worker, &told);
    ck_assert_str_eq(told.frames[1], "READY");
    edge_hear(worker, &told);
    ck_assert_str_eq(told.frames[1], "JOB");
    SAY(producer, "LW1", "CANCEL", "c", "a");
    answer_from_disk();
    ck_assert_has(heard.frames[3], "\"state\":\"leased\"");
    ck_assert_has(heard.frames[3], "\"cancel\":\"asked\"");
    edge_hear(worker, &told);
    ck_assert_str_eq(told.frames[1], "REVOKE");
    size_t before = edge.record_count;
    SAY(producer, "LW1", "CANCEL", "c", "a", "a"); /* as often as you like: what is known is not written again */
    answer_from_disk();
    ck_assert_has(heard.frames[4], "\"cancel\":\"asked\"");
    ck_assert_uint_eq(edge.record_count, before);
    edge_forget(&told);
    zmq_close(worker);
}
END_TEST

/* ---- duplicates ---- */

START_TEST(duplicates_of_final_jobs_tell_how_they_ended_whatever_their_ids_look_like)
{
    static const char odd[] = "{\"id\":\"a \\\"b\\\" \\\\\",\"to\":\"+14155550101\",\"message\":{}}";
    SAY(producer, "LW1", "ENQUEUE", "r", odd, JOB_TO("b", "+14155550102"));
    answer();
    SAY(producer, "LW1", "CANCEL", "c", "a \"b\" \\", "b");
    answer_from_disk();
    ck_assert_has(heard.frames[3], "\"state\":\"cancelled\"");
    SAY(producer, "LW1", "ENQUEUE", "r", odd, JOB_TO("c", "+14155550103"), JOB_TO("b", "+14155550102"));
    answer_from_disk();
    check_ack("r", 3);
    ck_assert_has(heard.frames[3], "\"id\":\"a \\\"b\\\" \\\\\",\"job\":");
    ck_assert_has(heard.frames[3], "\"state\":\"duplicate\",\"current\":\"cancelled\"");
    ck_assert_has(heard.frames[4], "\"state\":\"queued\"");
    ck_assert_has(heard.frames[5], "\"state\":\"duplicate\",\"current\":\"cancelled\"");
}
END_TEST

START_TEST(a_whole_batch_of_final_duplicates_is_one_lookup)
{
    zmq_msg_t job;
    for (int round = 0; round < 2; round++) {
        zmq_send(producer, "LW1", 3, ZMQ_SNDMORE);
        zmq_send(producer, "ENQUEUE", 7, ZMQ_SNDMORE);
        zmq_send(producer, "r", 1, ZMQ_SNDMORE);
        for (int i = 0; i < WIRE_ENQUEUE_JOBS_MAX; i++) {
            char text[160];
            int bytes = snprintf(text, sizeof text,
                                 "{\"id\":\"n%d\",\"to\":\"+1415555%04d\",\"message\":{},"
                                 "\"expires_at\":\"2020-01-01T00:00:00Z\"}",
                                 i, i);
            zmq_msg_init_size(&job, (size_t)bytes);
            memcpy(zmq_msg_data(&job), text, (size_t)bytes);
            zmq_msg_send(&job, producer, i + 1 < WIRE_ENQUEUE_JOBS_MAX ? ZMQ_SNDMORE : 0);
        }
        edge_read_producers();
        edge_settle();
        if (round == 1)
            edge_look_up();
        edge_hear(producer, &heard);
        check_ack("r", WIRE_ENQUEUE_JOBS_MAX);
        for (size_t i = 3; i < heard.count; i++)
            ck_assert_has(heard.frames[i],
                          round == 0 ? "\"state\":\"expired\"" : "\"state\":\"duplicate\",\"current\":\"expired\"");
    }
}
END_TEST

/* ---- many, slow and gone ---- */

START_TEST(more_requests_than_may_wait_are_busy_and_those_that_wait_are_answered)
{
    size_t busy = 0;
    size_t acked = 0;
    for (int i = 0; i < INGRESS_REQUESTS_MAX + 10; i++) {
        SAY(producer, "LW1", "STATUS", "s", "j_zzz");
        edge_read_producers();
    }
    while (!edge_is_silent(producer)) {
        edge_hear(producer, &heard);
        check_error("s", "busy");
        ck_assert_has(heard.frames[3], "retry_after_ms");
        busy++;
    }
    ck_assert_uint_eq(busy, 10);
    edge_settle();
    while (acked < INGRESS_REQUESTS_MAX) {
        edge_look_up();
        for (; !edge_is_silent(producer); acked++) {
            edge_hear(producer, &heard);
            check_ack("s", 1);
        }
        ingress_retry(edge.ingress, edge.now);
    }
    SAY(producer, "LW1", "STATUS", "s", "j_zzz"); /* there is room again */
    answer_from_disk();
    check_ack("s", 1);
}
END_TEST

START_TEST(a_producer_that_has_gone_harms_nobody)
{
    void *gone = edge_connect("inproc://producers", NULL);
    SAY(gone, "LW1", "ENQUEUE", "r", JOB("g"));
    edge_read_producers();
    zmq_close(gone);
    SAY(producer, "LW1", "ENQUEUE", "r", JOB_TO("a", "+14155550102"), JOB("g"));
    edge_read_producers();
    edge_settle();
    edge_hear(producer, &heard);
    check_ack("r", 2);
    ck_assert_has(heard.frames[4], "duplicate");
}
END_TEST

static uint64_t state = 7;
static uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static void hear_all(void)
{
    struct lookup_answer looked;
    while (lookup_collect(edge.lookup, &looked))
        ingress_looked_up(edge.ingress, &looked, edge.now);
    while (!edge_is_silent(producer))
        edge_hear(producer, &heard);
}

START_TEST(random_frames_are_answered_or_ignored_and_nothing_breaks)
{
    static const char *const words[] = {"LW1", "ENQUEUE",  "STATUS",      "CANCEL", "PING", "r",
                                        "",    JOB("z"),   "{}",          "a",      "j_1",  "\x01",
                                        "/",   "default/", "{\"to\":[]}", "null",   "[",    "{\"id\":\"\\ud800\"}"};
    for (int i = 0; i < 3000; i++) {
        const char *frames[8] = {NULL};
        size_t count = 1 + draw() % 7;
        for (size_t f = 0; f < count; f++)
            frames[f] = words[f == 0 && draw() % 4 != 0 ? 0 : draw() % (sizeof words / sizeof *words)];
        edge_say(producer, frames);
        edge_read_producers();
        edge_settle();
        hear_all();
    }
    SAY(producer, "LW1", "PING", "still there");
    edge_read_producers();
    do
        edge_hear(producer, &heard);
    while (strcmp(heard.frames[heard.count - 2], "still there") != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingress");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_job_is_acked_once_it_is_durable_and_not_before);
    tcase_add_test(tcase, results_come_in_the_order_of_the_jobs_whatever_became_of_them);
    tcase_add_test(tcase, a_req_socket_is_answered_behind_its_delimiter);
    tcase_add_test(tcase, what_is_no_request_is_refused_with_its_id_and_changes_nothing);
    tcase_add_test(tcase, a_thousand_and_twenty_four_items_are_taken_and_one_more_is_too_many);
    tcase_add_test(tcase, eight_mebibytes_are_taken_and_one_byte_more_is_too_large);
    tcase_add_test(tcase, a_job_too_large_is_refused_alone);
    tcase_add_test(tcase, once_one_is_busy_so_are_all_after_it);
    tcase_add_test(tcase, a_full_store_takes_no_new_jobs_but_knows_the_old_ones);
    tcase_add_test(tcase, a_full_store_keeps_nothing_of_what_it_refuses);
    tcase_add_test(tcase, an_unknown_line_and_a_first_message_with_a_link_are_refused);
    tcase_add_test(tcase, status_tells_jobs_by_number_by_id_and_by_pool);
    tcase_add_test(tcase, what_nobody_knows_is_not_found_under_the_name_it_was_asked_for);
    tcase_add_test(tcase, what_another_broker_owns_is_refused_with_its_address_in_every_request);
    tcase_add_test(tcase, status_waits_for_what_is_not_durable_yet);
    tcase_add_test(tcase, cancel_ends_a_waiting_job_and_says_so_once);
    tcase_add_test(tcase, cancel_of_a_leased_job_is_asked_and_revokes_it);
    tcase_add_test(tcase, duplicates_of_final_jobs_tell_how_they_ended_whatever_their_ids_look_like);
    tcase_add_test(tcase, a_whole_batch_of_final_duplicates_is_one_lookup);
    tcase_add_test(tcase, more_requests_than_may_wait_are_busy_and_those_that_wait_are_answered);
    tcase_add_test(tcase, a_producer_that_has_gone_harms_nobody);
    tcase_add_test(tcase, random_frames_are_answered_or_ignored_and_nothing_breaks);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
