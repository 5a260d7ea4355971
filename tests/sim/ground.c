/* ground.c — see ground.h. */
#include "tests/sim/ground.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tests/sim/fiber.h"

#define LINES_KEPT 60000 /* of the trace, for the last events of a breach */
#define LINES_TOLD 60    /* of them at most, for each of job, conversation and line */
#define LINE_BYTES 168

struct event {
    int64_t at_us;
    uint64_t order;
    ground_action action;
    void *self;
    uint64_t arg;
};

struct line {
    int64_t at_us;
    struct about about;
    char text[LINE_BYTES];
};

static struct {
    uint64_t seed;
    int64_t now_us;
    struct event *heap;
    size_t count, room;
    uint64_t orders, steps;
    bool ended;
    XXH64_hash_t hash;
    struct line *lines;
    uint64_t line_count;
    bool show;
    uint64_t faults[FAULT_COUNT];
} ground;

/* ---- time ---- */

int64_t now_us(void)
{
    return ground.now_us;
}

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void ground_at(int64_t time_us, ground_action action, void *self, uint64_t arg)
{
    if (ground.count == ground.room) {
        ground.room = ground.room * 2 + 1024;
        ground.heap = realloc(ground.heap, ground.room * sizeof *ground.heap);
        if (ground.heap == NULL)
            abort();
    }
    struct event event = {time_us < ground.now_us ? ground.now_us : time_us, ++ground.orders, action, self, arg};
    size_t at = ground.count++;
    for (; at > 0 && earlier(&event, &ground.heap[(at - 1) / 2]); at = (at - 1) / 2)
        ground.heap[at] = ground.heap[(at - 1) / 2];
    ground.heap[at] = event;
}

void ground_in(int64_t delay_us, ground_action action, void *self, uint64_t arg)
{
    ground_at(ground.now_us + delay_us, action, self, arg);
}

static struct event pop(void)
{
    struct event first = ground.heap[0], last = ground.heap[--ground.count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= ground.count)
            break;
        if (child + 1 < ground.count && earlier(&ground.heap[child + 1], &ground.heap[child]))
            child++;
        if (!earlier(&ground.heap[child], &last))
            break;
        ground.heap[at] = ground.heap[child];
        at = child;
    }
    ground.heap[at] = last;
    return first;
}

void ground_run(int64_t until_us)
{
    while (!ground.ended) {
        ground.steps++;
        if (fiber_run_one())
            continue;
        if (ground.count == 0 || ground.heap[0].at_us > until_us)
            break;
        struct event event = pop();
        ground.now_us = event.at_us;
        event.action(event.self, event.arg);
    }
    if (!ground.ended)
        ground.now_us = until_us;
}

void ground_end(void)
{
    ground.ended = true;
}

bool ground_has_ended(void)
{
    return ground.ended;
}

uint64_t ground_steps(void)
{
    return ground.steps;
}

/* ---- chance ---- */

void ground_begin(uint64_t seed)
{
    ground.seed = seed;
    ground.hash = seed;
    ground.lines = calloc(LINES_KEPT, sizeof *ground.lines);
    if (ground.lines == NULL)
        abort();
}

uint64_t ground_seed(void)
{
    return ground.seed;
}

struct stream stream_of(const char *name)
{
    return (struct stream){XXH64(name, strlen(name), ground.seed * UINT64_C(0x9e3779b97f4a7c15) + 1)};
}

struct stream stream_nth(const char *name, uint64_t number)
{
    struct stream stream = stream_of(name);
    stream.state = XXH64(&number, sizeof number, stream.state);
    return stream;
}

uint64_t draw(struct stream *stream, uint64_t below)
{
    uint64_t x = stream->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return below == 0 ? 0 : x % below;
}

bool chance(struct stream *stream, unsigned per_mille)
{
    return draw(stream, 1000) < per_mille;
}

int64_t draw_delay_us(struct stream *stream, int64_t least_us, int64_t most_us)
{
    uint64_t span = (uint64_t)(most_us - least_us);
    uint64_t shift = draw(stream, 7);
    return least_us + (int64_t)draw(stream, (span >> shift) + 1);
}

/* ---- the trace ---- */

void trace_mix(const void *data, size_t bytes)
{
    ground.hash = XXH64(data, bytes, ground.hash);
}

uint64_t trace_hash(void)
{
    return ground.hash;
}

void trace_show(bool all)
{
    ground.show = all;
}

static void print_line(FILE *out, const struct line *line)
{
    fprintf(out, "  %12.6f %s\n", (double)line->at_us / 1e6, line->text);
}

void note(struct about about, const char *format, ...)
{
    struct line *line = &ground.lines[ground.line_count++ % LINES_KEPT];
    line->at_us = ground.now_us;
    line->about = about;
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(line->text, sizeof line->text, format, values);
    va_end(values);
    trace_mix(&line->at_us, sizeof line->at_us);
    trace_mix(line->text, (size_t)bytes < sizeof line->text ? (size_t)bytes : sizeof line->text - 1);
    if (ground.show)
        print_line(stdout, line);
}

static bool touches(const struct about *line, const struct about *asked)
{
    return (asked->job >= 0 && line->job == asked->job) ||
           (asked->conversation >= 0 && line->conversation == asked->conversation);
}

static bool is_near(const struct about *line, const struct about *asked)
{
    return touches(line, asked) || (asked->line >= 0 && line->line == asked->line && line->job < 0) ||
           (line->job < 0 && line->conversation < 0 && line->line < 0 && asked->line < 0 && asked->job < 0);
}

static void print_last(const char *title, struct about about, bool (*wanted)(const struct about *, const struct about *))
{
    uint64_t first = ground.line_count > LINES_KEPT ? ground.line_count - LINES_KEPT : 0;
    uint64_t at = ground.line_count;
    for (unsigned found = 0; at > first && found < LINES_TOLD;)
        found += wanted(&ground.lines[--at % LINES_KEPT].about, &about);
    fprintf(stderr, "%s:\n", title);
    for (; at < ground.line_count; at++)
        if (wanted(&ground.lines[at % LINES_KEPT].about, &about))
            print_line(stderr, &ground.lines[at % LINES_KEPT]);
}

void breach(const char *promise, struct about about, const char *format, ...)
{
    va_list values;
    fflush(stdout);
    fprintf(stderr, "\nseed %" PRIu64 ", %.6f s, step %" PRIu64 ": %s: ", ground.seed, (double)ground.now_us / 1e6,
            ground.steps, promise);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, "\n");
    if (about.job >= 0 || about.conversation >= 0)
        print_last("what touched the job and its conversation", about, touches);
    print_last("and what went on around it", about, is_near);
    fprintf(stderr, "seed %" PRIu64 " again: make sim SEED=%" PRIu64 "; cut down: make sim SHRINK=%" PRIu64 "\n", ground.seed,
            ground.seed, ground.seed);
    fflush(stderr);
    _exit(2);
}

/* ---- faults ---- */

void fault(enum fault kind)
{
    ground.faults[kind]++;
}

uint64_t fault_count(enum fault kind)
{
    return ground.faults[kind];
}

const char *fault_name(enum fault kind)
{
    static const char *const names[FAULT_COUNT] = {
#define X(name, text) [FAULT_##name] = (text),
        FAULTS(X)
#undef X
    };
    return names[kind];
}
