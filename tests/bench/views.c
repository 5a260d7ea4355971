/* views.c — what views cost with many lines and jobs: how long each takes over HTTP, and how long it holds the core at a
 * stretch (its own time on the processor: another program's turn is no hold of ours).
 *
 *   views [LINES [JOBS]]      default 100000 5000000
 *
 * A real core and the real admin API; the store is played, its records are made up. One line of figures a view: until the
 * answer is there, the core's processor time for all of it and for its longest step. Then `slowest_ms N` and `longest_us N`
 * over all views, for tests/bench/run. Ends with 1 if a view took more than 200 ms or held the core for more than 1 ms. */
#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "broker/edge/admin.h"
#include "broker/edge/recipients.h"

#define LINE_FIRST 12025500000
#define TO_FIRST   14150000000
#define ROUNDS     3
#define ANSWER_MAX (16u << 20)
#define VIEW_MS    200.0
#define HOLD_US    1000.0

static const char text[] = "{broker: {jobs_max: 6000000}, accounts: {default: {api_key_file: k}}, "
                           "pools: {default: {account: default}, other: {account: default, lines: []}}}";

static struct bench {
    struct conf *conf;
    struct core *core;
    struct effects out;
    struct instant now;
    struct keyed_hash hash;
    struct tokens *tokens;
    struct lookup *lookup;
    struct admin *admin;
    char folder[64];
    int64_t ahead_ms; /* of the steady clock */
    double held_us, spent_us; /* the longest call of the owner so far, and all of them */
    double slowest_ms, longest_us; /* of all views */
} bench;

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "views: %s\n", what);
    exit(2);
}

static void *take(void *self, size_t bytes)
{
    (void)self;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static double time_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void clear(void)
{
    bench.out.change_count = bench.out.effect_count = 0;
}

/* ---- the store's part: a place is the number of a job ---- */

static enum err read_record(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    static const char recipients[] = "[\"+14155550111\"]";
    static const char envelope[] = "{\"id\":\"x\",\"pool\":\"default\"}";
    struct change change = {.kind = CHANGE_JOB, .job = {.number = place, .accepted_at_ms = bench.now.wall_ms}};
    (void)self;
    change.sections[SECTION_RECIPIENTS] = (struct span){recipients, sizeof recipients - 1};
    change.sections[SECTION_ENVELOPE] = (struct span){envelope, sizeof envelope - 1};
    visit(visitor, &change);
    return ERR_NONE;
}

static enum err find_nothing(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    (void)self;
    return kind == CHANGE_JOB ? read_record(self, key, visit, visitor) : ERR_NONE;
}

static enum err no_events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit, void *visitor)
{
    (void)self;
    (void)after;
    (void)limit;
    (void)visit;
    (void)visitor;
    *oldest = 0;
    return ERR_NONE;
}

/* ---- the shell's part ---- */

static uint64_t id_hash(void *self, uint32_t pool, const char *id)
{
    (void)self;
    return job_id_hash(&bench.hash, bench.conf->pools[pool].name, id);
}

static void store_facts(void *self, struct store_facts *out)
{
    (void)self;
    *out = (struct store_facts){.segments = 3};
}

static bool no_outcomes(void *self, uint32_t pool, struct instant now, struct outcome_view *out)
{
    (void)self;
    (void)pool;
    (void)now;
    (void)out;
    return false;
}

static bool is_ready(void *self)
{
    (void)self;
    return true;
}

/* ---- setting up ---- */

static void open_core(void)
{
    const struct core_limits limits = {.jobs_max = 6000000,
                                       .conversations_max = 6000000,
                                       .lines_max = 131072,
                                       .leases_max = 4096,
                                       .workers_max = 16,
                                       .pauses_max = 4096,
                                       .names_max = 256,
                                       .remembered_max = 1000};
    const struct core_memory memory = {.take = take};
    const uint8_t random[KEY_RANDOM_BYTES] = {1};
    struct conf_problem problem;
    if (conf_parse(&bench.conf, text, strlen(text), "bench", "/tmp", NULL, 0, &problem) != ERR_NONE)
        fail(problem.text);
    bench.now = (struct instant){.wall_ms = INT64_C(1795446000000), .mono_ms = (int64_t)(time_us(CLOCK_MONOTONIC) / 1000)};
    bench.out.change_room = bench.out.effect_room = 2 * EFFECTS_MAX;
    bench.out.changes = take(NULL, bench.out.change_room * sizeof *bench.out.changes);
    bench.out.effects = take(NULL, bench.out.effect_room * sizeof *bench.out.effects);
    if (core_new(&bench.core, &limits, &memory, bench.conf, 1) != ERR_NONE)
        fail("no memory");
    core_restored(bench.core, random, bench.now, &bench.out);
    clear();
}

static void write_tokens(const char *path)
{
    unsigned char hash[32];
    char hex[65];
    FILE *file = fopen(path, "we");
    crypto_generichash(hash, sizeof hash, (const unsigned char *)"token", 5, NULL, 0);
    if (file == NULL || fprintf(file, "root admin * %s\n", sodium_bin2hex(hex, sizeof hex, hash, sizeof hash)) < 0 ||
        fclose(file) != 0)
        fail("the tokens cannot be written");
}

static void open_admin(void)
{
    char path[96];
    bool made_first;
    struct tokens_problem tokens_problem;
    struct admin_problem problem;
    const struct archive archive = {.read = read_record, .find = find_nothing, .events = no_events};
    snprintf(bench.folder, sizeof bench.folder, "/tmp/lineward-views-XXXXXX");
    if (sodium_init() < 0 || mkdtemp(bench.folder) == NULL)
        fail("no folder");
    snprintf(path, sizeof path, "%s/tokens", bench.folder);
    write_tokens(path);
    if (tokens_open(&bench.tokens, path, &made_first, &tokens_problem) != ERR_NONE ||
        lookup_open(&bench.lookup, &archive, 1) != ERR_NONE)
        fail(tokens_problem.text);
    const struct admin_options options = {.listen = "127.0.0.1:0",
                                          .version = "bench",
                                          .broker = "bench",
                                          .conf = bench.conf,
                                          .hash = &bench.hash,
                                          .tokens = bench.tokens,
                                          .lookup = bench.lookup,
                                          .started = bench.now,
                                          .shell = {.id_hash = id_hash, .store_facts = store_facts, .outcomes = no_outcomes, .ready = is_ready}};
    if (admin_open(&bench.admin, &options, &problem) != ERR_NONE)
        fail(problem.text);
    unlink(path);
    rmdir(bench.folder);
}

static void add_lines(unsigned lines)
{
    struct core_line_fact fact = {.has_reputation = true, .reputation = REPUTATION_HEALTHY, .poll = 1};
    fact.begun_mono_ms = bench.now.mono_ms;
    for (unsigned l = 0; l < lines; l++) {
        fact.number = LINE_FIRST + l;
        core_line_polled(bench.core, &fact, bench.now, &bench.out);
        clear();
    }
    const struct core_poll end = {.poll = 1, .begun_mono_ms = bench.now.mono_ms, .ok = true};
    core_poll_ended(bench.core, &end, bench.now, &bench.out);
    clear();
}

static uint64_t key_of(unsigned conversation)
{
    char to[40];
    int bytes = snprintf(to, sizeof to, "[\"+%llu\"]", (unsigned long long)(TO_FIRST + conversation));
    return recipients_conversation(&bench.hash, "default", (struct span){to, (size_t)bytes});
}

/* Two jobs a conversation on average, in an order as chance has it; three of four conversations name a line. */
static void add_jobs(unsigned jobs, unsigned lines)
{
    uint64_t chance = 1;
    unsigned conversations = jobs / 2;
    uint16_t campaign = core_campaign(bench.core, "spring", &bench.out);
    for (unsigned j = 0; j < jobs; j++) {
        chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned c = (unsigned)(chance >> 33) % conversations;
        const struct core_enqueue job = {.conversation = key_of(c),
                                         .class = (enum job_class)(j % CLASS_COUNT),
                                         .campaign = j % 5 == 0 ? campaign : 0,
                                         .from_line = c % 4 == 0 ? 0 : LINE_FIRST + c % lines,
                                         .recipients = {"[]", 2},
                                         .envelope = {"{}", 2},
                                         .payload = {"{}", 2}};
        core_enqueue(bench.core, &job, false, bench.now, &bench.out);
        for (size_t i = 0; i < bench.out.change_count; i++)
            if (bench.out.changes[i].kind == CHANGE_JOB)
                core_moved(bench.core, CHANGE_JOB, bench.out.changes[i].job.number, UINT64_MAX,
                           bench.out.changes[i].job.number);
        clear();
    }
}

static void pause_all(enum pause_scope scope, uint64_t target)
{
    const struct core_pause pause = {.scope = scope, .target = target, .by = "bench", .reason = "bench"};
    core_pause(bench.core, &pause, bench.now, &bench.out);
    clear();
}

/* ---- asking ---- */

/* One turn of the owner; true: there is more to do. */
static bool serve(void)
{
    struct lookup_answer answer;
    while (lookup_collect(bench.lookup, &answer))
        admin_looked_up(bench.admin, &answer);
    bench.now.mono_ms = bench.ahead_ms + (int64_t)(time_us(CLOCK_MONOTONIC) / 1000);
    double start = time_us(CLOCK_THREAD_CPUTIME_ID);
    bool more = admin_serve(bench.admin, bench.core, bench.now, &bench.out);
    double us = time_us(CLOCK_THREAD_CPUTIME_ID) - start;
    bench.held_us = us > bench.held_us ? us : bench.held_us;
    bench.spent_us += us;
    clear();
    return more;
}

static int ask_for(const char *target)
{
    char head[512];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)admin_port(bench.admin)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bytes = snprintf(head, sizeof head,
                         "GET %s HTTP/1.1\r\nHost: b\r\nConnection: close\r\nAuthorization: Bearer token\r\n\r\n", target);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || send(fd, head, (size_t)bytes, 0) != bytes)
        fail("no connection");
    return fd;
}

/* The status; how many bytes came, and when they all had. */
static int receive(int fd, size_t *out, double *end_us)
{
    static char answer[ANSWER_MAX];
    size_t bytes = 0;
    int status = 0;
    bool more = false;
    for (ssize_t got = 1; got > 0;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = admin_fd(bench.admin), .events = POLLIN},
                               {.fd = lookup_fd(bench.lookup), .events = POLLIN}};
        if (poll(fds, 3, more ? 0 : 30000) <= 0 && !more)
            fail("no answer");
        if (more || fds[1].revents != 0 || fds[2].revents != 0)
            more = serve();
        if (fds[0].revents == 0)
            continue;
        got = recv(fd, answer + bytes, sizeof answer - bytes - 1, 0);
        bytes += got > 0 ? (size_t)got : 0;
    }
    *end_us = time_us(CLOCK_MONOTONIC);
    close(fd);
    while (more) /* what nobody waits for, before the next view is measured */
        more = serve();
    answer[bytes] = '\0';
    if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
        fail("no HTTP");
    *out = bytes;
    return status;
}

static bool measure(const char *target)
{
    double best_ms = 1e9;
    double held_us = 1e9, spent_us = 1e9;
    size_t bytes = 0;
    for (int round = 0; round < ROUNDS; round++) { /* the best of three: another program's turn is no part of it */
        double start = time_us(CLOCK_MONOTONIC);
        bench.held_us = bench.spent_us = 0;
        double end = start;
        int status = receive(ask_for(target), &bytes, &end);
        double ms = (end - start) / 1000;
        if (status != 200)
            fail(target);
        best_ms = ms < best_ms ? ms : best_ms;
        held_us = bench.held_us < held_us ? bench.held_us : held_us;
        spent_us = bench.spent_us < spent_us ? bench.spent_us : spent_us;
        bench.ahead_ms += 60000; /* a count of a moment ago is old then */
    }
    bool good = best_ms <= VIEW_MS && held_us <= HOLD_US;
    bench.slowest_ms = best_ms > bench.slowest_ms ? best_ms : bench.slowest_ms;
    bench.longest_us = held_us > bench.longest_us ? held_us : bench.longest_us;
    printf("%-46s %8.1f ms %8.1f ms of the core %8.0f us held %9zu bytes%s\n", target, best_ms, spent_us / 1000, held_us,
           bytes, good ? "" : "   TOO LONG");
    return good;
}

int main(int argc, char **argv)
{
    static const char *const targets[] = {
        "/readyz", "/metrics", "/v1/status", "/v1/pools", "/v1/lines?limit=1000", "/v1/lines/+12025500007",
        "/v1/workers", "/v1/pauses", "/v1/campaigns", "/v1/conversations?limit=1000",
        "/v1/conversations?line=%2B12025500007", "/v1/conversations/default/+14150000001", "/v1/jobs?limit=1000",
        "/v1/jobs?state=leased", "/v1/jobs?reason=line_flagged", "/v1/suppressions/default", "/v1/audit", "/v1/dead",
        "/v1/shape?by=line", "/v1/shape?by=pool", "/v1/replies", "/v1/replies?by=campaign",
        "/v1/lines/+12025500007/conversations?health=CRITICAL"};
    unsigned lines = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    unsigned jobs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5000000;
    bool good = lines > 0 && jobs > 1;
    if (!good)
        fail("LINES and JOBS are numbers above 0 and 1");
    open_core();
    open_admin();
    add_lines(lines);
    add_jobs(jobs, lines);
    pause_all(PAUSE_ALL, 0);
    pause_all(PAUSE_POOL, 0);
    pause_all(PAUSE_LINE, LINE_FIRST + 7);
    pause_all(PAUSE_CAMPAIGN, core_campaign_find(bench.core, "spring"));
    printf("%u lines, %u jobs\n", lines, jobs);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        good = measure(targets[i]) && good;
    printf("slowest_ms %.1f\nlongest_us %.0f\n", bench.slowest_ms, bench.longest_us);
    admin_close(&bench.admin);
    lookup_close(&bench.lookup);
    tokens_free(&bench.tokens);
    conf_free(&bench.conf);
    return good ? 0 : 1;
}
