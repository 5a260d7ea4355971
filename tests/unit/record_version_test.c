/* record_version_test.c — heads that an older version wrote are read, as they lie on disks; a newer one's are
 * refused; and a head that grows is a new version's. */
#include <string.h>

#include "broker/store/owner.h"
#include "broker/store/record.h"
#include "tests/support/suite.h"

START_TEST(a_newer_version_and_none_are_refused)
{
    struct record_storage storage;
    struct change read;
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct change change = {.kind = CHANGE_SEEN, .seen = {.event = 7, .at_ms = 8}};
    size_t bytes = record_encode(&change, head);
    for (int version = 0; version < 256; version++) {
        head[0] = (uint8_t)version;
        ck_assert_int_eq(record_decode(CHANGE_SEEN, 7, 0, head, bytes, &storage, &read),
                         version >= 1 && version <= RECORD_VERSION);
    }
}
END_TEST

static enum err replay(unsigned kind, const uint8_t *head, size_t bytes)
{
    struct core_owner owner = {0};
    struct store_owner to = core_owner(&owner);
    return to.replay(to.self, kind, 7, 0, false, head, bytes, 1);
}

/* After a downgrade: the store is whole, and whoever restores a backup for it loses what came since. */
START_TEST(a_record_of_a_newer_version_is_called_newer_not_damaged)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct change change = {.kind = CHANGE_SEEN, .seen = {.event = 7, .at_ms = 8}};
    size_t bytes = record_encode(&change, head);
    ck_assert_int_eq(replay(CHANGE_KIND_COUNT, head, bytes), ERR_TOO_NEW);
    ck_assert_int_eq(replay(CHANGE_SEEN, head, bytes - 1), ERR_DAMAGED);
    ck_assert_int_eq(replay(CHANGE_SEEN, head, 0), ERR_DAMAGED);
    head[0] = RECORD_VERSION + 1;
    ck_assert_int_eq(replay(CHANGE_SEEN, head, bytes), ERR_TOO_NEW);
    head[0] = 0;
    ck_assert_int_eq(replay(CHANGE_SEEN, head, bytes), ERR_DAMAGED);
}
END_TEST

START_TEST(a_suppression_of_version_1_has_one_cause_and_no_texts)
{
    struct record_storage storage;
    struct change read;
    const uint8_t head[] = {1, 0x80, 0x01, TOPIC_NONE, 5, SUPPRESS_BLOCKED, 0, 0xD0, 0x0F};
    ck_assert(record_decode(CHANGE_SUPPRESSION, 9, 0, head, sizeof head, &storage, &read));
    ck_assert_uint_eq(read.suppression.key, 9);
    ck_assert_uint_eq(read.suppression.account, 5);
    ck_assert_uint_eq(read.suppression.cause, SUPPRESS_BLOCKED);
    ck_assert_int_eq(read.suppression.since_ms, 1000);
    ck_assert_uint_eq(read.suppression.causes, 0);
    ck_assert_str_eq(read.suppression.text->recipient, "");
    ck_assert_str_eq(read.suppression.text->by, "");
}
END_TEST

START_TEST(a_try_of_version_2_does_not_tell_when_its_conversation_was_written_to)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    struct record_storage storage;
    struct change read;
    struct change change = {.kind = CHANGE_TRY, .try = {.number = 9, .bucket_out = 7}};
    size_t bytes = record_encode(&change, head) - 3; /* without its last fields */
    ck_assert(!record_decode(CHANGE_TRY, 9, 0, head, bytes, &storage, &read));
    head[0] = 2;
    ck_assert(record_decode(CHANGE_TRY, 9, 0, head, bytes, &storage, &read));
    ck_assert_uint_eq(read.try.bucket_out, 7);
    ck_assert_int_eq(read.try.out_ms, 0);
}
END_TEST

/* As a broker before drains had an order wrote an operator's word: its store must open. */
START_TEST(orders_from_before_drains_had_an_order_are_read)
{
    static const uint8_t head[] = {0x04, 0xf8, 0xec, 0xe9, 0xe3, 0xc3, 0x68, 0x00, 0x01, 0x01, 0xf8, 0xec,
                                   0xe9, 0xe3, 0xc3, 0x68, 0xf8, 0x8b, 0xb3, 0xe4, 0xc3, 0x68, 0x00, 0x03,
                                   0x61, 0x64, 0x6d, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    struct record_storage storage;
    struct change read;
    ck_assert(record_decode(CHANGE_ORDERS, UINT64_C(12025550101), 0, head, sizeof head, &storage, &read));
    ck_assert_uint_eq(read.orders->line, UINT64_C(12025550101));
    ck_assert_int_eq(read.orders->word_until_ms - read.orders->word_since_ms, 600000);
    ck_assert_str_eq(read.orders->word_by, "adm");
    ck_assert_uint_eq(read.orders->drain_state, 0);
}
END_TEST

/* Lengths of heads in which all is zero: a byte a number or text, eight a hash. Whoever adds a field raises
 * RECORD_VERSION and adds a ROW with that version and the new length: the rows before it are what lies on disks, and
 * stay. A broker that writes a longer head under an old version's number is one that the version before it misreads.
 */
struct head_length {
    enum change_kind kind;
    unsigned since; /* the first version that writes it so */
    size_t bytes;
};
static const struct head_length head_lengths[] = {
    /* one kind's rows together, the older ones first; 3 of the bytes are the version and the event's mark */
    {CHANGE_START, 1, 3 + KEY_RANDOM_BYTES + 7 + TOPIC_COUNT}, /* which writes how many topics there are */
    {CHANGE_START, 4, 3 + KEY_RANDOM_BYTES + 8 + TOPIC_COUNT},
    {CHANGE_NAME, 1, 5},
    {CHANGE_JOB, 1, 3 + 5 * 8 + 14},
    {CHANGE_TRY, 1, 3 + 8 + 14},
    {CHANGE_TRY, 3, 3 + 8 + 15},
    {CHANGE_TRY, 6, 3 + 8 + 16},
    {CHANGE_TRY, 8, 3 + 8 + 17},
    {CHANGE_END, 1, 3 + 2 * 8 + 9},
    {CHANGE_END, 2, 3 + 2 * 8 + 12},
    {CHANGE_END, 6, 3 + 2 * 8 + 16},
    {CHANGE_END, 7, 3 + 2 * 8 + 17},
    {CHANGE_CONVERSATION, 1, 3 + 8 + 10},
    {CHANGE_CONVERSATION, 6, 3 + 8 + 13},
    {CHANGE_LINE, 1, 3 + 22 + 3 * 2 + 1 + LEVEL_DAYS + 2}, /* an empty window has two */
    {CHANGE_LINE, 6, 3 + 22 + 3 * 2 + 1 + LEVEL_DAYS + 2 + 1 + 2 * REPLY_DAYS},
    {CHANGE_PAUSE, 1, 10},
    {CHANGE_PAUSE, 2, 12},
    {CHANGE_ORDERS, 1, 16},
    {CHANGE_ORDERS, 5, 27},
    {CHANGE_OUTCOMES, 1, 7},
    {CHANGE_ERASURE, 5, 3 + 8 + 10},
    {CHANGE_FORGOTTEN, 5, 3},
    {CHANGE_SEEN, 1, 4},
    {CHANGE_DELIVERY, 1, 3 + 8 + 2},
    {CHANGE_GATE, 1, 5},
    {CHANGE_REPUTATION, 1, 7},
    {CHANGE_SUPPRESSION, 1, 7},
    {CHANGE_SUPPRESSION, 2, 11},
    {CHANGE_CAMPAIGN, 1, 3 + ENDS},
    {CHANGE_REPLIES, 6, 3 + 1 + 2 * REPLY_DAYS},
    {CHANGE_AUDIT, 1, 7},
};

/* How many values a field of a head knows. Whoever adds one raises RECORD_VERSION and puts it here with the new count: a
 * broker of the version before does not read such a head, and must call it newer, not damaged. */
static const struct {
    const char *values;
    unsigned since; /* the first version that writes them all; 1: they were not counted before version 8 */
    int pinned, count;
} field_values[] = {
    {"enum unbegun", 8, 3, UNBEGUN_COUNT},
    {"enum topic", 1, 13, TOPIC_COUNT},
    {"enum job_state", 1, 9, JOB_STATE_COUNT},
    {"enum job_class", 1, 4, CLASS_COUNT},
    {"enum chat_health", 1, 5, CHAT_HEALTH_COUNT},
    {"enum reputation", 1, 4, REPUTATION_COUNT},
    {"enum service", 1, 3, SERVICE_COUNT},
    {"enum source", 1, 5, SOURCE_COUNT},
    {"enum gate", 1, 3, GATE_COUNT},
    {"enum reason", 1, 33, REASON_COUNT},
    {"enum code", 1, 26, CODE_COUNT},
    {"enum delivery", 1, 4, DELIVERY_COUNT},
    {"enum suppress", 1, 4, SUPPRESS_COUNT},
    {"enum pause_scope", 1, 6, PAUSE_SCOPE_COUNT},
    {"enum drain", 1, 5, DRAIN_COUNT},
    {"enum drain_order", 1, 4, DRAIN_ORDER_COUNT},
    {"enum drain_state", 1, 3, DRAIN_STATE_COUNT},
    {"enum erasure_state", 1, 4, ERASURE_STATE_COUNT},
};

static struct change zero_change(enum change_kind kind)
{
    static struct record_storage zeros; /* a walk may write what it read, the same value */
    struct change change = {.kind = kind};
    if (kind == CHANGE_START)
        change.start = &zeros.start;
    else if (kind == CHANGE_NAME)
        change.name = &zeros.name;
    else if (kind == CHANGE_LINE)
        change.line = &zeros.line;
    else if (kind == CHANGE_PAUSE)
        change.pause = &zeros.pause;
    else if (kind == CHANGE_ORDERS)
        change.orders = &zeros.orders;
    else if (kind == CHANGE_OUTCOMES)
        change.outcomes = &zeros.outcomes;
    else if (kind == CHANGE_ERASURE)
        change.erasure = &zeros.erasure;
    else if (kind == CHANGE_AUDIT)
        change.audit = &zeros.audit;
    return change;
}

/* The newest version that gave some field another value. */
static unsigned newest_of_values(void)
{
    unsigned newest = 0;
    for (size_t i = 0; i < sizeof field_values / sizeof *field_values; i++)
        newest = field_values[i].since > newest ? field_values[i].since : newest;
    return newest;
}

START_TEST(a_value_that_is_new_raises_the_version_of_records)
{
    for (size_t i = 0; i < sizeof field_values / sizeof *field_values; i++)
        ck_assert_msg(field_values[i].count == field_values[i].pinned,
                      "%s has %d values, pinned are %d: raise RECORD_VERSION (now %d), then say so in field_values",
                      field_values[i].values, field_values[i].count, field_values[i].pinned, RECORD_VERSION);
    ck_assert_uint_le(newest_of_values(), RECORD_VERSION);
}
END_TEST

START_TEST(a_head_that_grows_raises_the_version_of_records)
{
    const size_t rows = sizeof head_lengths / sizeof *head_lengths;
    unsigned newest = newest_of_values();
    for (int kind = 1; kind < CHANGE_KIND_COUNT; kind++) {
        const struct head_length *last = NULL;
        for (size_t i = 0; i < rows; i++) {
            if (head_lengths[i].kind != (enum change_kind)kind)
                continue;
            ck_assert_msg(
                last == NULL || (last->since < head_lengths[i].since && last->bytes < head_lengths[i].bytes),
                "kind %s: each row of head_lengths is of a later version than the one before it, and longer",
                record_kinds()[kind].name);
            last = &head_lengths[i];
            newest = last->since > newest ? last->since : newest;
        }
        ck_assert_msg(last != NULL, "kind %d has no row in head_lengths", kind);
        uint8_t head[STORE_HEAD_BYTES_MAX];
        struct change change = zero_change((enum change_kind)kind);
        size_t bytes = record_encode(&change, head);
        ck_assert_msg(
            bytes == last->bytes,
            "the head of kind %s has %zu bytes, pinned are %zu: raise RECORD_VERSION (now %d), then add a row to "
            "head_lengths with the new version and length",
            record_kinds()[kind].name, bytes, last->bytes, RECORD_VERSION);
    }
    ck_assert_msg(newest == RECORD_VERSION, "RECORD_VERSION is %d, the newest row of head_lengths and field_values is of %u",
                  RECORD_VERSION, newest);
}
END_TEST

START_TEST(an_older_version_s_shorter_heads_are_read_and_the_present_one_s_are_not)
{
    for (size_t i = 0; i + 1 < sizeof head_lengths / sizeof *head_lengths; i++) {
        const struct head_length *old = &head_lengths[i], *next = old + 1;
        if (next->kind != old->kind)
            continue;
        uint8_t head[STORE_HEAD_BYTES_MAX];
        struct record_storage storage;
        struct change read, change = zero_change(old->kind);
        record_encode(&change, head);
        ck_assert(!record_decode(old->kind, 0, 0, head, old->bytes, &storage, &read));
        head[0] = (uint8_t)(next->since - 1);
        ck_assert_msg(record_decode(old->kind, 0, 0, head, old->bytes, &storage, &read), "kind %s of version %u",
                      record_kinds()[old->kind].name, next->since - 1);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_newer_version_and_none_are_refused,
        a_record_of_a_newer_version_is_called_newer_not_damaged,
        a_suppression_of_version_1_has_one_cause_and_no_texts,
        a_try_of_version_2_does_not_tell_when_its_conversation_was_written_to,
        orders_from_before_drains_had_an_order_are_read,
        a_value_that_is_new_raises_the_version_of_records,
        a_head_that_grows_raises_the_version_of_records,
        an_older_version_s_shorter_heads_are_read_and_the_present_one_s_are_not,
    };
    return suite_run_all("record_version", NULL, NULL, 60, tests, sizeof tests / sizeof *tests);
}
