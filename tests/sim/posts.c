/* posts.c — see posts.h. */
#include "tests/sim/posts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/view.h"
#include "lineward/json.h"
#include "tests/sim/desk.h"
#include "tests/sim/ground.h"
#include "tests/sim/house.h"

#define PRODUCERS_MAX 8
#define JOBS_MAX      16

struct post {
    bool used, offered;
    uint64_t id, token;
    size_t count, missing;
    struct frame jobs[JOBS_MAX];
    cJSON *results;
    void (*answered)(void *self, uint64_t id, const cJSON *results);
    void *self;
};

static struct post posts[PRODUCERS_MAX];
static struct stream delays;
static bool begun;

static void forget(struct post *post)
{
    cJSON_Delete(post->results); /* the jobs may still be lent */
    *post = (struct post){.used = false};
}

static void arrives(void *self, uint64_t id)
{
    struct post *post = self;
    if (post->used && post->id == id)
        house_poke();
}

static int64_t delay_us(void)
{
    if (!begun)
        delays = stream_of("posts");
    begun = true;
    return draw_delay_us(&delays, 100, 300 * US_MS);
}

void posts_send(unsigned producer, const struct frame *jobs, size_t count, uint64_t id,
                void (*answered)(void *self, uint64_t id, const cJSON *results), void *self)
{
    struct post *post = &posts[producer];
    assert(producer < PRODUCERS_MAX && count <= JOBS_MAX);
    forget(post);
    *post = (struct post){.used = true, .id = id, .count = count, .missing = count, .answered = answered, .self = self};
    post->results = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        char *copy = malloc(jobs[i].bytes + 1);
        assert(copy != NULL);
        memcpy(copy, jobs[i].data, jobs[i].bytes);
        copy[jobs[i].bytes] = '\0';
        post->jobs[i] = (struct frame){copy, jobs[i].bytes};
        cJSON_AddItemToArray(post->results, cJSON_CreateNull());
    }
    fault(FAULT_ENQUEUED_OVER_HTTP);
    ground_in(delay_us(), arrives, post, id);
}

/* ---- the answer ---- */

static void comes_back(void *self, uint64_t id)
{
    struct post *post = self;
    if (!post->used || post->id != id || post->missing > 0)
        return;
    post->answered(post->self, id, post->results);
    if (post->id == id) /* else it has sent the next one by now */
        forget(post);
}

/* Takes `text` over. */
static void put_result(struct post *post, uint32_t index, struct json_out *text)
{
    cJSON *result = json_parse(text->text, text->bytes, NULL);
    json_out_free(text);
    if (index >= post->count || result == NULL || !cJSON_IsNull(cJSON_GetArrayItem(post->results, (int)index)))
        breach("form", NOBODY_ABOUT, "a result that no job of the request waits for");
    cJSON_ReplaceItemInArray(post->results, (int)index, result);
    if (--post->missing == 0)
        ground_in(delay_us(), comes_back, post, post->id);
}

static struct post *post_of(uint64_t token)
{
    for (size_t i = 0; i < PRODUCERS_MAX; i++)
        if (posts[i].used && posts[i].offered && posts[i].token == token)
            return &posts[i];
    return NULL;
}

static void refuse(void *self, uint64_t token, uint32_t index, const struct error_view *error)
{
    struct json_out out = {0};
    (void)self;
    (void)token;
    view_refused(&out, (struct span){NULL, 0}, error);
    put_result(self, index, &out);
}

bool posts_serve(const struct admin_shell *shell, struct instant now, struct effects *out)
{
    for (size_t i = 0; i < PRODUCERS_MAX; i++) {
        struct post *post = &posts[i];
        if (!post->used || post->offered)
            continue;
        post->offered = true;
        post->token = desk_token();
        const struct admin_enqueue ask = {
            .token = post->token, .jobs = post->jobs, .count = post->count, .refuse = refuse, .refuse_self = post};
        shell->enqueue(shell->self, &ask, now, out);
        return true;
    }
    return false;
}

bool posts_effect(const struct effect *effect)
{
    struct post *post = effect->kind == EFFECT_ENQUEUED ? post_of(effect->token) : NULL;
    struct json_out out = {0};
    if (post == NULL)
        return effect->kind == EFFECT_ENQUEUED; /* who asked is gone */
    view_enqueued(&out, (struct span){NULL, 0}, effect);
    put_result(post, effect->index, &out);
    return true;
}

void posts_broker_down(void)
{
    for (size_t i = 0; i < PRODUCERS_MAX; i++)
        forget(&posts[i]);
}
