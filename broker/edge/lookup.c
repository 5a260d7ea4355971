/* lookup.c — the queue between the owner's thread and the readers, and the readers. */
#include "broker/edge/lookup.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/edge/lookup_conversation.h"
#include "broker/edge/lookup_job.h"
#include "broker/edge/lookup_page.h"

#define READERS_MAX  8
#define READERS_NICE 10 /* who looks things up waits for those who send */

struct entry {
    struct entry *next;
    struct lookup_request request; /* its texts and jobs are ours */
    struct lookup_answer answer;
};

struct list {
    struct entry *first, **last;
};

struct lookup {
    struct archive archive;
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    struct list waiting, done; /* under the mutex, as is all below */
    size_t taken;              /* requests not collected yet */
    bool stopping;
    int wake_fd;
    unsigned readers;
    pthread_t threads[READERS_MAX];
};

static void list_add(struct list *list, struct entry *entry)
{
    entry->next = NULL;
    *list->last = entry;
    list->last = &entry->next;
}

static struct entry *list_take(struct list *list)
{
    struct entry *entry = list->first;
    if (entry == NULL)
        return NULL;
    list->first = entry->next;
    if (list->first == NULL)
        list->last = &list->first;
    return entry;
}

void lookup_answer_free(struct lookup_answer *answer)
{
    json_out_free(&answer->text);
    free(answer->items);
    free(answer->letters);
    *answer = (struct lookup_answer){0};
}

static void entry_free(struct entry *entry)
{
    if (entry == NULL)
        return;
    free((char *)entry->request.pools);
    free((char *)entry->request.to);
    free((char *)entry->request.pool);
    free((char *)entry->request.topic);
    free((char *)entry->request.topics);
    free((char *)entry->request.recipients);
    free((char *)entry->request.code);
    free((char *)entry->request.by);
    free(entry->request.jobs);
    free(entry->request.conversations);
    lookup_answer_free(&entry->answer);
    free(entry);
}

/* ---- readers ---- */

static enum err render_jobs(const struct archive *archive, const struct lookup_request *request,
                            struct lookup_answer *answer)
{
    for (size_t i = 0; i < request->job_count; i++) {
        enum err err;
        if (request->bytes_max != 0 && answer->text.bytes >= request->bytes_max)
            break;
        struct lookup_item item = job_item(archive, request, &request->jobs[i], &answer->text, &err);
        if (err != ERR_NONE)
            return err;
        answer->items[answer->item_count++] = item;
    }
    return ERR_NONE;
}

static enum err render_conversations(const struct archive *archive, const struct lookup_request *request,
                                     struct lookup_answer *answer)
{
    for (size_t i = 0; i < request->conversation_count; i++) {
        enum err err;
        struct lookup_item item =
            conversation_item(archive, request, &request->conversations[i], &answer->text, &err);
        if (err != ERR_NONE)
            return err;
        answer->items[answer->item_count++] = item;
    }
    return ERR_NONE;
}

static size_t items_of(const struct lookup_request *request)
{
    if (request->what == LOOKUP_JOBS)
        return request->job_count;
    return request->what == LOOKUP_CONVERSATIONS ? request->conversation_count : request->limit;
}

static void answer_request(const struct archive *archive, const struct lookup_request *request,
                           struct lookup_answer *answer)
{
    size_t room = items_of(request);
    answer->token = request->token;
    answer->err = ERR_NO_MEMORY;
    answer->items = calloc(room + 1, sizeof *answer->items);
    if (answer->items == NULL)
        return;
    if (request->what == LOOKUP_JOBS)
        answer->err = render_jobs(archive, request, answer);
    else if (request->what == LOOKUP_CONVERSATIONS)
        answer->err = render_conversations(archive, request, answer);
    else if (request->what == LOOKUP_EVENTS)
        answer->err = lookup_events(archive, request, answer);
    else if (request->what == LOOKUP_ENDED)
        answer->err = lookup_ended(archive, request, answer);
    else if (request->what == LOOKUP_AUDIT)
        answer->err = lookup_audit(archive, request, answer);
    else
        answer->err = lookup_dead(archive, request, answer);
    if (answer->err == ERR_NONE && answer->text.failed)
        answer->err = ERR_NO_MEMORY;
}

static void *reader_run(void *self)
{
    struct lookup *lookup = self;
    int nicer = nice(READERS_NICE); /* on Linux of this thread alone */
    (void)nicer;                    /* it is as good without */
    pthread_mutex_lock(&lookup->mutex);
    while (!lookup->stopping) {
        struct entry *entry = list_take(&lookup->waiting);
        if (entry == NULL) {
            pthread_cond_wait(&lookup->arrived, &lookup->mutex);
            continue;
        }
        pthread_mutex_unlock(&lookup->mutex);
        answer_request(&lookup->archive, &entry->request, &entry->answer);
        pthread_mutex_lock(&lookup->mutex);
        list_add(&lookup->done, entry);
        eventfd_write(lookup->wake_fd, 1);
    }
    pthread_mutex_unlock(&lookup->mutex);
    return NULL;
}

/* ---- the owner's side ---- */

enum err lookup_open(struct lookup **out, const struct archive *archive, unsigned threads)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return ERR_NO_MEMORY;
    lookup->archive = *archive;
    lookup->waiting.last = &lookup->waiting.first;
    lookup->done.last = &lookup->done.first;
    pthread_mutex_init(&lookup->mutex, NULL);
    pthread_cond_init(&lookup->arrived, NULL);
    lookup->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool ok = lookup->wake_fd >= 0;
    while (ok && lookup->readers < threads && lookup->readers < READERS_MAX) {
        ok = pthread_create(&lookup->threads[lookup->readers], NULL, reader_run, lookup) == 0;
        lookup->readers += ok;
    }
    if (!ok) {
        lookup_close(&lookup);
        return ERR_IO;
    }
    *out = lookup;
    return ERR_NONE;
}

void lookup_close(struct lookup **lookup_p)
{
    struct lookup *lookup = *lookup_p;
    if (lookup == NULL)
        return;
    *lookup_p = NULL;
    pthread_mutex_lock(&lookup->mutex);
    lookup->stopping = true;
    pthread_cond_broadcast(&lookup->arrived);
    pthread_mutex_unlock(&lookup->mutex);
    for (unsigned i = 0; i < lookup->readers; i++)
        pthread_join(lookup->threads[i], NULL);
    for (struct entry *entry; (entry = list_take(&lookup->waiting)) != NULL;)
        entry_free(entry);
    for (struct entry *entry; (entry = list_take(&lookup->done)) != NULL;)
        entry_free(entry);
    pthread_cond_destroy(&lookup->arrived);
    pthread_mutex_destroy(&lookup->mutex);
    if (lookup->wake_fd >= 0)
        close(lookup->wake_fd);
    free(lookup);
}

int lookup_fd(const struct lookup *lookup)
{
    return lookup->wake_fd;
}

static bool copy_text(const char **text)
{
    if (*text == NULL)
        return true;
    *text = strdup(*text);
    return *text != NULL;
}

static bool copy_texts(struct lookup_request *request)
{
    const struct lookup_request given = *request;
    request->pools = request->to = request->pool = request->topic = request->topics = request->recipients = request->code =
        request->by = NULL;
    struct {
        const char **to, *from;
    } const texts[] = {
        {&request->pools, given.pools},
        {&request->to, given.to},
        {&request->pool, given.pool},
        {&request->topic, given.topic},
        {&request->topics, given.topics},
        {&request->recipients, given.recipients},
        {&request->code, given.code},
        {&request->by, given.by},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof texts / sizeof *texts; i++) {
        *texts[i].to = texts[i].from;
        ok = copy_text(texts[i].to);
    }
    return ok;
}

enum err lookup_submit(struct lookup *lookup, const struct lookup_request *request)
{
    bool of_given = request->what == LOOKUP_JOBS || request->what == LOOKUP_CONVERSATIONS ||
                    (request->what == LOOKUP_LETTERS && request->job_count > 0);
    if (request->job_count > LOOKUP_JOBS_MAX || request->conversation_count > LOOKUP_JOBS_MAX)
        return ERR_BAD_INPUT;
    if (!of_given && (request->limit == 0 || request->limit > LOOKUP_EVENTS_MAX))
        return ERR_BAD_INPUT;
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return ERR_NO_MEMORY;
    entry->request = *request;
    entry->request.jobs = NULL; /* the caller's until the request is taken */
    entry->request.conversations = NULL;
    if (!copy_texts(&entry->request)) {
        entry_free(entry);
        return ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&lookup->mutex);
    bool room = lookup->taken < LOOKUP_QUEUE_MAX;
    if (room) {
        entry->request.jobs = request->jobs;
        entry->request.conversations = request->conversations;
        lookup->taken++;
        list_add(&lookup->waiting, entry);
        pthread_cond_signal(&lookup->arrived);
    }
    pthread_mutex_unlock(&lookup->mutex);
    if (!room)
        entry_free(entry);
    return room ? ERR_NONE : ERR_BUSY;
}

bool lookup_collect(struct lookup *lookup, struct lookup_answer *out)
{
    eventfd_t count;
    pthread_mutex_lock(&lookup->mutex);
    struct entry *entry = list_take(&lookup->done);
    if (entry != NULL)
        lookup->taken--;
    if (lookup->done.first == NULL)
        (void)eventfd_read(lookup->wake_fd, &count); /* emptied with the list, under its mutex */
    pthread_mutex_unlock(&lookup->mutex);
    if (entry == NULL)
        return false;
    *out = entry->answer;
    entry->answer = (struct lookup_answer){0};
    entry_free(entry);
    return true;
}

/* ---- names of jobs ---- */

static bool producer_id(const char *text, char out[PRODUCER_ID_MAX_BYTES + 1])
{
    if (!producer_id_is_valid(text))
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

bool job_ref_parse(const char *text, struct job_ref *out)
{
    struct job_ref ref = {.pool = "default"};
    bool ok;
    const char *slash = strchr(text, '/');
    if (slash == NULL && strncmp(text, "j_", 2) == 0) {
        ok = job_number_parse(text, &ref.number) && ref.number != 0;
    } else if (slash == NULL) {
        ok = producer_id(text, ref.id);
    } else { /* a pool's name may begin with j_ as well */
        size_t bytes = (size_t)(slash - text);
        if (bytes > NAME_MAX_BYTES)
            return false;
        memcpy(ref.pool, text, bytes);
        ref.pool[bytes] = '\0';
        ok = name_is_valid(ref.pool) && producer_id(slash + 1, ref.id);
    }
    if (ok)
        *out = ref;
    return ok;
}
