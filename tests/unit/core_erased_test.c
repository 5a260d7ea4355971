/* core_erased_test.c — what stays in force when a recipient is erased: nobody who wanted nothing is written to, and no pause,
 * suppression or word still names them. */
#include "tests/unit/core_erase_rig.h"

#include <stdio.h>
#include <string.h>

START_TEST(a_suppression_holds_on_without_a_name)
{
    const struct core_suppress suppress = {
        .token = 3, .recipient = RECIPIENT, .handle = HANDLE, .reason = "asked on the phone", .by = "ann"};
    struct suppression_view view;
    core_suppress(rig->core, &suppress, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t id = order(false);
    found_both(id);
    for (int start = 0; start < 2; start++) {
        ck_assert(core_suppression_view(rig->core, 0, RECIPIENT, &view));
        ck_assert_int_eq(view.cause, SUPPRESS_OPERATOR);
        ck_assert_str_eq(view.text.recipient, "");
        ck_assert_str_eq(view.text.reason, "");
        core_suppress(rig->core, &suppress, rig->now, &rig->out); /* nor is it told anew before it is done */
        rig_keep(rig);
        rig_restart(rig, 10);
    }
}
END_TEST

/* In each of the most accounts that there may be. Whoever shares what they know is to forget the name, too. */
START_TEST(a_name_is_hidden_in_every_account_at_once)
{
    uint64_t recipients[CONF_ACCOUNTS_MAX];
    const struct core_erase ask = {
        .token = 5, .person = PERSON, .recipients = recipients, .recipient_count = CONF_ACCOUNTS_MAX, .by = "ann"};
    for (size_t r = 0; r < CONF_ACCOUNTS_MAX; r++) {
        recipients[r] = RECIPIENT + r;
        const struct core_suppress suppress = {
            .token = 3, .recipient = recipients[r], .handle = HANDLE, .reason = "asked on the phone", .by = "ann"};
        core_suppress(rig->core, &suppress, rig->now, &rig->out);
        rig_keep(rig);
    }
    core_erase(rig->core, &ask, rig->now, &rig->out);
    for (size_t r = 0; r < CONF_ACCOUNTS_MAX; r++) { /* in the same turn, others, of whom no name is known */
        const struct core_suppress nameless = {.token = 4, .recipient = RECIPIENT + CONF_ACCOUNTS_MAX + r, .by = "bob"};
        core_suppress(rig->core, &nameless, rig->now, &rig->out);
    }
    size_t hidden = 0;
    for (size_t c = 0; c < rig->out.change_count; c++) {
        const struct change_suppression *change = &rig->out.changes[c].suppression;
        if (rig->out.changes[c].kind != CHANGE_SUPPRESSION || !change->hides)
            continue;
        ck_assert_str_eq(change->handle, HANDLE);
        hidden++;
    }
    ck_assert_uint_eq(hidden, CONF_ACCOUNTS_MAX);
    rig_keep(rig);
    for (int start = 0; start < 2; start++) {
        for (size_t r = 0; r < CONF_ACCOUNTS_MAX; r++) {
            struct suppression_view view;
            ck_assert(core_suppression_view(rig->core, 0, recipients[r], &view));
            ck_assert_str_eq(view.text.recipient, "");
            ck_assert_str_eq(view.text.reason, "");
        }
        rig_restart(rig, 10);
    }
}
END_TEST

static struct core_requeue letter_of(uint64_t conversation)
{
    return (struct core_requeue){.number = 1,
                                 .mark = core_requeue_mark(rig->core),
                                 .line = RIG_LINE,
                                 .accepted_at_ms = RIG_START_MS,
                                 .job = rig_job(conversation, CLASS_REPLY)};
}

START_TEST(no_dead_letter_comes_back_to_somebody_who_is_being_erased)
{
    rig_send(rig, HOME, CLASS_TRANSACTIONAL);
    struct core_requeue letter = letter_of(HOME);
    ck_assert_uint_eq(order(false), 1);
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NOT_ALLOWED);
    letter.job = rig_job(OTHER, CLASS_REPLY);
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NONE);
    rig_keep(rig);
}
END_TEST

/* A message is sent in the conversation, in the chat that the rig makes of the job's number. Returns that chat's hash. */
static uint64_t send_in(uint64_t conversation)
{
    rig_forget(rig);
    uint64_t number = rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    return number * 31 + 7;
}

static void opts_out(uint64_t chat)
{
    struct core_message_fact fact = {
        .token = 3, .event = chat, .chat_hash = chat, .has_health = true, .health = CHAT_OPTED_OUT};
    fact.what = MESSAGE_CHAT;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static enum code code_of_job(uint64_t conversation, uint64_t recipient)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.recipient = recipient;
    return rig_enqueue(rig, &job).code;
}

static enum code unsuppress(uint64_t recipient, uint64_t conversation)
{
    const struct core_suppress ask = {
        .token = 3, .recipient = recipient, .conversations = &conversation, .conversation_count = 1};
    rig_forget(rig);
    core_unsuppress(rig->core, &ask, rig->now, &rig->out);
    rig_keep(rig);
    return rig_told(rig, EFFECT_ANSWER, 0)->code;
}

/* Nothing but their chat says that they want nothing any more. */
START_TEST(who_opted_out_in_their_chat_is_not_written_to_when_it_is_forgotten)
{
    rig_worker(rig, 1, 8);
    opts_out(send_in(HOME));
    uint64_t id = order(false);
    found_both(id);
    rewritten(id);
    ck_assert_int_eq(view_of(id).state, ERASURE_DONE);
    ck_assert(!is_known(HOME));
    ck_assert_int_eq(code_of_job(HOME, RECIPIENT), CODE_OPTED_OUT);
    ck_assert_int_eq(code_of_job(OTHER, RECIPIENT), CODE_OPTED_OUT); /* wherever they are written to */
    rig_restart(rig, 1000);
    ck_assert_int_eq(code_of_job(OTHER, RECIPIENT), CODE_OPTED_OUT);
    ck_assert_int_eq(unsuppress(RECIPIENT, HOME), CODE_NONE);
    ck_assert_int_eq(code_of_job(HOME, RECIPIENT), CODE_NONE);
}
END_TEST

/* Whoever of them it was that wanted nothing any more: only the chat knew, and it is forgotten with who is erased. */
START_TEST(a_group_that_opted_out_is_not_written_to_when_one_of_them_was_erased)
{
    rig_worker(rig, 1, 8);
    uint64_t chat = send_in(GROUP);
    uint64_t id = order(false);
    opts_out(chat); /* while it is under way */
    found_both(id);
    rewritten(id);
    ck_assert_int_eq(view_of(id).state, ERASURE_DONE);
    ck_assert(!is_known(GROUP));
    for (int start = 0; start < 3; start++) {
        ck_assert_int_eq(code_of_job(GROUP, 0), CODE_OPTED_OUT);
        ck_assert_int_eq(code_of_job(OTHER, RECIPIENT), CODE_NONE); /* of whom the group's chat says nothing */
        if (start == 1)
            clean_all();
        rig_restart(rig, 1000);
    }
    ck_assert_int_eq(unsuppress(0, OTHER), CODE_NOT_FOUND);
    ck_assert_int_eq(unsuppress(0, GROUP), CODE_NONE);
    ck_assert_int_eq(code_of_job(GROUP, 0), CODE_NONE);
}
END_TEST

START_TEST(who_opts_out_while_they_are_erased_is_not_written_to_until_they_write_themselves)
{
    static const uint64_t homes[] = {HOME, 99};
    rig_worker(rig, 1, 8);
    uint64_t chat = send_in(HOME);
    uint64_t id = order(false);
    rig_pass(rig, 1000);
    opts_out(chat);
    found_both(id);
    rewritten(id);
    rig_restart(rig, 1000);
    ck_assert(!is_known(HOME));
    ck_assert_int_eq(code_of_job(HOME, RECIPIENT), CODE_OPTED_OUT);
    struct core_message_fact fact = {.token = 3, .event = 5, .recipient = RECIPIENT, .homes = homes, .home_count = 2, .line = RIG_LINE};
    fact.what = MESSAGE_RECEIVED;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(code_of_job(HOME, RECIPIENT), CODE_NONE);
    rig_restart(rig, 1000);
    ck_assert_int_eq(code_of_job(HOME, RECIPIENT), CODE_NONE);
}
END_TEST

START_TEST(no_dead_letter_comes_back_to_a_group_that_opted_out)
{
    rig_worker(rig, 1, 8);
    opts_out(send_in(GROUP));
    uint64_t id = order(false);
    found_both(id);
    rewritten(id);
    struct core_requeue letter = letter_of(GROUP);
    letter.job.recipient = 0;
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_OPTED_OUT);
}
END_TEST

START_TEST(a_pause_of_their_conversation_holds_on_without_a_name)
{
    const struct core_pause pause = {.token = 4,
                                     .scope = PAUSE_CONVERSATION,
                                     .target = HOME,
                                     .name = HANDLE,
                                     .reason = "they asked",
                                     .by = "ann"};
    struct pause_view view;
    uint32_t cursor = 0;
    core_pause(rig->core, &pause, rig->now, &rig->out);
    rig_keep(rig);
    rig_send(rig, HOME, CLASS_REPLY);
    uint64_t id = order(false);
    found_both(id);
    rewritten(id);
    rig_restart(rig, 10);
    ck_assert_uint_eq(core_pauses(rig->core, &cursor, &view, 1), 1);
    ck_assert_uint_eq(view.pause.target, HOME);
    ck_assert_str_eq(view.pause.name, "");
    ck_assert_str_eq(view.pause.reason, "");
    ck_job(rig_send(rig, HOME, CLASS_REPLY), JOB_QUEUED, REASON_CONVERSATION_PAUSED);
}
END_TEST

static size_t masked; /* bytes gone through */

static bool mask_handle(void *self, char *text)
{
    char *at = strstr(text, HANDLE);
    masked += strlen(text);
    if (at != NULL)
        memset(at + 1, '*', strlen(HANDLE) - 1);
    return at != NULL;
}

static void must_be_nameless(unsigned suppressed)
{
    struct suppression_view view;
    struct pause_view pauses[4];
    uint32_t cursor = 0;
    char reason[64];
    ck_assert_uint_eq(core_pauses(rig->core, &cursor, pauses, 4), 2);
    ck_assert_str_eq(pauses[0].pause.name, "+***********,+14155550199");
    ck_assert_str_eq(pauses[0].pause.reason, "");
    ck_assert_str_eq(pauses[1].pause.reason, "asked by +***********");
    for (unsigned n = 0; n < suppressed; n++) {
        ck_assert(core_suppression_view(rig->core, 0, RECIPIENT + 1 + n, &view));
        snprintf(reason, sizeof reason, "%u: friend of +***********", n);
        ck_assert_str_eq(view.text.reason, reason);
        ck_assert_str_eq(view.text.by, "ann");
    }
    struct line_view line = rig_line(rig, 0);
    ck_assert_str_eq(line.orders->word_reason, "says +***********");
}

/* What is in force is written anew by cleaning, long after all files were gone through. */
START_TEST(what_names_them_in_pauses_and_in_other_peoples_suppressions_is_reworded_for_good)
{
    enum { SUPPRESSED = 5000 };
    char reason[64];
    struct core_pause pause = {.scope = PAUSE_CONVERSATION, .target = 4711, .name = HANDLE ",+14155550199", .by = "ann"};
    struct core_word word = {.line = RIG_LINE, .status = REPUTATION_AT_RISK, .for_ms = HOUR_MS, .reason = "says " HANDLE, .by = "ann"};
    core_pause(rig->core, &pause, rig->now, &rig->out);
    rig_keep(rig);
    pause = (struct core_pause){.scope = PAUSE_LINE, .target = RIG_LINE, .reason = "asked by " HANDLE, .by = "ann"};
    core_pause(rig->core, &pause, rig->now, &rig->out);
    rig_keep(rig);
    core_reputation(rig->core, &word, rig->now, &rig->out);
    rig_keep(rig);
    for (unsigned n = 0; n < SUPPRESSED; n++) {
        struct core_suppress suppress = {.recipient = RECIPIENT + 1 + n, .handle = "+14155550199", .reason = reason, .by = "ann"};
        snprintf(reason, sizeof reason, "%u: friend of " HANDLE, n);
        core_suppress(rig->core, &suppress, rig->now, &rig->out);
        rig_keep(rig);
    }
    struct core_rewording at = {0};
    for (bool more = true; more;) {
        more = core_reword(rig->core, &at, mask_handle, NULL, rig->now, &rig->out);
        ck_assert_uint_le(rig->out.change_count, 64); /* a slice */
        rig_keep(rig);
        rig_forget(rig);
    }
    must_be_nameless(SUPPRESSED);
    rig_restart(rig, 10);
    must_be_nameless(SUPPRESSED);
    clean_all();
    rig_restart(rig, 10);
    must_be_nameless(SUPPRESSED);
    size_t before = rig->record_count;
    at = (struct core_rewording){0};
    for (bool more = true; more;) {
        masked = 0;
        more = core_reword(rig->core, &at, mask_handle, NULL, rig->now, &rig->out);
        ck_assert_uint_eq(rig->out.change_count, 0); /* nothing is left to say */
        ck_assert_uint_le(masked, 9000);             /* and a slice is one however much there is to go through */
    }
    rig_keep(rig);
    ck_assert_uint_eq(rig->record_count, before);
}
END_TEST

START_TEST(what_was_sent_to_them_is_not_told_again_of_who_is_new_under_their_name)
{
    rig_worker(rig, 1, 8);
    rig_send(rig, HOME, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    rig_sent(rig, &job);
    uint64_t id = order(false);
    found_both(id);
    rewritten(id);
    rig_pass(rig, 50);
    ck_assert(!is_known(HOME));
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, HOME, CLASS_TRANSACTIONAL);
    rig_restart(rig, 10);
    struct core_adopt adopt = {.token = 81, .conversation = HOME, .line = RIG_LINE, .recipients = {"[\"" HANDLE "\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    struct record_storage storage;
    struct change change;
    ck_assert(rig_last(rig, CHANGE_CONVERSATION, HOME, &storage, &change));
    ck_assert_uint_eq(change.conversation.last_out_ms, 0);
    ck_assert_uint_eq(change.conversation.waits_day, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_suppression_holds_on_without_a_name,
        a_name_is_hidden_in_every_account_at_once,
        no_dead_letter_comes_back_to_somebody_who_is_being_erased,
        who_opted_out_in_their_chat_is_not_written_to_when_it_is_forgotten,
        a_group_that_opted_out_is_not_written_to_when_one_of_them_was_erased,
        who_opts_out_while_they_are_erased_is_not_written_to_until_they_write_themselves,
        no_dead_letter_comes_back_to_a_group_that_opted_out,
        a_pause_of_their_conversation_holds_on_without_a_name,
        what_names_them_in_pauses_and_in_other_peoples_suppressions_is_reworded_for_good,
        what_was_sent_to_them_is_not_told_again_of_who_is_new_under_their_name,
    };
    return run_suite("core_erased", tests, sizeof tests / sizeof *tests);
}
