/* estimates.c — see estimates.h. A wait is counted from the moment at which the view was asked for, on the wall clock
 * that all programs of a demo share. */
#include "tools/demo/estimates.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "tools/demo/web.h"

#define IDLE_MS     5
#define WORD_MAX    32
#define GAP_STRETCH 1.1 /* a gap of the pace is up to a tenth longer */

enum asked { NOT_ASKED, SAID, UNKNOWN, GONE_BEFORE };

struct said {
    char job[WORD_MAX], reason[WORD_MAX], unknown[WORD_MAX], line[PLAN_TEXT_MAX];
    enum asked asked;
    int64_t asked_ms, wait_ms, turn_ms; /* turn: between two sends of one of the lines that it waited for */
    int64_t ahead;
    int64_t went_ms; /* 0: its first request was never seen */
};

struct estimates {
    const struct plan *plan;
    struct web *admin;
    pthread_t thread;
    bool runs;
    atomic_bool stop, begins;
    pthread_mutex_t lock;
    size_t *queue, begun, count; /* in plan->jobs, as acked; begun and count under the lock */
    struct said *said;           /* as plan->jobs */
    struct {
        int64_t at_ms;
        size_t pool;
    } upsets[PLAN_STEPS_MAX];
    size_t upset_count;
};

/* ---- asking ---- */

static void copy_word(char out[WORD_MAX], const char *word)
{
    snprintf(out, WORD_MAX, "%s", word != NULL ? word : "");
}

static void read_view(struct said *said, const cJSON *view)
{
    const cJSON *why = json_get(view, "why"), *queue = json_get(why, "queue");
    const char *state = json_string(view, "state"), *at = json_string(why, "estimated_at");
    const char *line = json_string(view, "line");
    const cJSON *per_min = json_get(queue, "per_min");
    int64_t lines = 0, at_ms = 0;
    snprintf(said->line, sizeof said->line, "%s", line != NULL ? line : "");
    copy_word(said->reason, json_string(why, "reason"));
    copy_word(said->unknown, json_string(why, "estimate_unknown"));
    json_int(queue, "lines", &lines);
    json_int(queue, "ahead", &said->ahead);
    if (cJSON_IsNumber(per_min) && per_min->valuedouble > 0)
        said->turn_ms = (int64_t)(60000 * (double)lines * GAP_STRETCH / per_min->valuedouble);
    bool waits = state != NULL && (strcmp(state, "queued") == 0 || strcmp(state, "held") == 0);
    if (!waits)
        said->asked = GONE_BEFORE;
    else if (at != NULL && time_parse(at, &at_ms))
        said->asked = SAID;
    else
        said->asked = UNKNOWN;
    said->wait_ms = at_ms > said->asked_ms ? at_ms - said->asked_ms : 0;
}

/* False: no answer; the broker may be dead on purpose. */
static bool ask(struct estimates *estimates, struct said *said)
{
    char path[64];
    cJSON *view = NULL;
    snprintf(path, sizeof path, "/v1/jobs/%s", said->job);
    said->asked_ms = clock_read().wall_ms;
    bool answered = web_call(estimates->admin, "GET", path, NULL, &view) == 200 && view != NULL;
    if (answered)
        read_view(said, view);
    cJSON_Delete(view);
    return answered;
}

static struct said *next(struct estimates *estimates)
{
    struct said *said = NULL;
    pthread_mutex_lock(&estimates->lock);
    if (estimates->begun < estimates->count)
        said = &estimates->said[estimates->queue[estimates->begun]];
    pthread_mutex_unlock(&estimates->lock);
    return said;
}

static void *ask_all(void *self)
{
    struct estimates *estimates = self;
    while (!atomic_load(&estimates->stop)) {
        struct said *said = atomic_load(&estimates->begins) ? next(estimates) : NULL;
        if (said == NULL || !ask(estimates, said)) {
            poll(NULL, 0, IDLE_MS);
            continue;
        }
        pthread_mutex_lock(&estimates->lock);
        estimates->begun++;
        pthread_mutex_unlock(&estimates->lock);
    }
    return NULL;
}

void estimates_ask(struct estimates *estimates, size_t plan_job, const char *job)
{
    if (estimates == NULL || job == NULL)
        return;
    pthread_mutex_lock(&estimates->lock);
    struct said *said = &estimates->said[plan_job];
    if (said->job[0] == '\0') { /* not acked before */
        copy_word(said->job, job);
        estimates->queue[estimates->count++] = plan_job;
    }
    pthread_mutex_unlock(&estimates->lock);
}

/* Signals are main()'s. */
static bool start_thread(struct estimates *estimates)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    estimates->runs = pthread_create(&estimates->thread, NULL, ask_all, estimates) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return estimates->runs;
}

struct estimates *estimates_start(const struct plan *plan, const char *admin_url, const char *token)
{
    struct estimates *estimates = calloc(1, sizeof *estimates);
    if (estimates == NULL)
        return NULL;
    estimates->plan = plan;
    pthread_mutex_init(&estimates->lock, NULL);
    estimates->admin = web_new(admin_url, token);
    estimates->queue = calloc(plan->job_count, sizeof *estimates->queue);
    estimates->said = calloc(plan->job_count, sizeof *estimates->said);
    if (estimates->admin == NULL || estimates->queue == NULL || estimates->said == NULL || !start_thread(estimates))
        estimates_free(&estimates);
    return estimates;
}

void estimates_upset(struct estimates *estimates, size_t pool)
{
    if (estimates == NULL || estimates->upset_count == PLAN_STEPS_MAX)
        return;
    estimates->upsets[estimates->upset_count].at_ms = clock_read().wall_ms;
    estimates->upsets[estimates->upset_count++].pool = pool;
}

void estimates_begin(struct estimates *estimates)
{
    if (estimates != NULL)
        atomic_store(&estimates->begins, true);
}

void estimates_stop(struct estimates *estimates)
{
    if (estimates == NULL || !estimates->runs)
        return;
    atomic_store(&estimates->stop, true);
    pthread_join(estimates->thread, NULL);
    estimates->runs = false;
}

void estimates_free(struct estimates **estimates_p)
{
    struct estimates *estimates = *estimates_p;
    if (estimates == NULL)
        return;
    estimates_stop(estimates);
    web_free(&estimates->admin);
    pthread_mutex_destroy(&estimates->lock);
    free(estimates->queue);
    free(estimates->said);
    free(estimates);
    *estimates_p = NULL;
}

/* ---- when they went ---- */

/* The place in the plan from "#1 care/care-17 Hello …"; plan->job_count: none. */
static size_t plan_job_of(const struct estimates *estimates, const char *text)
{
    const char *dash = text != NULL ? strchr(text, '-') : NULL;
    char *end;
    unsigned long long job = dash != NULL ? strtoull(dash + 1, &end, 10) : estimates->plan->job_count;
    return job < estimates->plan->job_count ? (size_t)job : estimates->plan->job_count;
}

static void take_request(struct estimates *estimates, const char *text, size_t bytes)
{
    cJSON *request = json_parse(text, bytes, NULL);
    const char *type = json_string(request, "type");
    size_t job = type != NULL && strcmp(type, "request") == 0 ? plan_job_of(estimates, json_string(request, "text"))
                                                              : estimates->plan->job_count;
    int64_t at_ms = 0;
    if (job < estimates->plan->job_count && json_int(request, "wall_ms", &at_ms)) {
        int64_t *went_ms = &estimates->said[job].went_ms;
        *went_ms = *went_ms == 0 || at_ms < *went_ms ? at_ms : *went_ms;
    }
    cJSON_Delete(request);
}

static bool read_log(struct estimates *estimates, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    FILE *file = fopen(path, "re");
    while (file != NULL && (bytes = getline(&line, &room, file)) > 0)
        take_request(estimates, line, (size_t)bytes);
    free(line);
    return file != NULL && fclose(file) == 0;
}

/* ---- telling ---- */

static int64_t waited_ms(const struct said *said)
{
    return said->went_ms > said->asked_ms ? said->went_ms - said->asked_ms : 0;
}

static int64_t off_ms(const struct said *said)
{
    int64_t off = waited_ms(said) - said->wait_ms;
    return off < 0 ? -off : off;
}

static void put_details(const struct estimates *estimates, const char *path)
{
    static const char *const words[] = {"not_asked", "said", "unknown", "gone_before"};
    FILE *file = fopen(path, "we");
    for (size_t i = 0; file != NULL && i < estimates->plan->job_count; i++) {
        const struct said *said = &estimates->said[i];
        fprintf(file,
                "%zu %s %s %s %s %s asked %" PRId64 " said %" PRId64 " was %" PRId64 " turn %" PRId64
                " ahead %" PRId64 "\n",
                i, words[said->asked], job_class_name(estimates->plan->jobs[i].class),
                said->line[0] != '\0' ? said->line : "-", said->reason[0] != '\0' ? said->reason : "-",
                said->unknown[0] != '\0' ? said->unknown : "-", said->asked_ms, said->wait_ms,
                said->went_ms == 0 ? -1 : waited_ms(said), said->turn_ms, said->ahead);
    }
    if (file != NULL)
        fclose(file);
}

/* Did something happen between that no view could know of? */
static bool is_upset(const struct estimates *estimates, size_t job)
{
    const struct said *said = &estimates->said[job];
    size_t pool = estimates->plan->conversations[estimates->plan->jobs[job].conversation].pool;
    for (size_t i = 0; i < estimates->upset_count; i++)
        if ((estimates->upsets[i].pool == pool || estimates->upsets[i].pool == PLAN_POOLS) &&
            estimates->upsets[i].at_ms >= said->asked_ms && estimates->upsets[i].at_ms <= said->went_ms)
            return true;
    return false;
}

/* What a row of the table takes in; -1 and NULL: all. */
struct kind {
    const char *words;
    const char *reasons; /* the reason begins so */
    int class;
    bool calm; /* nothing happened meanwhile */
};

static bool is_of(const struct estimates *estimates, size_t job, const struct kind *kind)
{
    const struct said *said = &estimates->said[job];
    if (said->asked != SAID || said->went_ms == 0 || (kind->calm && is_upset(estimates, job)))
        return false;
    if (kind->class >= 0 && estimates->plan->jobs[job].class != (enum job_class)kind->class)
        return false;
    return kind->reasons == NULL || strncmp(said->reason, kind->reasons, strlen(kind->reasons)) == 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Returns the share that went within a fifth. `room` has one place a job. */
static double put_kind(const struct estimates *estimates, const struct kind *kind, int64_t *room, FILE *out)
{
    size_t count = 0, fifth = 0, turn = 0;
    for (size_t i = 0; i < estimates->plan->job_count; i++) {
        const struct said *said = &estimates->said[i];
        if (!is_of(estimates, i, kind))
            continue;
        bool right = off_ms(said) * 5 <= said->wait_ms;
        room[count++] = off_ms(said);
        fifth += right;
        turn += right || off_ms(said) <= said->turn_ms;
    }
    if (count == 0)
        return 0;
    qsort(room, count, sizeof *room, by_size);
    fprintf(out, "  %-40s %6zu %8.1f %% %8.1f %% %8" PRId64 " ms %8" PRId64 " ms\n", kind->words, count,
            100.0 * (double)fifth / (double)count, 100.0 * (double)turn / (double)count, room[count / 2],
            room[count - 1]);
    return (double)fifth / (double)count;
}

/* Those of which nothing was said are not counted as right: nobody knows when. */
static void put_unknown(const struct estimates *estimates, FILE *out)
{
    const struct said *said = estimates->said;
    size_t gone = 0, count = estimates->plan->job_count;
    for (size_t i = 0; i < count; i++) {
        bool told = said[i].asked != UNKNOWN;
        gone += said[i].asked == GONE_BEFORE;
        for (size_t j = 0; j < i && !told; j++)
            told = said[j].asked == UNKNOWN && strcmp(said[j].unknown, said[i].unknown) == 0;
        if (told)
            continue;
        size_t same = 0;
        for (size_t j = i; j < count; j++)
            same += said[j].asked == UNKNOWN && strcmp(said[j].unknown, said[i].unknown) == 0;
        fprintf(out, "  no estimate: %-27s %6zu\n", said[i].unknown, same);
    }
    fprintf(out, "  gone before their view was read          %6zu\n", gone);
}

double estimates_print(struct estimates *estimates, const char *sandbox_log, const char *details, FILE *out)
{
    static const struct kind all = {"all that had an estimate", NULL, -1, false};
    static const struct kind kinds[] = {{"  and nothing happened meanwhile", NULL, -1, true},
                                        {"  waiting for: pace", "pace", -1, false},
                                        {"  waiting for: a ramp", "ramp", -1, false},
                                        {"  waiting for: a budget", "budget", -1, false},
                                        {"  waiting for: its conversation", "conversation", -1, false},
                                        {"  waiting for: a worker", "no_worker", -1, false},
                                        {"  class reply", NULL, CLASS_REPLY, false},
                                        {"  class transactional", NULL, CLASS_TRANSACTIONAL, false},
                                        {"  class followup", NULL, CLASS_FOLLOWUP, false},
                                        {"  class campaign", NULL, CLASS_CAMPAIGN, false}};
    estimates_stop(estimates);
    int64_t *room = calloc(estimates->plan->job_count, sizeof *room);
    if (room == NULL || !read_log(estimates, sandbox_log)) {
        free(room);
        return 0;
    }
    put_details(estimates, details);
    fprintf(out,
            "\nwhat views said when jobs were queued, against when they went\n"
            "  %-40s %6s %10s %10s %11s %11s\n",
            "", "jobs", "within 20%", "or a turn", "median off", "worst");
    double share = put_kind(estimates, &all, room, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        put_kind(estimates, &kinds[i], room, out);
    put_unknown(estimates, out);
    free(room);
    return share;
}
