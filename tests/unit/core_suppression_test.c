/* core_suppression_test.c — who must not be sent to: why, by whose word, and who can take that word back. */
#include <string.h>

#include "tests/unit/core_suite.h"

#define RECIPIENT(conversation) ((conversation) + 1000000)
#define HANDLE                  "+14155550107"

struct listed {
    struct suppression_view views[64];
    size_t count;
};

static void note(void *self, const struct suppression_view *view)
{
    struct listed *listed = self;
    listed->views[listed->count++] = *view;
}

static struct listed list(void)
{
    static struct listed listed;
    uint32_t cursor = 0;
    listed.count = 0;
    while (core_suppressions_walk(rig->core, 0, &cursor, 3, note, &listed))
        ;
    return listed;
}

static void ck_listed(enum suppress cause, unsigned causes, const char *recipient, const char *reason)
{
    struct listed listed = list();
    ck_assert_uint_eq(listed.count, 1);
    ck_assert_str_eq(suppress_name(listed.views[0].cause), suppress_name(cause));
    ck_assert_uint_eq(listed.views[0].causes, causes);
    ck_assert_str_eq(listed.views[0].text.recipient, recipient);
    ck_assert_str_eq(listed.views[0].text.reason, reason);
}

static enum code last_answer(void)
{
    enum code code = CODE_MALFORMED;
    for (size_t i = 0; i < rig->out.effect_count; i++)
        if (rig->out.effects[i].kind == EFFECT_ANSWER)
            code = rig->out.effects[i].code;
    rig_keep(rig);
    return code;
}

static enum code suppress(uint64_t conversation, const char *reason)
{
    const uint64_t conversations[] = {conversation};
    struct core_suppress suppress = {.token = 5,
                                     .recipient = RECIPIENT(conversation),
                                     .handle = HANDLE,
                                     .reason = reason,
                                     .by = "ops",
                                     .conversations = conversations,
                                     .conversation_count = 1};
    core_suppress(rig->core, &suppress, rig->now, &rig->out);
    return last_answer();
}

static enum code unsuppress(uint64_t conversation)
{
    struct core_suppress suppress = {.token = 6,
                                     .recipient = RECIPIENT(conversation),
                                     .conversations = &conversation,
                                     .conversation_count = 1};
    core_unsuppress(rig->core, &suppress, rig->now, &rig->out);
    return last_answer();
}

static void tell_word(uint64_t conversation, bool opt_out, size_t homes)
{
    struct core_message_fact fact = {.what = MESSAGE_RECEIVED,
                                     .recipient = RECIPIENT(conversation),
                                     .handle = HANDLE,
                                     .line = RIG_LINE,
                                     .homes = &conversation,
                                     .home_count = homes,
                                     .opt_out = opt_out,
                                     .inbound = true};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void writes(uint64_t conversation, bool opt_out)
{
    tell_word(conversation, opt_out, 0);
}

static void refused_by_provider(uint64_t conversation, enum suppress cause)
{
    rig_worker(rig, 1, 1);
    rig_forget(rig);
    rig_send(rig, conversation, CLASS_REPLY);
    rig_pass(rig, 3000);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_REJECTED);
    result.suppress = cause;
    result.recipient = RECIPIENT(conversation);
    result.handle = HANDLE;
    rig_answer(rig, &result);
}

static enum code asked(uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_REPLY);
    return rig_enqueue(rig, &job).code;
}

#define BIT(cause) (1u << SUPPRESS_##cause)

START_TEST(the_recipients_own_word_is_listed_and_lifted_by_the_next_message)
{
    writes(7, true);
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    ck_assert_int_eq(list().views[0].since_ms, rig->now.wall_ms);
    ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
    writes(7, false);
    ck_assert_uint_eq(list().count, 0);
    ck_assert_int_eq(asked(7), CODE_NONE);
}
END_TEST

static void wrote(uint64_t conversation, bool opt_out, int64_t ago_ms)
{
    struct core_message_fact fact = {.what = MESSAGE_RECEIVED,
                                     .recipient = RECIPIENT(conversation),
                                     .handle = HANDLE,
                                     .line = RIG_LINE,
                                     .opt_out = opt_out,
                                     .at_ms = rig->now.wall_ms - ago_ms,
                                     .inbound = true};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

START_TEST(a_message_from_between_two_keywords_lifts_nothing_however_late_it_comes)
{
    for (int restart = 0; restart < 2; restart++) {
        wrote(7, true, 30000);
        wrote(7, true, 10000);
        if (restart)
            rig_restart(rig, 0);
        wrote(7, false, 20000);
        ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
        ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
        wrote(7, true, 25000); /* nor does an old keyword make the newer one older */
        wrote(7, false, 15000);
        ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
        wrote(7, false, 5000);
        ck_assert_uint_eq(list().count, 0);
        rig_pass(rig, 60000);
    }
}
END_TEST

START_TEST(nor_does_one_from_before_the_keyword_while_something_harder_to_lift_holds_too)
{
    for (int restart = 0; restart < 2; restart++) {
        begin_default();
        wrote(7, true, 30000);
        suppress(7, "complained");
        wrote(7, true, 10000);
        if (restart)
            rig_restart(rig, 0);
        wrote(7, false, 40000);
        wrote(7, false, 20000);
        ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "complained");
        rig_pass(rig, 1000);
        wrote(7, false, 0);
        ck_listed(SUPPRESS_OPERATOR, BIT(OPERATOR), HANDLE, "complained");
    }
}
END_TEST

START_TEST(a_providers_opt_out_is_the_recipients_word)
{
    refused_by_provider(7, SUPPRESS_OPTED_OUT);
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    writes(7, false);
    ck_assert_uint_eq(list().count, 0);
}
END_TEST

START_TEST(a_block_is_lifted_by_an_admin_only)
{
    refused_by_provider(7, SUPPRESS_BLOCKED);
    ck_listed(SUPPRESS_BLOCKED, BIT(BLOCKED), HANDLE, "");
    writes(7, false);
    ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
    ck_assert_int_eq(unsuppress(7), CODE_NONE);
    ck_assert_int_eq(asked(7), CODE_NONE);
    ck_assert_int_eq(unsuppress(7), CODE_NOT_FOUND);
}
END_TEST

START_TEST(an_operators_word_ends_what_waits_and_stays_until_taken_back)
{
    uint64_t first = rig_send(rig, 7, CLASS_REPLY);
    uint64_t second = rig_send(rig, 7, CLASS_CAMPAIGN);
    uint64_t other = rig_send(rig, 8, CLASS_REPLY);
    ck_assert_int_eq(suppress(7, "complained"), CODE_NONE);
    ck_job(first, JOB_NONE, REASON_NONE);
    ck_job(second, JOB_NONE, REASON_NONE);
    ck_assert_int_ne(rig_view(rig, other).state, JOB_NONE);
    ck_listed(SUPPRESS_OPERATOR, BIT(OPERATOR), HANDLE, "complained");
    ck_assert_str_eq(list().views[0].text.by, "ops");
    writes(7, false);
    ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
    ck_assert_int_eq(unsuppress(7), CODE_NONE);
    ck_assert_int_eq(asked(7), CODE_NONE);
}
END_TEST

/* Worker 1 has it in hand, and there is one behind it. */
static struct effect under_way(uint64_t conversation, uint64_t *behind)
{
    rig_worker(rig, 1, 2);
    rig_send(rig, conversation, CLASS_REPLY);
    rig_pass(rig, 3000);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    *behind = rig_send(rig, conversation, CLASS_REPLY);
    rig_forget(rig);
    return job;
}

static void ck_called_back(const struct effect *job, uint64_t behind)
{
    ck_job(behind, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job->lease);
    struct core_result returned = rig_result(job, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    ck_assert_int_eq(end_of(job->number).state, JOB_SUPPRESSED);
}

START_TEST(a_try_that_no_worker_has_begun_is_called_back_and_ends_with_what_waits)
{
    uint64_t behind = 0;
    struct effect job = under_way(7, &behind);
    suppress(7, "complained");
    ck_called_back(&job, behind);
    job = under_way(8, &behind);
    tell_word(8, true, 1);
    ck_called_back(&job, behind);
}
END_TEST

START_TEST(causes_hold_side_by_side)
{
    writes(7, true);
    int64_t since = list().views[0].since_ms;
    rig_pass(rig, 5000);
    suppress(7, "complained");
    ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "complained");
    ck_assert_int_eq(list().views[0].since_ms, since + 5000);
    writes(7, false); /* takes back their own word only */
    ck_listed(SUPPRESS_OPERATOR, BIT(OPERATOR), HANDLE, "complained");
    writes(7, true);
    ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "complained");
}
END_TEST

START_TEST(what_is_known_is_not_written_again)
{
    writes(7, true);
    size_t before = rig_records(rig, CHANGE_SUPPRESSION, 0, 0);
    writes(7, true);
    ck_assert_uint_eq(rig_records(rig, CHANGE_SUPPRESSION, 0, 0), before);
    suppress(7, "one");
    suppress(7, "one");
    ck_assert_uint_eq(rig_records(rig, CHANGE_SUPPRESSION, 0, 0), before + 1);
    suppress(7, "two");
    ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "two");
}
END_TEST

START_TEST(a_restart_and_the_cleaner_keep_texts_and_causes)
{
    writes(7, true);
    suppress(7, "complained; again");
    for (size_t i = 0, count = rig->record_count; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
    rig_restart(rig, 1000);
    ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "complained; again");
    ck_assert_int_eq(unsuppress(7), CODE_NONE);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(list().count, 0);
}
END_TEST

START_TEST(a_record_of_an_older_version_has_its_one_cause_and_no_recipient)
{
    struct change change = {.kind = CHANGE_SUPPRESSION,
                            .suppression = {.key = 42, .cause = SUPPRESS_OPTED_OUT, .since_ms = RIG_START_MS}};
    change.suppression.account = 2; /* the first account's name: 1 is the pool's */
    ck_assert_int_eq(core_restore(rig->core, &change, false, 1), ERR_NONE);
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), "", "");
}
END_TEST

static void begin_with_room_for_four(void)
{
    struct rig_options options = {.seed = 1, .limits = {.conversations_max = 4}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
}

/* What waits ends all the same. */
START_TEST(a_keyword_for_which_there_is_no_room_is_not_taken_and_may_come_again)
{
    begin_with_room_for_four();
    for (uint64_t conversation = 1; conversation <= 4; conversation++)
        ck_assert_int_eq(suppress(conversation, "r"), CODE_NONE);
    uint64_t waiting = rig_send(rig, 5, CLASS_CAMPAIGN), home = 5;
    struct core_message_fact fact = {.what = MESSAGE_RECEIVED,
                                     .token = 9,
                                     .event = 91,
                                     .recipient = RECIPIENT(5),
                                     .handle = HANDLE,
                                     .line = RIG_LINE,
                                     .homes = &home,
                                     .home_count = 1,
                                     .opt_out = true,
                                     .inbound = true};
    static const struct {
        bool has_room;
        enum code answer, asked;
    } turns[] = {{false, CODE_BUSY, CODE_NONE}, {true, CODE_NONE, CODE_OPTED_OUT}, {true, CODE_NONE, CODE_OPTED_OUT}};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        rig_forget(rig);
        if (turns[i].has_room)
            unsuppress(1);
        core_message_told(rig->core, &fact, rig->now, &rig->out);
        ck_assert_int_eq(last_answer(), turns[i].answer);
        ck_assert_uint_eq(alerts(ALERT_SUPPRESSIONS_FULL), !turns[i].has_room);
        ck_job(waiting, JOB_NONE, REASON_NONE);
        ck_assert_int_eq(asked(5), turns[i].asked);
    }
}
END_TEST

START_TEST(an_opt_out_that_a_provider_tells_without_room_for_it_is_loud)
{
    begin_with_room_for_four();
    for (uint64_t conversation = 1; conversation <= 4; conversation++)
        suppress(conversation, "r");
    refused_by_provider(5, SUPPRESS_OPTED_OUT);
    ck_assert_uint_eq(alerts(ALERT_SUPPRESSIONS_FULL), 1);
}
END_TEST

START_TEST(many_come_and_go_in_little_memory)
{
    begin_with_room_for_four();
    for (int round = 0; round < 100; round++) {
        for (uint64_t conversation = 1; conversation <= 4; conversation++)
            ck_assert_int_eq(suppress(conversation, "r"), CODE_NONE);
        ck_assert_int_eq(suppress(5, "r"), CODE_BUSY);
        ck_assert_uint_eq(list().count, 4);
        for (uint64_t conversation = 1; conversation <= 4; conversation++)
            ck_assert_int_eq(unsuppress(conversation), CODE_NONE);
    }
    char reason[REASON_TEXT_MAX]; /* the texts' room is bounded: what does not fit is not known, but still holds */
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    ck_assert_int_eq(suppress(1, reason), CODE_NONE);
    ck_listed(SUPPRESS_OPERATOR, BIT(OPERATOR), "", "");
    ck_assert_int_eq(asked(1), CODE_OPTED_OUT);
}
END_TEST

START_TEST(another_accounts_are_not_listed_nor_lifted)
{
    begin_with("accounts:\n  a:\n    api_key_file: key\n  b:\n    api_key_file: key\n"
               "pools:\n  x: {account: a, lines: all}\n  y: {account: b, lines: all}\n",
               1);
    suppress(7, "r");
    uint32_t cursor = 0;
    struct listed listed = {.count = 0};
    core_suppressions_walk(rig->core, 1, &cursor, 100, note, &listed);
    ck_assert_uint_eq(listed.count, 0);
    struct core_suppress suppress = {.token = 6, .account = 1, .recipient = RECIPIENT(7)};
    core_unsuppress(rig->core, &suppress, rig->now, &rig->out);
    ck_assert_int_eq(last_answer(), CODE_NOT_FOUND);
    ck_assert_uint_eq(list().count, 1);
}
END_TEST

/* ---- what other brokers know ---- */

static unsigned untold; /* of the last call */

static void shared_as(struct core_suppression_shared shared)
{
    const uint64_t conversation = 7;
    shared.recipient = RECIPIENT(7);
    shared.handle = HANDLE;
    shared.conversations = &conversation;
    shared.conversation_count = 1;
    ck_assert(core_suppression_shared(rig->core, &shared, &untold, rig->now, &rig->out));
    rig_keep(rig);
}

static void shared(int64_t opted_out_ms, int64_t operator_ms)
{
    shared_as((struct core_suppression_shared){
        .since_ms = {[SUPPRESS_OPTED_OUT] = opted_out_ms, [SUPPRESS_OPERATOR] = operator_ms}});
}

START_TEST(what_another_broker_was_told_holds_here_and_ends_here)
{
    uint64_t waiting = rig_send(rig, 7, CLASS_CAMPAIGN);
    shared(5000, 0);
    ck_job(waiting, JOB_NONE, REASON_NONE); /* it has ended */
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    ck_assert_int_eq(list().views[0].since_ms, 5000);
    shared(5000, 6000);
    ck_listed(SUPPRESS_OPERATOR, BIT(OPTED_OUT) | BIT(OPERATOR), HANDLE, "");
    shared_as((struct core_suppression_shared){.since_ms = {[SUPPRESS_OPTED_OUT] = 5000},
                                               .ended_ms = {[SUPPRESS_OPERATOR] = 6000}});
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    ck_assert_int_eq(list().views[0].since_ms, 5000);
    rig_restart(rig, 0);
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    const struct core_suppression_shared ended = {.ended_ms = {[SUPPRESS_OPTED_OUT] = 5000}};
    struct core_suppression_shared unheard = ended;
    unheard.only_more = true; /* they do not know it yet */
    shared_as(unheard);
    ck_assert_int_eq(asked(7), CODE_OPTED_OUT);
    shared_as(ended);
    ck_assert_uint_eq(list().count, 0);
    ck_assert_int_eq(asked(7), CODE_NONE);
    rig_restart(rig, 0);
    ck_assert_uint_eq(list().count, 0);
}
END_TEST

/* A name that was erased here is told by another broker: what holds here for another cause is nothing that has ended. */
START_TEST(what_others_have_never_heard_of_stays_and_is_told_to_them)
{
    writes(7, true);
    int64_t since = list().views[0].since_ms;
    shared_as((struct core_suppression_shared){.since_ms = {[SUPPRESS_BLOCKED] = 9000}});
    ck_listed(SUPPRESS_BLOCKED, BIT(OPTED_OUT) | BIT(BLOCKED), HANDLE, "");
    ck_assert_uint_eq(untold, BIT(OPTED_OUT));
    rig_free(&rig);
    begin_default();
    writes(7, true);
    shared_as((struct core_suppression_shared){.ended_ms = {[SUPPRESS_OPTED_OUT] = since - 1}}); /* an older one was ended */
    ck_listed(SUPPRESS_OPTED_OUT, BIT(OPTED_OUT), HANDLE, "");
    ck_assert_uint_eq(untold, BIT(OPTED_OUT));
    shared_as((struct core_suppression_shared){.ended_ms = {[SUPPRESS_OPTED_OUT] = since}});
    ck_assert_uint_eq(list().count, 0);
    ck_assert_uint_eq(untold, 0);
}
END_TEST

START_TEST(what_is_shared_again_is_not_written_again)
{
    shared(5000, 6000);
    size_t before = rig_records(rig, CHANGE_SUPPRESSION, 0, 0);
    shared(5000, 6000);
    ck_assert_uint_eq(rig_records(rig, CHANGE_SUPPRESSION, 0, 0), before);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_recipients_own_word_is_listed_and_lifted_by_the_next_message,
                                         a_message_from_between_two_keywords_lifts_nothing_however_late_it_comes,
                                         nor_does_one_from_before_the_keyword_while_something_harder_to_lift_holds_too,
                                         a_providers_opt_out_is_the_recipients_word,
                                         a_block_is_lifted_by_an_admin_only,
                                         an_operators_word_ends_what_waits_and_stays_until_taken_back,
                                         a_try_that_no_worker_has_begun_is_called_back_and_ends_with_what_waits,
        causes_hold_side_by_side,
                                         what_is_known_is_not_written_again,
                                         a_restart_and_the_cleaner_keep_texts_and_causes,
                                         a_record_of_an_older_version_has_its_one_cause_and_no_recipient,
                                         a_keyword_for_which_there_is_no_room_is_not_taken_and_may_come_again,
                                         an_opt_out_that_a_provider_tells_without_room_for_it_is_loud,
                                         many_come_and_go_in_little_memory,
                                         another_accounts_are_not_listed_nor_lifted,
                                         what_another_broker_was_told_holds_here_and_ends_here,
                                         what_others_have_never_heard_of_stays_and_is_told_to_them,
                                         what_is_shared_again_is_not_written_again};
    return run_suite("core_suppression", tests, sizeof tests / sizeof *tests);
}
