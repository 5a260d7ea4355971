/* Power cuts of the broker's own records: a real core writes through record.c into a real journal on a file system
 * that is recorded; then the disk is put together as a cut at any moment could have left it, the journal is opened,
 * and a new core learns from it what it may. What had been told to producers, workers and the provider by then must
 * hold: acknowledged jobs, ended ones, the lines of those tried, closed gates; and going on from there each job goes
 * out, once, in order. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/store/owner.h"
#include "broker/store/record.h"
#include "tests/support/core_rig.h"
#include "tests/support/store_sim.h"
#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define STATES        150 /* or LINEWARD_STATES */
#define GO_ON_EVERY   5   /* so many states are gone on from */
#define TURNS         900
#define LINES         4
#define CONVERSATIONS 40
#define WORKER        5
#define SLOTS         24
#define HELD_MAX      64
#define JOBS_MAX      16384
#define FACTS_MAX     65536
#define PAYLOAD_BYTES 700
#define NEVER         SIZE_MAX

static const char conf_text[] = "accounts:\n  default:\n    api_key_file: key\n    stale_after_ms: 600000\n"
                                "policies:\n  default: {pace_per_min: 0, daily_messages: 0, pair_per_min: 0, "
                                "new_conversations_per_day: 0, distinct_recipients_per_hour: 0, growth_floor: 0, "
                                "daily_growth_factor: 0, cadence_ms: [], ramp_percent: [100], ramp_step_ms: 10, "
                                "retry_base_ms: 20, retry_cap_ms: 100, attempts_max: 50, lease_ms: 30000}\n"
                                "worker: {request_timeout_ms: 500}\nbroker: {heartbeat_ms: 200}\n";

/* ---- what was told, in the order of telling ---- */

struct fact {
    enum { FACT_ACKED, FACT_LEASED, FACT_ENDED, FACT_GATE } what;
    uint32_t job; /* index of its enqueue */
    uint64_t line;
    enum reputation word;
};

static struct {
    uint64_t number, conversation;
    enum job_class class;
    size_t handed; /* facts told when the result that ended it was handed in */
} jobs[JOBS_MAX];
static struct fact facts[FACTS_MAX];
static size_t fact_count;
static struct {
    uint32_t line;
    enum reputation word;
    size_t handed;
} tells[FACTS_MAX];
static size_t tell_count, tells_answered;
static struct effect held[HELD_MAX];
static enum outcome answered[HELD_MAX];
static size_t held_count;

/* ---- the shell around the core ---- */

static struct shell {
    struct rig *rig;
    struct store *store;
    struct store_batch *batch;
    struct core_owner owner;
    struct sim *sim;
    int wake_fd;
    struct {
        uint64_t commit;
        size_t records;
    } due[1024];
    size_t due_first, due_end;
    uint64_t submitted, random;
} shell;
static struct instant ended;
static _Atomic int64_t wall_now_ms = RIG_START_MS;

static int64_t wall_ms(void)
{
    return wall_now_ms;
}

static uint64_t draw(uint64_t below)
{
    uint64_t z = shell.random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

static void persist(void *self, const struct effects *out)
{
    (void)self;
    for (size_t i = 0; i < out->change_count; i++)
        ck_assert_int_eq(record_add(shell.batch, &out->changes[i]), ERR_NONE);
}

/* A store of a rig's records; `owner` is lent for its life. */
static enum err open_on(struct sim *sim, struct rig *rig, struct core_owner *owner, int wake_fd, struct store **out)
{
    static bool out_of_memory;
    *owner = (struct core_owner){rig->core, &rig->now, &rig->out, &out_of_memory};
    struct store_options options = {.path = SIM_FOLDER,
                                    .segment_bytes = SEGMENT_BYTES,
                                    .history_retention_ms = 3600 * 1000,
                                    .kinds = record_kinds(),
                                    .owner = core_owner(owner),
                                    .io = &sim->io,
                                    .wall_ms = wall_ms,
                                    .wake_fd = wake_fd};
    struct store_opened opened;
    struct store_problem problem;
    return store_open(out, &options, &opened, &problem);
}

/* ---- what is told becomes facts ---- */

static void note(struct fact fact)
{
    ck_assert_uint_lt(fact_count, FACTS_MAX);
    facts[fact_count++] = fact;
}

static uint32_t job_of(uint64_t number)
{
    for (uint32_t i = 0; i < shell.rig->index; i++)
        if (jobs[i].number == number)
            return i;
    ck_abort_msg("a job that was never enqueued");
}

static void hear_done(uint64_t lease)
{
    for (size_t i = 0; i < held_count; i++)
        if (held[i].lease == lease) {
            if (answered[i] == OUTCOME_SENT || answered[i] == OUTCOME_REJECTED)
                note((struct fact){.what = FACT_ENDED, .job = job_of(held[i].number)});
            held[i] = held[--held_count];
            answered[i] = answered[held_count];
            return;
        }
}

static void hear(void)
{
    struct lease_view view;
    for (size_t i = 0; i < shell.rig->told_count; i++) {
        const struct effect *effect = &shell.rig->told[i];
        if (effect->kind == EFFECT_ENQUEUED) {
            note((struct fact){.what = FACT_ACKED, .job = effect->index});
        } else if (effect->kind == EFFECT_JOB && core_lease_view(shell.rig->core, effect->lease, &view)) {
            ck_assert_uint_lt(held_count, HELD_MAX);
            held[held_count] = *effect;
            held[held_count].number = view.number;
            answered[held_count++] = OUTCOME_COUNT;
            note((struct fact){.what = FACT_LEASED, .job = job_of(view.number), .line = view.line});
        } else if (effect->kind == EFFECT_DONE) {
            hear_done(effect->lease);
        } else if (effect->kind == EFFECT_ANSWER && effect->token == 78) {
            note((struct fact){
                .what = FACT_GATE, .line = tells[tells_answered].line, .word = tells[tells_answered].word});
            tells_answered++;
        }
    }
    rig_forget(shell.rig);
    sim_mark(shell.sim, fact_count);
}

/* ---- a turn: something happens, what it changed is submitted, what became durable is told ---- */

static void submit_and_hear(void)
{
    uint64_t durable = 0;
    store_clean(shell.store, shell.batch, wall_now_ms, 2000);
    shell.submitted = store_submit(shell.store, shell.batch);
    shell.due[shell.due_end % 1024].commit = shell.submitted;
    shell.due[shell.due_end++ % 1024].records = shell.rig->record_count;
    ck_assert_int_eq(store_collect(shell.store, &durable), ERR_NONE);
    for (; shell.due_first < shell.due_end && shell.due[shell.due_first % 1024].commit <= durable; shell.due_first++)
        rig_commit(shell.rig, shell.due[shell.due_first % 1024].records);
    hear();
}

static void settle(void)
{
    while (shell.due_first < shell.due_end || store_batch_records(shell.batch) > 0) {
        struct pollfd wake = {.fd = shell.wake_fd, .events = POLLIN};
        uint64_t count;
        submit_and_hear();
        if (shell.due_first < shell.due_end && poll(&wake, 1, 100) > 0)
            ck_assert_int_eq(read(shell.wake_fd, &count, sizeof count), sizeof count);
    }
}

static struct core_enqueue job_at(uint32_t index)
{
    static char payload[PAYLOAD_BYTES];
    memset(payload, 'x', sizeof payload);
    struct core_enqueue job = rig_job(jobs[index].conversation, jobs[index].class);
    job.id_hash = UINT64_C(0x1234567) * (index + 1);
    job.content_hash = index + 1;
    job.payload = (struct span){payload, sizeof payload};
    return job;
}

static void enqueue(void)
{
    uint32_t index = shell.rig->index;
    if (index == JOBS_MAX)
        return;
    jobs[index].conversation = 1 + draw(CONVERSATIONS);
    jobs[index].class = draw(3) == 0 ? CLASS_CAMPAIGN : CLASS_TRANSACTIONAL;
    jobs[index].handed = NEVER;
    struct core_enqueue job = job_at(index);
    jobs[index].number = rig_enqueue(shell.rig, &job).number;
    ck_assert_uint_ne(jobs[index].number, 0);
}

static void answer(void)
{
    size_t i = held_count == 0 ? 0 : draw(held_count);
    if (held_count == 0 || answered[i] != OUTCOME_COUNT)
        return;
    uint64_t lot = draw(10);
    answered[i] = lot < 7 ? OUTCOME_SENT : lot < 9 ? OUTCOME_RETRY : OUTCOME_REJECTED;
    struct core_result result = rig_result(&held[i], answered[i]);
    if (answered[i] == OUTCOME_SENT)
        result.chat_hash = held[i].number * 31 + 7;
    if (answered[i] == OUTCOME_RETRY)
        result.unknown = true;
    else if (jobs[job_of(held[i].number)].handed == NEVER)
        jobs[job_of(held[i].number)].handed = fact_count;
    rig_answer(shell.rig, &result);
}

static enum reputation words[LINES];

static void tell(void)
{
    uint32_t line = (uint32_t)draw(LINES - 1); /* the last one stays well */
    words[line] = words[line] == REPUTATION_HEALTHY ? REPUTATION_CRITICAL : REPUTATION_HEALTHY;
    tells[tell_count].line = line;
    tells[tell_count].word = words[line];
    tells[tell_count++].handed = fact_count;
    rig_tell(shell.rig, line, words[line], shell.rig->now.wall_ms);
}

static void turn(void)
{
    for (uint64_t events = 1 + draw(12); events > 0; events--) {
        uint64_t lot = draw(20);
        if (lot < 9)
            enqueue();
        else if (lot < 19)
            answer();
        else if (draw(6) == 0)
            tell();
    }
    if (draw(8) == 0)
        rig_poll(shell.rig, LINES, words);
    rig_pass(shell.rig, 1 + (int64_t)draw(150));
    wall_now_ms = shell.rig->now.wall_ms;
    submit_and_hear();
}

static bool open_first(void *self, struct rig *rig)
{
    struct shell *opened = self;
    opened->rig = rig;
    return open_on(opened->sim, rig, &opened->owner, opened->wake_fd, &opened->store) == ERR_NONE;
}

static void setup(void)
{
    struct rig_options options = {
        .conf = conf_text, .seed = 1, .hold_commits = true, .persist = persist, .self = &shell};
    shell = (struct shell){.sim = sim_new(), .batch = store_batch_new(), .random = 99};
    shell.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sim_record(shell.sim);
    for (int l = 0; l < LINES; l++)
        words[l] = REPUTATION_HEALTHY;
    shell.rig = rig_replayed(&options, (struct instant){.wall_ms = RIG_START_MS, .mono_ms = 5000000}, 0, open_first);
    ck_assert_ptr_nonnull(shell.rig);
    rig_poll(shell.rig, LINES, words);
    rig_worker(shell.rig, WORKER, SLOTS);
    settle();
    for (int i = 0; i < TURNS; i++) {
        turn();
        if (i % 8 == 0)
            settle();
    }
    settle();
    ended = shell.rig->now;
    struct store_status status;
    store_status_read(shell.store, &status);
    ck_assert_uint_gt(status.cleaned_segments, 0);
    store_close(&shell.store);
}

static void teardown(void)
{
    rig_free(&shell.rig);
    store_batch_free(&shell.batch);
    sim_free(&shell.sim);
    close(shell.wake_fd);
}

/* ---- a cut, and what is there then ---- */

static struct known {
    bool acked, ended;
    uint64_t line; /* of its last try; 0: none */
} known[JOBS_MAX];

static void learn(size_t told)
{
    memset(known, 0, sizeof known);
    for (size_t i = 0; i < told; i++) {
        struct known *job = &known[facts[i].job];
        if (facts[i].what == FACT_ACKED)
            job->acked = true;
        else if (facts[i].what == FACT_LEASED)
            job->line = facts[i].line;
        else if (facts[i].what == FACT_ENDED)
            job->ended = true;
    }
}

static bool open_after_cut(void *self, struct rig *rig)
{
    struct core_owner owner;
    struct store *store = NULL;
    enum err err = open_on(self, rig, &owner, -1, &store);
    store_close(&store);
    return err == ERR_NONE;
}

static void judge_jobs(struct rig *rig, size_t told)
{
    for (uint32_t i = 0; i < shell.rig->index; i++) {
        if (!known[i].acked)
            continue;
        struct job_view view = rig_view(rig, jobs[i].number);
        bool may_be_over = jobs[i].handed != NEVER && jobs[i].handed <= told;
        ck_assert_msg(view.state != JOB_NONE || may_be_over, "job %u was acknowledged and is lost", i);
        ck_assert_msg(view.state == JOB_NONE || !known[i].ended, "job %u has ended and lives again", i);
        ck_assert_msg(view.state == JOB_NONE || known[i].line == 0 || view.line == known[i].line,
                      "job %u was tried on another line", i);
    }
}

static void judge_gates(struct rig *rig, size_t told)
{
    enum reputation last[LINES];
    size_t next = 0;
    for (int l = 0; l < LINES; l++)
        last[l] = REPUTATION_HEALTHY;
    for (size_t i = 0; i < told; i++)
        if (facts[i].what == FACT_GATE) {
            last[facts[i].line] = facts[i].word;
            next++;
        }
    for (; next < tell_count && tells[next].handed <= told; next++)
        last[tells[next].line] = REPUTATION_HEALTHY; /* on its way: nobody knows */
    for (uint32_t l = 0; l < LINES; l++)
        if (last[l] == REPUTATION_CRITICAL)
            ck_assert_msg(rig_line(rig, l).gate == GATE_CLOSED, "line %u was closed and is open", l);
}

/* A second copy of what was acknowledged is no new job. */
static void judge_repeats(struct rig *rig, uint64_t seed)
{
    for (uint32_t i = (uint32_t)(seed % 7); i < shell.rig->index; i += 7) {
        if (!known[i].acked)
            continue;
        struct core_enqueue job = job_at(i);
        struct effect again = rig_enqueue(rig, &job);
        ck_assert_msg(again.duplicate && again.number == jobs[i].number, "job %u is taken twice", i);
    }
}

/* All lines well, all providers willing: each job that lives goes out, once, behind those of its class before it. */
static void judge_going_on(struct rig *rig)
{
    static uint64_t last[CONVERSATIONS + 1][CLASS_COUNT]; /* 1 + the job that went last */
    struct lease_view view;
    memset(last, 0, sizeof last);
    rig_forget(rig);
    for (uint32_t l = 0; l < LINES; l++)
        rig_tell(rig, l, REPUTATION_HEALTHY, rig->now.wall_ms);
    for (int round = 0; round < 600; round++) {
        if (round % 10 == 0)
            rig_poll_all(rig, LINES, REPUTATION_HEALTHY);
        if (round == 0)
            rig_worker(rig, WORKER + 1, SLOTS);
        rig_pass(rig, 100);
        for (size_t i = 0; i < rig->told_count; i++) {
            struct effect job = rig->told[i];
            if (job.kind != EFFECT_JOB || !core_lease_view(rig->core, job.lease, &view))
                continue;
            job.number = view.number;
            uint32_t at = job_of(view.number);
            ck_assert_msg(!known[at].ended, "job %u has ended and goes out again", at);
            ck_assert_msg(known[at].line == 0 || view.line == known[at].line, "job %u changed its line", at);
            uint64_t *before = &last[jobs[at].conversation][jobs[at].class];
            ck_assert_msg(*before < at + 1, "job %u goes out after job %llu", at, (unsigned long long)*before - 1);
            *before = at + 1;
            rig_sent(rig, &job);
        }
        rig_forget(rig);
    }
    for (uint32_t i = 0; i < shell.rig->index; i++)
        ck_assert_msg(!known[i].acked || rig_view(rig, jobs[i].number).state == JOB_NONE, "job %u does not go out",
                      i);
}

static uint64_t states(void)
{
    const char *asked = getenv("LINEWARD_STATES");
    return asked == NULL ? STATES : strtoull(asked, NULL, 10);
}

static void judge_cut(uint64_t seed)
{
    uint64_t told;
    size_t span = shell.sim->event_count - shell.sim->record_begins;
    size_t events = shell.sim->record_begins + 1 + (size_t)(seed * 7919 % span);
    struct sim *disk = sim_after_cut(shell.sim, events, (enum sim_cut)(seed % SIM_CUT_KINDS), false, seed, &told);
    struct rig_options options = {.conf = conf_text, .seed = 1, .self = disk};
    struct instant now = {.wall_ms = ended.wall_ms + 1000, .mono_ms = 1000000};
    struct rig *rig = rig_replayed(&options, now, 1, open_after_cut);
    ck_assert_msg(rig != NULL, "state %llu does not open", (unsigned long long)seed);
    learn((size_t)told);
    judge_jobs(rig, (size_t)told);
    judge_gates(rig, (size_t)told);
    judge_repeats(rig, seed);
    if (seed % GO_ON_EVERY == 0)
        judge_going_on(rig);
    rig_free(&rig);
    sim_free(&disk);
}

START_TEST(whatever_a_power_cut_leaves_all_that_was_told_still_holds)
{
    ck_assert_uint_gt(states(), 0);
    for (uint64_t seed = 1; seed <= states(); seed++)
        judge_cut(seed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker_crash");
    TCase *tcase = tcase_create("power cuts");
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300 + (double)states());
    tcase_add_test(tcase, whatever_a_power_cut_leaves_all_that_was_told_still_holds);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
