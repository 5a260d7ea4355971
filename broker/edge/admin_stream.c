/* admin_stream.c — see admin_stream.h. */
#include "broker/edge/admin_stream.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/view.h"
#include "lineward/clock.h"

#define TAG_SHIFT   56
#define SLOT_BITS   6
#define CHUNK_BYTES 16384
#define FULL_LOOK_MS 50
#define FIRST_WORDS "retry: 2000\n: events follow\n\n" /* so that the head goes out at once */
#define HEARTBEAT   ": nothing new\n\n" /* more than a few bytes: curl takes less than one a second for silence */
_Static_assert(STREAMS_MAX <= 1u << SLOT_BITS, "a slot is part of the token");

struct stream {
    struct streams *all;
    bool used; /* the owner's, as what follows */
    uint64_t told;
    char *name, *topic, *pools;
    bool mask_handles, again;
    int64_t heartbeat_ms, moved_ms; /* steady: when it last took something, or had nothing to take */
    int64_t ask_at_ms;              /* steady: not before */
    uint64_t taken_seen;
    /* both threads', under the mutex */
    struct MHD_Connection *connection;
    struct json_out text;
    size_t sent;    /* of the text */
    uint64_t taken; /* bytes in all */
    bool suspended, ending, left;
};

struct streams {
    struct lookup *lookup;
    pthread_mutex_t mutex;
    struct stream slots[STREAMS_MAX];
    unsigned used, turn; /* whose question is next */
    uint64_t generation;
    struct stream *asking; /* one at a time */
    uint64_t token;
    int64_t next_ms;
};

/* ---- the HTTP thread's side ---- */

static ssize_t read_stream(void *self, uint64_t position, char *out, size_t room)
{
    struct stream *stream = self;
    (void)position;
    pthread_mutex_lock(&stream->all->mutex);
    size_t bytes = stream->text.bytes - stream->sent;
    if (bytes > room)
        bytes = room;
    ssize_t result = (ssize_t)bytes;
    if (bytes > 0) {
        memcpy(out, stream->text.text + stream->sent, bytes);
        stream->sent += bytes;
        stream->taken += bytes;
    } else if (stream->ending) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    if (stream->sent == stream->text.bytes) {
        json_out_clear(&stream->text);
        stream->sent = 0;
    }
    pthread_mutex_unlock(&stream->all->mutex);
    return result;
}

struct MHD_Response *stream_response(struct stream *stream, struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK_BYTES, read_stream, stream, NULL);
    if (response == NULL)
        return NULL;
    pthread_mutex_lock(&stream->all->mutex);
    stream->connection = connection;
    pthread_mutex_unlock(&stream->all->mutex);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    return response;
}

void stream_left(struct stream *stream)
{
    struct streams *all = stream->all;
    pthread_mutex_lock(&all->mutex);
    stream->left = true;
    stream->connection = NULL;
    stream->suspended = false;
    pthread_mutex_unlock(&all->mutex);
}

/* ---- the owner's side ---- */

struct streams *streams_new(struct lookup *lookup)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL)
        return NULL;
    streams->lookup = lookup;
    streams->next_ms = TIME_NEVER;
    pthread_mutex_init(&streams->mutex, NULL);
    return streams;
}

static void clear(struct stream *stream)
{
    struct streams *all = stream->all;
    free(stream->name);
    free(stream->topic);
    free(stream->pools);
    json_out_free(&stream->text);
    *stream = (struct stream){.all = all};
}

void streams_free(struct streams **streams_p)
{
    struct streams *streams = *streams_p;
    if (streams == NULL)
        return;
    *streams_p = NULL;
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        clear(&streams->slots[i]);
    pthread_mutex_destroy(&streams->mutex);
    free(streams);
}

/* Under the mutex, as the next one. */
static void put(struct stream *stream, const char *text, size_t bytes)
{
    stream->text.comma = false; /* it is no JSON */
    json_put_raw(&stream->text, text, bytes);
}

static void wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->connection);
}

static void say(struct stream *stream, const char *text)
{
    pthread_mutex_lock(&stream->all->mutex);
    if (!stream->ending)
        put(stream, text, strlen(text));
    wake(stream);
    pthread_mutex_unlock(&stream->all->mutex);
}

/* The last thing that it is told. */
static void end(struct stream *stream, const char *why, uint64_t oldest)
{
    char text[512], more[48] = "";
    if (oldest > 0)
        snprintf(more, sizeof more, ",\"oldest\":%" PRIu64, oldest);
    snprintf(text, sizeof text, "event: error\ndata: {\"error\":{\"code\":\"%s\",\"message\":\"%s\"%s}}\n\n",
             code_name(oldest > 0 ? CODE_NOT_FOUND : CODE_BUSY), why, more);
    pthread_mutex_lock(&stream->all->mutex);
    if (!stream->ending)
        put(stream, text, strlen(text));
    stream->ending = true;
    wake(stream);
    pthread_mutex_unlock(&stream->all->mutex);
}

void streams_end(struct streams *streams, const char *why)
{
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        if (streams->slots[i].used)
            end(&streams->slots[i], why, 0);
}

bool streams_own(uint64_t token)
{
    return token >> TAG_SHIFT == STREAM_TOKEN_TAG;
}

/* What still waits to be sent; ends what takes nothing, and frees what is left. */
static size_t look_after(struct stream *stream, struct instant now)
{
    struct streams *all = stream->all;
    pthread_mutex_lock(&all->mutex);
    size_t waits = stream->text.bytes - stream->sent;
    bool moved = waits == 0 || stream->taken != stream->taken_seen || stream->connection == NULL;
    bool over = stream->left && all->asking != stream;
    bool failed = stream->text.failed;
    stream->taken_seen = stream->taken;
    pthread_mutex_unlock(&all->mutex);
    if (over) {
        clear(stream);
        all->used--;
        return SIZE_MAX;
    }
    if (moved)
        stream->moved_ms = now.mono_ms;
    if (failed)
        end(stream, "out of memory; go on from the last id", 0);
    else if (now.mono_ms - stream->moved_ms >= STREAM_STUCK_MS)
        end(stream, "you read too slowly; go on from the last id", 0);
    else if (now.mono_ms >= stream->heartbeat_ms && waits == 0)
        say(stream, HEARTBEAT);
    if (now.mono_ms >= stream->heartbeat_ms)
        stream->heartbeat_ms = now.mono_ms + STREAM_HEARTBEAT_MS;
    return waits;
}

static bool copy_text(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static unsigned count_of(const struct streams *streams, const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        count += streams->slots[i].used && strcmp(streams->slots[i].name, name) == 0;
    return count;
}

struct stream *stream_open(struct streams *streams, const struct stream_ask *ask, struct instant now)
{
    unsigned at = 0;
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        if (streams->slots[i].used)
            look_after(&streams->slots[i], now);
    while (at < STREAMS_MAX && streams->slots[at].used)
        at++;
    if (at == STREAMS_MAX || count_of(streams, ask->name) >= STREAMS_OF_NAME_MAX)
        return NULL;
    struct stream *stream = &streams->slots[at];
    *stream = (struct stream){.all = streams,
                              .told = ask->after,
                              .mask_handles = ask->mask_handles,
                              .again = true,
                              .heartbeat_ms = now.mono_ms + STREAM_HEARTBEAT_MS,
                              .moved_ms = now.mono_ms};
    put(stream, FIRST_WORDS, sizeof FIRST_WORDS - 1);
    if (!copy_text(&stream->name, ask->name) || !copy_text(&stream->topic, ask->topic) ||
        !copy_text(&stream->pools, ask->pools) || stream->text.failed) {
        clear(stream);
        return NULL;
    }
    stream->used = true;
    streams->used++;
    return stream;
}

static void ask(struct streams *streams, struct stream *stream, struct instant now)
{
    streams->token = (uint64_t)STREAM_TOKEN_TAG << TAG_SHIFT | (++streams->generation & UINT32_MAX);
    struct lookup_request request = {.token = streams->token,
                                     .what = LOOKUP_EVENTS,
                                     .now = now,
                                     .pools = stream->pools,
                                     .mask_handles = stream->mask_handles,
                                     .topic = stream->topic,
                                     .after = stream->told,
                                     .limit = STREAM_PAGE};
    if (lookup_submit(streams->lookup, &request) != ERR_NONE)
        return; /* the queue is full: once more at the next turn */
    stream->again = false;
    stream->ask_at_ms = now.mono_ms + LOOKUP_AGAIN_MS; /* if this one fails */
    streams->asking = stream;
}

void streams_turn(struct streams *streams, uint64_t next_seq, bool durable_moved, struct instant now)
{
    if (streams->used == 0) {
        streams->next_ms = TIME_NEVER;
        return;
    }
    struct stream *next = NULL;
    streams->next_ms = now.mono_ms + STREAM_HEARTBEAT_MS;
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &streams->slots[(streams->turn + i) % STREAMS_MAX];
        size_t waits = stream->used ? look_after(stream, now) : SIZE_MAX;
        if (waits == SIZE_MAX)
            continue;
        stream->again = stream->again || (durable_moved && stream->told + 1 < next_seq);
        if (stream->heartbeat_ms < streams->next_ms)
            streams->next_ms = stream->heartbeat_ms;
        bool full = waits >= STREAM_BUFFER_BYTES;
        if (full) /* nobody says when it has room again */
            streams->next_ms = now.mono_ms + FULL_LOOK_MS;
        bool asks = stream->again && !full && !stream->ending && !stream->left;
        if (asks && now.mono_ms < stream->ask_at_ms)
            streams->next_ms = time_sooner(streams->next_ms, stream->ask_at_ms);
        else if (asks && next == NULL)
            next = stream;
    }
    if (next == NULL || streams->asking != NULL)
        return;
    streams->turn = (unsigned)(next - streams->slots + 1) % STREAMS_MAX;
    ask(streams, next, now);
}

int64_t streams_next_mono_ms(const struct streams *streams)
{
    return streams->next_ms;
}

/* What a producer wrote may be broken into lines, between its JSON's words only: there a blank says the same. */
static void put_on_one_line(struct stream *stream, const char *text, size_t bytes)
{
    size_t from = stream->text.bytes;
    put(stream, text, bytes);
    for (size_t i = from; !stream->text.failed && i < stream->text.bytes; i++)
        if (stream->text.text[i] == '\n' || stream->text.text[i] == '\r')
            stream->text.text[i] = ' ';
}

/* Under the mutex. */
static void put_event(struct stream *stream, const char *text, size_t bytes)
{
    char head[96];
    const struct span event = {text, bytes};
    struct span seq = view_member(event, "seq");
    struct span topic = view_member(event, "topic");
    if (seq.bytes == 0 || topic.bytes < 2)
        return;
    snprintf(head, sizeof head, "id: %.*s\nevent: %.*s\ndata: ", (int)seq.bytes, (const char *)seq.data,
             (int)topic.bytes - 2, (const char *)topic.data + 1);
    put(stream, head, strlen(head));
    put_on_one_line(stream, text, bytes);
    put(stream, "\n\n", 2);
}

static void put_page(struct stream *stream, const struct lookup_answer *answer)
{
    size_t from = 0;
    pthread_mutex_lock(&stream->all->mutex);
    bool open = !stream->left && !stream->ending; /* it may have ended since it was asked */
    for (size_t i = 0; open && i < answer->item_count; i++) {
        put_event(stream, answer->text.text + from, answer->items[i].bytes);
        from += answer->items[i].bytes;
    }
    if (answer->item_count > 0)
        wake(stream);
    pthread_mutex_unlock(&stream->all->mutex);
}

void streams_looked_up(struct streams *streams, struct lookup_answer *answer)
{
    struct stream *stream = streams->asking;
    if (stream != NULL && answer->token == streams->token) {
        streams->asking = NULL;
        if (answer->err == ERR_GONE)
            end(stream, "events this old are no longer kept; go on from `oldest`", answer->oldest);
        else if (answer->err != ERR_NONE)
            stream->again = true;
        else
            put_page(stream, answer);
        if (answer->err == ERR_NONE)
            stream->ask_at_ms = 0;
        if (answer->err == ERR_NONE && answer->next > stream->told) {
            stream->told = answer->next;
            stream->again = true; /* until nothing more comes */
        }
        streams->next_ms = 0; /* the others' turn */
    }
    lookup_answer_free(answer);
}
