/* Workers over real sockets: READY, leases, results, beats; peers that talk nonsense, vanish or do not read. */
#include "broker/edge/job_frame.h"
#include "edge_rig.h"
#include "tests/support/suite.h"

#define READY(instance, slots) "{\"worker\":\"w\",\"instance\":\"" instance "\",\"slots\":" slots "}"

static void *worker;
static struct heard heard;

static void setup(void)
{
    edge_setup();
    worker = edge_connect("inproc://workers", NULL);
}

static void teardown(void)
{
    edge_forget(&heard);
    zmq_close(worker);
    edge_teardown();
}

static void enqueue(const char *text)
{
    struct core_enqueue job;
    struct job_texts texts = {0};
    struct job_refusal refusal;
    struct span id;
    struct job_parser parser = {.conf = edge.conf, .hash = &edge.hash, .core = edge.core};
    ck_assert(job_parse(&parser, text, strlen(text), &job, &texts, &id, &refusal, &edge.effects));
    core_enqueue(edge.core, &job, false, edge.now, &edge.effects);
    ck_assert_int_eq(edge.effects.effects[edge.effects.effect_count - 1].code, CODE_NONE);
    edge.effects.effect_count = 0; /* nobody waits for the answer */
    edge_settle();
    job_texts_free(&texts);
}

static void enqueue_to(int recipient)
{
    char text[160];
    snprintf(text, sizeof text, "{\"to\":\"+1415555%04d\",\"message\":{\"n\":%d}}", recipient, recipient);
    enqueue(text);
}

static void say_ready(void *socket, const char *text)
{
    SAY(socket, "LW1", "READY", text);
    edge_read_workers();
    edge_settle();
    edge_hear(socket, &heard);
}

static void check_error(const char *code)
{
    ck_assert_uint_eq(heard.count, 3);
    ck_assert_str_eq(heard.frames[0], "LW1");
    ck_assert_str_eq(heard.frames[1], "ERR");
    ck_assert_has(heard.frames[2], "{\"error\":{\"code\":\"");
    ck_assert_has(heard.frames[2], code);
}

START_TEST(ready_is_answered_with_the_brokers_name_and_beat)
{
    say_ready(worker, READY("i", "4"));
    ck_assert_uint_eq(heard.count, 3);
    ck_assert_str_eq(heard.frames[1], "READY");
    ck_assert_str_eq(heard.frames[2], "{\"broker\":\"rig\",\"heartbeat_ms\":1000}");
}
END_TEST

START_TEST(a_ready_that_makes_no_sense_is_malformed)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "[]",
                                      "{}",
                                      "{\"worker\":\"w\",\"instance\":\"i\"}",
                                      READY("i", "0"),
                                      READY("i", "65537"),
                                      READY("i", "1.5"),
                                      READY("i", "\"4\""),
                                      READY("", "4"),
                                      "{\"worker\":\"a b\",\"instance\":\"i\",\"slots\":1}",
                                      "{\"worker\":\"\",\"instance\":\"i\",\"slots\":1}",
                                      "{\"worker\":5,\"instance\":\"i\",\"slots\":1}",
                                      "{\"worker\":\"w\",\"instance\":5,\"slots\":1}",
                                      "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":1,\"leases\":\"l_1\"}",
                                      "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":1,\"leases\":[1]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say_ready(worker, bad[i]);
        check_error("malformed");
    }
    SAY(worker, "LW1", "READY");
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("malformed");
    struct worker_view view;
    uint32_t cursor = 0;
    ck_assert(!core_worker_view(edge.core, &cursor, edge.now, &view));
}
END_TEST

START_TEST(strangers_are_told_to_say_ready_and_nonsense_is_named)
{
    static const struct {
        const char *frames[5], *code;
    } bad[] = {{{"LW1", "BEAT", "1", NULL}, "unknown_worker"},
               {{"LW1", "BYE", NULL}, "unknown_worker"},
               {{"LW1", "RESULT", "l_1", "{\"outcome\":\"sent\"}", NULL}, "unknown_worker"},
               {{"LW1", "ENQUEUE", "r", "{}", NULL}, "unknown_command"},
               {{"LW1", NULL}, "unknown_command"},
               {{"LW2", "READY", "{}", NULL}, "unsupported_version"},
               {{"", NULL}, "unsupported_version"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edge_say(worker, bad[i].frames);
        edge_read_workers();
        edge_hear(worker, &heard);
        check_error(bad[i].code);
    }
    ck_assert(edge_is_silent(worker));
}
END_TEST

START_TEST(beats_come_back_as_they_are_and_only_numbers_are_beats)
{
    say_ready(worker, READY("i", "4"));
    SAY(worker, "LW1", "BEAT", "00042");
    edge_read_workers();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "BEAT");
    ck_assert_str_eq(heard.frames[2], "00042");
    static const char *const bad[] = {"", "-1", "1x", " 1", "123456789012345678901"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SAY(worker, "LW1", "BEAT", bad[i]);
        edge_read_workers();
        edge_hear(worker, &heard);
        check_error("malformed");
    }
}
END_TEST

START_TEST(a_job_is_leased_as_the_contract_says)
{
    enqueue("{\"id\":\"a\",\"to\":[\"+14155550101\"],\"message\":{ \"parts\": [1.0] },"
            "\"expires_at\":\"2026-11-23T11:00:00Z\"}");
    say_ready(worker, READY("i", "4"));
    edge_tick();
    edge_hear(worker, &heard);
    ck_assert_uint_eq(heard.count, 4);
    ck_assert_str_eq(heard.frames[1], "JOB");
    ck_assert_int_eq(strncmp(heard.frames[2], "l_", 2), 0);
    ck_assert_int_eq(strncmp(heard.frames[3], "{\"job\":\"j_", 10), 0);
    ck_assert_has(heard.frames[3],
                  "\"attempt\":1,\"pool\":\"default\",\"account\":\"default\",\"line\":\"+12025550101\","
                  "\"to\":[\"+14155550101\"],\"chat_id\":null,\"message\":{ \"parts\": [1.0] },"
                  "\"idempotency_key\":\"");
    ck_assert_has(heard.frames[3],
                  "\"unsettled\":false,\"lease_ms\":60000,\"expires_at\":\"2026-11-23T11:00:00.000Z\"}");
}
END_TEST

START_TEST(no_job_goes_out_before_its_lease_is_durable)
{
    enqueue_to(1);
    say_ready(worker, READY("i", "4"));
    core_tick(edge.core, edge.now, &edge.effects);
    edge_save();
    edge_speak();
    ck_assert(edge_is_silent(worker));
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "JOB");
}
END_TEST

/* Leases of `count` jobs into leases[]. */
static void lease(int count, char leases[][LEASE_TEXT_MAX])
{
    int got = 0;
    edge_tick();
    while (got < count) {
        edge_hear(worker, &heard);
        ck_assert_str_eq(heard.frames[1], "JOB");
        for (size_t i = 2; i < heard.count; i += 2)
            snprintf(leases[got++], LEASE_TEXT_MAX, "%s", heard.frames[i]);
    }
}

static uint64_t sent_total(void)
{
    struct core_status status;
    core_status_read(edge.core, edge.now, &status);
    return status.sent_total;
}

START_TEST(results_are_done_once_they_are_durable_each_standing_alone)
{
    char leases[4][LEASE_TEXT_MAX];
    for (int i = 0; i < 4; i++)
        enqueue_to(i);
    say_ready(worker, READY("i", "4"));
    lease(4, leases);
    SAY(worker, "LW1", "RESULT", leases[0], "{\"outcome\":\"sent\",\"chat_id\":\"c\"}", leases[1], "nonsense",
        leases[2], "{\"outcome\":\"rejected\",\"http_status\":400}", "no lease", "{\"outcome\":\"sent\"}", leases[3],
        "{\"outcome\":\"returned\"}");
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("malformed"); /* the nonsense */
    edge_hear(worker, &heard);
    check_error("malformed"); /* the lease of another world ... */
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "DONE"); /* ... which nobody waits for */
    ck_assert_str_eq(heard.frames[2], "no lease");
    ck_assert(edge_is_silent(worker));
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "DONE");
    ck_assert_uint_eq(heard.count, 6);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(heard.frames[2 + i], leases[i]);
    ck_assert_uint_eq(sent_total(), 1);
}
END_TEST

START_TEST(a_result_may_come_again_and_is_done_again)
{
    char leases[1][LEASE_TEXT_MAX];
    enqueue_to(1);
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    for (int i = 0; i < 3; i++) {
        SAY(worker, "LW1", "RESULT", leases[0], "{\"outcome\":\"sent\"}");
        edge_read_workers();
        edge_settle();
        edge_hear(worker, &heard);
        ck_assert_str_eq(heard.frames[1], "DONE");
        ck_assert_str_eq(heard.frames[2], leases[0]);
    }
    ck_assert_uint_eq(sent_total(), 1);
}
END_TEST

START_TEST(results_that_are_no_pairs_or_too_many_change_nothing)
{
    say_ready(worker, READY("i", "1"));
    SAY(worker, "LW1", "RESULT");
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("malformed");
    SAY(worker, "LW1", "RESULT", "l_1");
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("malformed");
    zmq_send(worker, "LW1", 3, ZMQ_SNDMORE);
    zmq_send(worker, "RESULT", 6, ZMQ_SNDMORE);
    for (int i = 0; i < 2 * (WIRE_WORKER_ITEMS_MAX + 1); i++)
        zmq_send(worker, "l_1", 3, i + 1 < 2 * (WIRE_WORKER_ITEMS_MAX + 1) ? ZMQ_SNDMORE : 0);
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("malformed");
    ck_assert(edge_is_silent(worker));
}
END_TEST

START_TEST(a_stranger_with_many_results_is_told_once)
{
    zmq_send(worker, "LW1", 3, ZMQ_SNDMORE);
    zmq_send(worker, "RESULT", 6, ZMQ_SNDMORE);
    for (int i = 0; i < 2 * WIRE_WORKER_ITEMS_MAX; i++)
        zmq_send(worker, "l_1", 3, i + 1 < 2 * WIRE_WORKER_ITEMS_MAX ? ZMQ_SNDMORE : 0);
    edge_read_workers();
    edge_hear(worker, &heard);
    check_error("unknown_worker");
    ck_assert(edge_is_silent(worker));
}
END_TEST

START_TEST(ready_twice_gives_out_again_what_it_does_not_name)
{
    char leases[2][LEASE_TEXT_MAX];
    char text[256];
    enqueue_to(1);
    enqueue_to(2);
    say_ready(worker, READY("i", "2"));
    lease(2, leases);
    snprintf(text, sizeof text, "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":2,\"leases\":[\"%s\",\"no lease\"]}",
             leases[0]);
    say_ready(worker, text);
    ck_assert_str_eq(heard.frames[1], "READY");
    edge_tick();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "JOB");
    ck_assert_uint_eq(heard.count, 4); /* the other one */
    ck_assert_str_ne(heard.frames[2], leases[0]);
    ck_assert_str_ne(heard.frames[2], leases[1]);
    ck_assert_has(heard.frames[3], "\"attempt\":1"); /* it was never begun */
}
END_TEST

START_TEST(a_ready_with_more_leases_than_may_be_named_is_refused_whole)
{
    size_t room = 70000 * 8;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    size_t at = (size_t)snprintf(text, room, "{\"worker\":\"w\",\"instance\":\"i\",\"slots\":1,\"leases\":[\"l_1\"");
    for (int i = 0; i < 65536; i++)
        at += (size_t)snprintf(text + at, room - at, ",\"l_1\"");
    snprintf(text + at, room - at, "]}");
    say_ready(worker, text);
    check_error("malformed");
    free(text);
}
END_TEST

START_TEST(a_worker_too_many_is_told_busy)
{
    void *workers[9];
    for (int i = 0; i < 9; i++) { /* the rig has room for eight */
        char text[128];
        workers[i] = edge_connect("inproc://workers", NULL);
        snprintf(text, sizeof text, "{\"worker\":\"w\",\"instance\":\"i%d\",\"slots\":1}", i);
        say_ready(workers[i], text);
        if (i < 8)
            ck_assert_str_eq(heard.frames[1], "READY");
        else
            check_error("busy");
    }
    for (int i = 0; i < 9; i++)
        zmq_close(workers[i]);
}
END_TEST

START_TEST(a_closing_line_revokes_at_once_what_has_gone_out_and_keeps_back_the_rest)
{
    char leases[1][LEASE_TEXT_MAX];
    enqueue_to(1);
    say_ready(worker, READY("i", "4"));
    lease(1, leases);
    enqueue_to(2);
    core_tick(edge.core, edge.now, &edge.effects);
    edge_save(); /* leased, but not durable yet */
    struct core_line_fact fact = {.number = EDGE_LINE,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_CRITICAL,
                                  .changed_at_ms = edge.now.wall_ms,
                                  .arrived_mono_ms = edge.now.mono_ms,
                                  .event = 9};
    core_line_told(edge.core, 0, &fact, edge.now, &edge.effects);
    edge_save();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "REVOKE");
    ck_assert_str_eq(heard.frames[2], leases[0]);
    edge_settle();
    edge_tick();
    ck_assert(edge_is_silent(worker)); /* the second JOB never leaves */
}
END_TEST

START_TEST(what_a_vanished_worker_should_have_got_goes_to_the_next_one)
{
    void *gone = edge_connect("inproc://workers", NULL);
    SAY(gone, "LW1", "READY", READY("gone", "4"));
    edge_read_workers();
    edge_settle();
    for (int i = 0; i < 4; i++)
        enqueue_to(i);
    core_tick(edge.core, edge.now, &edge.effects);
    edge_save();
    zmq_close(gone);
    int events = 0;
    size_t size = sizeof events;
    zmq_pollitem_t item = {edge.workers, 0, ZMQ_POLLIN, 0};
    for (int i = 0; i < 100; i++) { /* lets the ROUTER see that it went */
        zmq_poll(&item, 1, 1);
        zmq_getsockopt(edge.workers, ZMQ_EVENTS, &events, &size);
    }
    edge_settle();
    say_ready(worker, READY("i", "4"));
    char leases[4][LEASE_TEXT_MAX];
    lease(4, leases);
    ck_assert_has(heard.frames[3], "\"attempt\":1");
}
END_TEST

START_TEST(bye_ends_the_jobs_and_not_the_results)
{
    char leases[1][LEASE_TEXT_MAX];
    enqueue_to(1);
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    SAY(worker, "LW1", "BYE");
    edge_read_workers();
    enqueue_to(2);
    edge_tick();
    ck_assert(edge_is_silent(worker));
    SAY(worker, "LW1", "RESULT", leases[0], "{\"outcome\":\"sent\"}");
    edge_read_workers();
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "DONE");
    edge_tick();
    ck_assert(edge_is_silent(worker));
}
END_TEST

START_TEST(an_unreadable_record_is_not_tried_over_and_over)
{
    enqueue_to(1);
    say_ready(worker, READY("i", "1"));
    edge.unreadable = true;
    for (int i = 0; i < 10; i++)
        edge_tick();
    size_t records = edge.record_count;
    for (int i = 0; i < 10; i++)
        edge_tick();
    ck_assert_uint_eq(edge.record_count, records);
    while (!edge_is_silent(worker)) {
        edge_hear(worker, &heard);
        ck_assert_str_ne(heard.frames[1], "JOB");
    }
    edge.unreadable = false;
    edge.now.mono_ms += 61000;
    edge.now.wall_ms += 61000;
    say_ready(worker, READY("i", "1"));
    edge_poll_line(EDGE_LINE, REPUTATION_HEALTHY);
    char leases[1][LEASE_TEXT_MAX];
    lease(1, leases);
}
END_TEST

START_TEST(many_jobs_travel_in_messages_of_at_most_256)
{
    int got = 0;
    for (int i = 0; i < 600; i++)
        enqueue_to(i);
    say_ready(worker, READY("i", "600"));
    while (got < 600) {
        edge_tick();
        while (!edge_is_silent(worker)) {
            edge_hear(worker, &heard);
            ck_assert_str_eq(heard.frames[1], "JOB");
            ck_assert_uint_le(heard.count, 2 + 2 * WIRE_WORKER_ITEMS_MAX);
            got += (int)(heard.count - 2) / 2;
        }
    }
    ck_assert_int_eq(got, 600);
}
END_TEST

START_TEST(a_job_is_not_handed_out_while_its_chat_id_is_being_written)
{
    struct job_frame_facts facts = {0};
    struct json_out out = {0};
    const struct archive none = {0}; /* not even asked */
    struct lease_view lease = {.recorded = true, .conversation_place = UINT64_MAX};
    ck_assert_int_eq(job_frame_write(&none, edge.conf, edge.core, &lease, &edge.hash, &facts, &out),
                     ERR_NOT_FOUND);
    ck_assert_uint_eq(out.bytes, 0);
}
END_TEST

START_TEST(a_suppressed_recipient_is_found_in_the_store)
{
    char leases[1][LEASE_TEXT_MAX];
    enqueue_to(1);
    enqueue_to(1);
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    SAY(worker, "LW1", "RESULT", leases[0],
        "{\"outcome\":\"rejected\",\"suppress\":\"opted_out\",\"http_status\":403}");
    edge_read_workers();
    edge_settle();
    edge_tick();
    struct core_status status;
    core_status_read(edge.core, edge.now, &status);
    ck_assert_uint_eq(status.suppressed_total, 2);
    ck_assert_uint_eq(status.jobs, 0);
}
END_TEST

START_TEST(nobody_is_sent_to_who_opted_out_where_only_the_record_tells)
{
    enqueue_to(1);
    enqueue_to(2);
    struct core_suppress suppress = {.recipient = keyed_hash(&edge.hash, KEYED_RECIPIENT, "default", "+14155550001", 12)};
    core_suppress(edge.core, &suppress, edge.now, &edge.effects); /* of its conversation nobody knows */
    edge_settle();
    say_ready(worker, READY("i", "4"));
    edge_tick();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "JOB");
    ck_assert_uint_eq(heard.count, 4); /* the other one */
    ck_assert_ptr_nonnull(strstr(heard.frames[3], "+14155550002"));
    ck_assert(edge_is_silent(worker));
    struct core_status status;
    core_status_read(edge.core, edge.now, &status);
    ck_assert_uint_eq(status.suppressed_total, 1);
}
END_TEST

/* Who stands in the record with a mark that JSON escapes. */
START_TEST(nobody_is_sent_to_who_opted_out_under_an_address_with_quotes)
{
    static const char handle[] = "\"a.\\b\"@example.com";
    enqueue("{\"to\":\"\\\"a.\\\\b\\\"@example.com\",\"message\":{}}");
    struct core_suppress suppress = {
        .recipient = keyed_hash(&edge.hash, KEYED_RECIPIENT, "default", handle, sizeof handle - 1)};
    core_suppress(edge.core, &suppress, edge.now, &edge.effects);
    edge_settle();
    say_ready(worker, READY("i", "4"));
    edge_tick();
    ck_assert(edge_is_silent(worker));
    struct core_status status;
    core_status_read(edge.core, edge.now, &status);
    ck_assert_uint_eq(status.suppressed_total, 1);
}
END_TEST

START_TEST(a_chat_id_learnt_goes_with_the_next_job)
{
    char leases[1][LEASE_TEXT_MAX];
    enqueue_to(1);
    enqueue_to(1);
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    SAY(worker, "LW1", "RESULT", leases[0], "{\"outcome\":\"sent\",\"chat_id\":\"chat \\\"1\\\"\"}");
    edge_read_workers();
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "DONE");
    lease(1, leases);
    ck_assert_has(heard.frames[3], "\"chat_id\":\"chat \\\"1\\\"\"");
}
END_TEST

/* Found by the simulation, seed 3 of its day: what came after it began the chat anew. */
START_TEST(a_chat_that_a_producer_named_is_written_into_behind_an_unknown_outcome_too)
{
    static const char job[] = "{\"to\":\"+14155550001\",\"from\":\"+12025550101\",\"chat_id\":\"old\",\"message\":{}%s}";
    char leases[1][LEASE_TEXT_MAX], text[200], until[TIME_TEXT_MAX];
    char expires[64];
    time_format(edge.now.wall_ms + 30000, until);
    snprintf(expires, sizeof expires, ",\"expires_at\":\"%s\"", until);
    snprintf(text, sizeof text, job, expires);
    enqueue(text);
    snprintf(text, sizeof text, job, "");
    enqueue(text);
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    ck_assert_has(heard.frames[3], "\"chat_id\":\"old\"");
    SAY(worker, "LW1", "RESULT", leases[0], "{\"outcome\":\"retry\",\"unknown\":true,\"retry_after_ms\":40000}");
    edge_read_workers();
    edge_settle();
    edge_hear(worker, &heard);
    ck_assert_str_eq(heard.frames[1], "DONE");
    edge.now.mono_ms += 35000;
    edge.now.wall_ms += 35000;
    edge_tick(); /* it ends as outcome_unknown */
    say_ready(worker, READY("i", "1"));
    lease(1, leases);
    ck_assert_has(heard.frames[3], "\"unsettled\":false");
    ck_assert_has(heard.frames[3], "\"chat_id\":\"old\"");
}
END_TEST

static uint64_t state = 11;
static uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

START_TEST(random_frames_are_answered_or_ignored_and_nothing_breaks)
{
    static const char *const words[] = {"LW1",
                                        "READY",
                                        "RESULT",
                                        "BEAT",
                                        "BYE",
                                        READY("i", "3"),
                                        READY("k", "1"),
                                        "l_1",
                                        "l_2h5",
                                        "{}",
                                        "",
                                        "7",
                                        "{\"outcome\":\"sent\"}",
                                        "\x01",
                                        "{\"outcome\":\"retry\",\"unknown\":true}"};
    for (int i = 0; i < 3000; i++) {
        const char *frames[8] = {NULL};
        size_t count = 1 + draw() % 6;
        for (size_t f = 0; f < count; f++)
            frames[f] = words[f == 0 && draw() % 8 != 0 ? 0 : draw() % (sizeof words / sizeof *words)];
        if (i % 100 == 0)
            enqueue_to(i);
        edge_say(worker, frames);
        edge_read_workers();
        edge_tick();
        while (!edge_is_silent(worker))
            edge_hear(worker, &heard);
    }
    say_ready(worker, READY("i", "4"));
    ck_assert_str_eq(heard.frames[1], "READY");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ready_is_answered_with_the_brokers_name_and_beat);
    tcase_add_test(tcase, a_ready_that_makes_no_sense_is_malformed);
    tcase_add_test(tcase, strangers_are_told_to_say_ready_and_nonsense_is_named);
    tcase_add_test(tcase, beats_come_back_as_they_are_and_only_numbers_are_beats);
    tcase_add_test(tcase, a_job_is_leased_as_the_contract_says);
    tcase_add_test(tcase, no_job_goes_out_before_its_lease_is_durable);
    tcase_add_test(tcase, results_are_done_once_they_are_durable_each_standing_alone);
    tcase_add_test(tcase, a_result_may_come_again_and_is_done_again);
    tcase_add_test(tcase, results_that_are_no_pairs_or_too_many_change_nothing);
    tcase_add_test(tcase, a_stranger_with_many_results_is_told_once);
    tcase_add_test(tcase, ready_twice_gives_out_again_what_it_does_not_name);
    tcase_add_test(tcase, a_ready_with_more_leases_than_may_be_named_is_refused_whole);
    tcase_add_test(tcase, a_worker_too_many_is_told_busy);
    tcase_add_test(tcase, a_closing_line_revokes_at_once_what_has_gone_out_and_keeps_back_the_rest);
    tcase_add_test(tcase, what_a_vanished_worker_should_have_got_goes_to_the_next_one);
    tcase_add_test(tcase, bye_ends_the_jobs_and_not_the_results);
    tcase_add_test(tcase, an_unreadable_record_is_not_tried_over_and_over);
    tcase_add_test(tcase, many_jobs_travel_in_messages_of_at_most_256);
    tcase_add_test(tcase, a_job_is_not_handed_out_while_its_chat_id_is_being_written);
    tcase_add_test(tcase, a_suppressed_recipient_is_found_in_the_store);
    tcase_add_test(tcase, nobody_is_sent_to_who_opted_out_where_only_the_record_tells);
    tcase_add_test(tcase, nobody_is_sent_to_who_opted_out_under_an_address_with_quotes);
    tcase_add_test(tcase, a_chat_id_learnt_goes_with_the_next_job);
    tcase_add_test(tcase, a_chat_that_a_producer_named_is_written_into_behind_an_unknown_outcome_too);
    tcase_add_test(tcase, random_frames_are_answered_or_ignored_and_nothing_breaks);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
