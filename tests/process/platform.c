/* platform.c — see platform.h. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lineward/json.h"
#include "lineward/signature.h"

#define BODY_BYTES_MAX 65536

struct request {
    char *body;
    size_t bytes;
};

void platform_open(struct platform *platform, const struct rig *rig, const char *name, const char *secret)
{
    *platform = (struct platform){.secret = secret, .port = rig_free_port()};
    platform->program.name = "platform";
    MUST(snprintf(platform->taken, sizeof platform->taken, "%s/%s.taken", rig->folder, name) > 0 &&
             snprintf(platform->program.log, sizeof platform->program.log, "%s/%s.log", rig->folder, name) > 0,
         "no name");
    platform->shared =
        mmap(NULL, sizeof *platform->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(platform->shared != MAP_FAILED, "%s", strerror(errno));
}

/* ---- the process ---- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool is_signed(const struct platform *platform, struct MHD_Connection *connection,
                      const struct request *request)
{
    struct webhook_secret secret;
    return webhook_secret_parse(platform->secret, &secret) &&
           signature_verify(&secret, 1, header(connection, "webhook-id"), header(connection, "webhook-timestamp"),
                            header(connection, "webhook-signature"), request->body, request->bytes,
                            (int64_t)time(NULL)) == SIGNATURE_GOOD;
}

/* One write, so that a kill leaves whole lines. */
static void take(const struct platform *platform, const char *id, const struct request *request)
{
    char line[256];
    cJSON *body = json_parse(request->body, request->bytes, NULL);
    const cJSON *event = json_get(body, "data");
    int64_t seq = 0;
    const char *job = json_string(event, "job");
    const char *own = json_string(event, "id");
    const char *type = json_string(body, "type");
    const char *topic = json_string(event, "topic");
    bool same = type != NULL && topic != NULL && strcmp(type, topic) == 0;
    int bytes = snprintf(line, sizeof line, "%lld %s %s %s %.63s\n", json_int(event, "seq", &seq) ? (long long)seq : 0,
                         id, job != NULL ? job : "-", same ? topic : "no_type", own != NULL ? own : "-");
    int file = open(platform->taken, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0 || write(file, line, (size_t)bytes) != bytes)
        _exit(3);
    close(file);
    cJSON_Delete(body);
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *header_name,
                              const char *value, size_t bytes)
{
    static char text[1 << 20];
    struct MHD_Response *response = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_PERSISTENT);
    if (header_name != NULL)
        MHD_add_response_header(response, header_name, value);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static ssize_t no_more(void *self, uint64_t at, char *out, size_t room)
{
    (void)self, (void)at, (void)out, (void)room;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static enum MHD_Result answer_half(struct MHD_Connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_callback(100, 100, no_more, NULL, NULL);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static enum platform_mood mood_now(const struct platform *platform)
{
    enum platform_mood mood = (enum platform_mood)atomic_load(&platform->shared->mood);
    if (mood != PLATFORM_ROUGH)
        return mood;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned chance = (unsigned)(now.tv_nsec / 1000) % 100;
    return chance < 10 ? PLATFORM_FAILS : chance < 12 ? PLATFORM_HANGS : chance < 18 ? PLATFORM_CUTS : PLATFORM_GOOD;
}

static void wait_for_the_other_end(struct MHD_Connection *connection)
{
    struct pollfd file = {.events = POLLRDHUP};
    file.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    poll(&file, 1, 10000);
}

static enum MHD_Result judge(const struct platform *platform, struct MHD_Connection *connection,
                             const struct request *request)
{
    enum platform_mood mood = mood_now(platform);
    const char *id = header(connection, "webhook-id");
    if (!is_signed(platform, connection, request))
        return answer(connection, 401, NULL, NULL, 2);
    if (mood == PLATFORM_GOOD || mood == PLATFORM_CUTS || mood == PLATFORM_TALKS ||
        mood == PLATFORM_STOPS)
        take(platform, id, request);
    switch (mood) {
    case PLATFORM_FAILS:
        return answer(connection, 500, NULL, NULL, 2);
    case PLATFORM_BUSY:
        return answer(connection, 503, "Retry-After", "7", 2);
    case PLATFORM_GONE:
        return answer(connection, 410, NULL, NULL, 2);
    case PLATFORM_ELSEWHERE:
        return answer(connection, 307, "Location", platform->elsewhere, 2);
    case PLATFORM_TALKS:
        return answer(connection, 200, NULL, NULL, 1 << 20);
    case PLATFORM_HANGS:
        wait_for_the_other_end(connection);
        return MHD_NO;
    case PLATFORM_CUTS:
        return MHD_NO;
    case PLATFORM_STOPS:
        return answer_half(connection);
    default:
        return answer(connection, 200, NULL, NULL, 2);
    }
}

static enum MHD_Result serve(void *self, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *data, size_t *bytes, void **state)
{
    const struct platform *platform = self;
    struct request *request = *state;
    (void)url, (void)method, (void)version;
    if (request == NULL) {
        *state = calloc(1, sizeof *request);
        int now = atomic_fetch_add(&platform->shared->at_once, 1) + 1;
        atomic_fetch_add(&platform->shared->requests, 1);
        if (now > atomic_load(&platform->shared->at_once_max))
            atomic_store(&platform->shared->at_once_max, now);
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    if (*bytes == 0)
        return judge(platform, connection, request);
    char *body = request->bytes + *bytes > BODY_BYTES_MAX ? NULL : realloc(request->body, request->bytes + *bytes);
    if (body == NULL)
        return MHD_NO;
    memcpy(body + request->bytes, data, *bytes);
    request->body = body;
    request->bytes += *bytes;
    *bytes = 0;
    return MHD_YES;
}

static void completed(void *self, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    const struct platform *platform = self;
    struct request *request = *state;
    (void)connection, (void)code;
    if (request == NULL)
        return;
    atomic_fetch_sub(&platform->shared->at_once, 1);
    free(request->body);
    free(request);
}

static int run(void *self)
{
    const struct platform *platform = self;
    atomic_store(&platform->shared->at_once, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(platform->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, platform->port, NULL, NULL,
                         serve, self, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, completed, self,
                         MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (daemon == NULL)
        return 2;
    for (;;)
        pause();
}

void platform_start(struct platform *platform)
{
    program_fork(&platform->program, run, platform);
}

void platform_kill(struct platform *platform)
{
    program_kill(&platform->program);
}

/* ---- what it took ---- */

struct taken *platform_taken(const struct platform *platform, size_t *count)
{
    size_t room = 64;
    struct taken *taken = calloc(room, sizeof *taken);
    FILE *file = fopen(platform->taken, "r");
    *count = 0;
    unsigned long long seq;
    while (file != NULL && taken != NULL) {
        struct taken *one = &taken[*count];
        if (fscanf(file, "%llu %63s %39s %31s %63s", &seq, one->id, one->job, one->topic, one->own) != 5)
            break;
        one->seq = seq;
        if (++*count == room)
            taken = realloc(taken, (room *= 2) * sizeof *taken);
    }
    MUST(taken != NULL, "out of memory");
    if (file != NULL)
        fclose(file);
    return taken;
}

size_t platform_count(const struct platform *platform)
{
    size_t count = 0;
    free(platform_taken(platform, &count));
    return count;
}

bool platform_has(const struct taken *taken, size_t count, uint64_t seq)
{
    for (size_t i = 0; i < count; i++)
        if (taken[i].seq == seq)
            return true;
    return false;
}
