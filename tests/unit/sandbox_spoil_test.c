/* sandbox_spoil_test.c — what goes wrong on request, as values: rules, what befalls webhooks, the list of lines,
 * audits, error codes. */
#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tools/sandbox/audits.h"
#include "tools/sandbox/codes.h"
#include "tools/sandbox/listing.h"
#include "tools/sandbox/rules.h"
#include "tools/sandbox/webhook_faults.h"

static struct rules rules;
static struct webhook_faults faults;

static void setup(void)
{
    rules_init(&rules, 3);
    webhook_faults_init(&faults, 3);
}

/* NULL, or the member that is wrong (static here). */
static const char *add(const char *text)
{
    static char wrong[64];
    cJSON *body = json_parse(text, strlen(text), NULL);
    const char *problem = rules_add(&rules, body);
    snprintf(wrong, sizeof wrong, "%s", problem == NULL ? "" : problem);
    cJSON_Delete(body);
    return problem == NULL ? NULL : wrong;
}

static const char *spoil(const char *text)
{
    static char wrong[64];
    cJSON *body = json_parse(text, strlen(text), NULL);
    const char *problem = webhook_faults_set(&faults, body);
    snprintf(wrong, sizeof wrong, "%s", problem == NULL ? "" : problem);
    cJSON_Delete(body);
    return problem == NULL ? NULL : wrong;
}

/* The code that a send from `line` to `to` is answered, 0: none. */
static int send_code(const char *line, const char *to)
{
    const struct rule_request request = {
        .path = "/v3/chats", .line = line, .is_send = true, .recipients = {to}, .recipient_count = 1};
    struct rule rule;
    return rules_draw(&rules, &request, &rule) ? rule.code : 0;
}

static int read_code(const char *path)
{
    const struct rule_request request = {.path = path};
    struct rule rule;
    return rules_draw(&rules, &request, &rule) ? rule.code : 0;
}

/* ---- rules ---- */

START_TEST(a_rule_speaks_so_many_times_and_then_is_gone)
{
    ck_assert_ptr_null(add("{\"code\":2027,\"times\":2,\"skip\":1}"));
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 0);
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 2027);
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 2027);
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 0);
    ck_assert_uint_eq(rules.count, 0);
}
END_TEST

START_TEST(a_rule_speaks_of_its_line_recipient_and_path_only)
{
    ck_assert_ptr_null(add("{\"code\":2027,\"line\":\"+12025550101\"}"));
    ck_assert_ptr_null(add("{\"code\":4005,\"recipient\":\"Ann@Example.com\"}"));
    ck_assert_ptr_null(add("{\"code\":2004,\"on\":\"reads\",\"path\":\"/v3/phone_numbers\"}"));
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 2027);
    ck_assert_int_eq(send_code("+12025550102", "+14155550111"), 0);
    ck_assert_int_eq(send_code("+12025550102", "ann@example.com"), 4005);
    ck_assert_int_eq(send_code(NULL, "+14155550111"), 0);
    ck_assert_int_eq(read_code("/v3/phone_numbers"), 2004);
    ck_assert_int_eq(read_code("/v3/chats"), 0);
}
END_TEST

START_TEST(the_first_rule_that_fits_speaks_and_can_be_taken_away)
{
    ck_assert_ptr_null(add("{\"code\":3001}"));
    ck_assert_ptr_null(add("{\"code\":3002}"));
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 3001);
    ck_assert(rules_remove(&rules, rules.list[0].id));
    ck_assert(!rules_remove(&rules, 77));
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 3002);
    rules_clear(&rules);
    ck_assert_int_eq(send_code("+12025550101", "+14155550111"), 0);
}
END_TEST

START_TEST(a_share_is_drawn_from_the_seed)
{
    int hits[2] = {0};
    for (int run = 0; run < 2; run++) {
        setup();
        ck_assert_ptr_null(add("{\"code\":3001,\"share\":0.25}"));
        for (int i = 0; i < 4000; i++)
            hits[run] += send_code("+12025550101", "+14155550111") != 0;
    }
    ck_assert_int_eq(hits[0], hits[1]);
    ck_assert(hits[0] > 850 && hits[0] < 1150);
}
END_TEST

START_TEST(wrong_rules_are_named_and_not_added)
{
    ck_assert_str_eq(add("{}"), "http");
    ck_assert_str_eq(add("{\"code\":0}"), "code");
    ck_assert_str_eq(add("{\"http\":99}"), "http");
    ck_assert_str_eq(add("{\"code\":1,\"line\":\"5\"}"), "line");
    ck_assert_str_eq(add("{\"code\":1,\"recipient\":\"5\"}"), "recipient");
    ck_assert_str_eq(add("{\"code\":1,\"share\":2}"), "share");
    ck_assert_str_eq(add("{\"code\":1,\"times\":0}"), "times");
    ck_assert_str_eq(add("{\"code\":1,\"hint\":\"loud\"}"), "hint");
    ck_assert_str_eq(add("{\"code\":1,\"coed\":1}"), "coed");
    ck_assert_uint_eq(rules.count, 0);
    for (int i = 0; i < RULES_MAX; i++)
        ck_assert_ptr_null(add("{\"code\":3001}"));
    ck_assert_str_eq(add("{\"code\":3001}"), "rules");
}
END_TEST

START_TEST(every_code_of_the_provider_has_its_status)
{
    static const struct {
        int code, http;
    } some[] = {{1002, 400}, {1006, 409}, {2004, 401}, {2008, 403}, {2027, 403}, {2001, 404}, {2009, 409},
                {4005, 422}, {1007, 429}, {3006, 500}, {4009, 503}, {3005, 504}, {5004, 400}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        ck_assert(code_is_known(some[i].code));
        ck_assert_int_eq(code_status(some[i].code), some[i].http);
    }
    ck_assert(!code_is_known(2020));
    ck_assert_int_eq(code_status(2020), 500);
}
END_TEST

/* ---- webhooks ---- */

START_TEST(the_next_events_are_lost_doubled_delayed_as_asked)
{
    ck_assert_ptr_null(spoil("{\"lose_next\":1,\"repeat_next\":1,\"delay_next\":2,\"late_ms\":70}"));
    struct webhook_fate fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert_uint_eq(fate.copies, 0); /* and keeps the others for those that go out */
    fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert_uint_eq(fate.copies, 2);
    ck_assert_int_eq(fate.delay_ms, 70);
    fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert_uint_eq(fate.copies, 1);
    ck_assert_int_eq(fate.delay_ms, 70);
    fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert_int_eq(fate.delay_ms, 0);
}
END_TEST

START_TEST(only_the_type_named_is_hit)
{
    ck_assert_ptr_null(spoil("{\"lose_next\":1,\"event\":\"phone_number.status_updated\"}"));
    ck_assert_uint_eq(webhook_faults_draw(&faults, "message.sent").copies, 1);
    ck_assert_uint_eq(webhook_faults_draw(&faults, "phone_number.status_updated").copies, 0);
}
END_TEST

START_TEST(the_last_of_a_reversed_row_is_known)
{
    ck_assert_ptr_null(spoil("{\"reverse_next\":2}"));
    struct webhook_fate fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert(fate.reverses && !fate.is_last_reversed);
    fate = webhook_faults_draw(&faults, "message.sent");
    ck_assert(fate.reverses && fate.is_last_reversed);
    ck_assert(!webhook_faults_draw(&faults, "message.sent").reverses);
}
END_TEST

START_TEST(shares_of_events_come_from_the_seed)
{
    int lost = 0, twice = 0, late = 0, moved = 0;
    ck_assert_ptr_null(
        spoil("{\"lost\":0.1,\"twice\":0.2,\"late\":0.3,\"late_ms\":5000,\"shuffled\":0.5,\"shuffle_ms\":100}"));
    for (int i = 0; i < 10000; i++) {
        struct webhook_fate fate = webhook_faults_draw(&faults, "message.sent");
        lost += fate.copies == 0;
        twice += fate.copies == 2;
        late += fate.delay_ms >= 5000;
        moved += fate.delay_ms % 5000 != 0;
        ck_assert_int_le(fate.delay_ms, 5100);
    }
    ck_assert(lost > 900 && lost < 1100);
    ck_assert(twice > 1650 && twice < 1950);
    ck_assert(late > 2500 && late < 2900);
    ck_assert(moved > 4000 && moved < 4700);
}
END_TEST

START_TEST(wrong_webhook_faults_are_named_and_change_nothing)
{
    ck_assert_str_eq(spoil("{\"lost\":0.5,\"late_ms\":-1}"), "late_ms");
    ck_assert_str_eq(spoil("{\"event\":\"message.send\"}"), "event");
    ck_assert_str_eq(spoil("{\"reverse_next\":65}"), "reverse_next");
    ck_assert_str_eq(spoil("{\"lots\":0.5}"), "lots");
    ck_assert(faults.lost <= 0);
}
END_TEST

/* ---- the list of lines ---- */

struct list_rig {
    struct world *world;
    struct listing listing;
    struct instant now;
    uint32_t line;
    int64_t date_wall_ms;
    char text[4096];
};

static void list_open(struct list_rig *rig)
{
    const struct world_settings settings = {.seed = 7, .messages_max = 100};
    *rig = (struct list_rig){.world = world_new(&settings), .now = {.wall_ms = 1795428000000, .mono_ms = 100000}};
    ck_assert_int_eq(world_line_add(rig->world, "+12025550101", rig->now, &rig->line), ERR_NONE);
}

static void list_close(struct list_rig *rig)
{
    listing_free(&rig->listing);
    world_free(&rig->world);
}

static void list_set(struct list_rig *rig, const char *text)
{
    cJSON *body = json_parse(text, strlen(text), NULL);
    ck_assert_ptr_null(listing_set(&rig->listing, body));
    cJSON_Delete(body);
}

static void list_pass(struct list_rig *rig, int64_t ms)
{
    rig->now.wall_ms += ms;
    rig->now.mono_ms += ms;
}

static bool list_says(struct list_rig *rig, const char *word)
{
    struct json_out out = {0};
    listing_answer(&rig->listing, rig->world, rig->now, &out, &rig->date_wall_ms);
    snprintf(rig->text, sizeof rig->text, "%.*s", (int)out.bytes, out.text);
    json_out_free(&out);
    return strstr(rig->text, word) != NULL;
}

static void line_becomes(struct list_rig *rig, enum reputation reputation)
{
    world_line_set(rig->world, rig->line, reputation, SERVICE_ACTIVE, true, rig->now);
}

START_TEST(a_lagging_list_tells_each_change_late_and_in_order)
{
    struct list_rig rig;
    list_open(&rig);
    list_set(&rig, "{\"lag_ms\":1000}");
    list_pass(&rig, 5000);
    line_becomes(&rig, REPUTATION_AT_RISK);
    list_pass(&rig, 600);
    line_becomes(&rig, REPUTATION_CRITICAL);
    ck_assert(list_says(&rig, "HEALTHY"));
    list_pass(&rig, 400);
    ck_assert(list_says(&rig, "AT_RISK"));
    list_pass(&rig, 600);
    ck_assert(list_says(&rig, "CRITICAL"));
    list_close(&rig);
}
END_TEST

START_TEST(a_cached_list_keeps_its_date_until_it_is_made_anew)
{
    struct list_rig rig;
    list_open(&rig);
    list_set(&rig, "{\"cache_ms\":1000}");
    ck_assert(list_says(&rig, "HEALTHY"));
    int64_t date = rig.date_wall_ms;
    ck_assert_int_eq(date, rig.now.wall_ms);
    line_becomes(&rig, REPUTATION_CRITICAL);
    list_pass(&rig, 999);
    ck_assert(list_says(&rig, "HEALTHY"));
    ck_assert_int_eq(rig.date_wall_ms, date);
    list_pass(&rig, 1);
    ck_assert(list_says(&rig, "CRITICAL"));
    ck_assert_int_eq(rig.date_wall_ms, date + 1000);
    list_close(&rig);
}
END_TEST

START_TEST(a_list_is_misshapen_so_many_times)
{
    struct list_rig rig;
    list_open(&rig);
    list_set(&rig, "{\"shape\":\"empty\",\"times\":1}");
    ck_assert(list_says(&rig, "\"phone_numbers\":[]"));
    ck_assert(list_says(&rig, "+12025550101"));
    list_set(&rig, "{\"shape\":\"truncated\"}");
    ck_assert(list_says(&rig, "{\"phone_numbers\":["));
    ck_assert_ptr_null(json_parse(rig.text, strlen(rig.text), NULL));
    list_set(&rig, "{\"shape\":\"rootless\",\"date_offset_ms\":-60000}");
    ck_assert(!list_says(&rig, "phone_numbers"));
    ck_assert_int_eq(rig.date_wall_ms, rig.now.wall_ms - 60000);
    list_close(&rig);
}
END_TEST

/* ---- audits ---- */

START_TEST(one_audit_of_a_line_at_a_time_then_a_cool_down)
{
    static struct audits audits;
    memset(&audits, 0, sizeof audits);
    audits.duration_ms = 100;
    audits.cooldown_ms = 1000;
    struct instant now = {.mono_ms = 5000};
    uint64_t first, other;
    int64_t wait_ms;
    ck_assert_int_eq(audits_start(&audits, 1, now, &first, &wait_ms), AUDIT_STARTED);
    ck_assert_int_eq(audits_start(&audits, 2, now, &other, &wait_ms), AUDIT_STARTED);
    ck_assert_uint_ne(first, other);
    now.mono_ms += 99;
    ck_assert_int_eq(audits_start(&audits, 1, now, &other, &wait_ms), AUDIT_RUNNING);
    ck_assert(!audit_is_over(&audits, audits_find(&audits, first), now.mono_ms));
    now.mono_ms += 1;
    ck_assert(audit_is_over(&audits, audits_find(&audits, first), now.mono_ms));
    ck_assert_int_eq(audits_start(&audits, 1, now, &other, &wait_ms), AUDIT_COOLING);
    ck_assert_int_eq(wait_ms, 1000);
    now.mono_ms += 1000;
    ck_assert_int_eq(audits_start(&audits, 1, now, &other, &wait_ms), AUDIT_STARTED);
    ck_assert_ptr_null(audits_find(&audits, 3));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_spoil");
    TCase *tests = tcase_create("spoil");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_rule_speaks_so_many_times_and_then_is_gone);
    tcase_add_test(tests, a_rule_speaks_of_its_line_recipient_and_path_only);
    tcase_add_test(tests, the_first_rule_that_fits_speaks_and_can_be_taken_away);
    tcase_add_test(tests, a_share_is_drawn_from_the_seed);
    tcase_add_test(tests, wrong_rules_are_named_and_not_added);
    tcase_add_test(tests, every_code_of_the_provider_has_its_status);
    tcase_add_test(tests, the_next_events_are_lost_doubled_delayed_as_asked);
    tcase_add_test(tests, only_the_type_named_is_hit);
    tcase_add_test(tests, the_last_of_a_reversed_row_is_known);
    tcase_add_test(tests, shares_of_events_come_from_the_seed);
    tcase_add_test(tests, wrong_webhook_faults_are_named_and_change_nothing);
    tcase_add_test(tests, a_lagging_list_tells_each_change_late_and_in_order);
    tcase_add_test(tests, a_cached_list_keeps_its_date_until_it_is_made_anew);
    tcase_add_test(tests, a_list_is_misshapen_so_many_times);
    tcase_add_test(tests, one_audit_of_a_line_at_a_time_then_a_cool_down);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
