/* outcomes_run.c — the child that posts outcomes: one thread, one turn after the other, until the broker lets go. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "broker/outcomes/outcomes_post.h"
#include "lineward/log.h"
#include "lineward/process.h"

#define FILES_MAX   4096
#define WAIT_MS_MAX 60000

struct run {
    int fd;
    struct poster *poster;
    bool ended;  /* no more will come: what is under way is ended */
    bool broken; /* the broker is gone, or does not speak our language */
    uint8_t packet[OUTCOME_PACKET_BYTES_MAX];
};

/* May wait for the broker: who does not hear of results is to be given no more posts either. */
static void tell(void *context, const struct outcome_result *result)
{
    struct run *run = context;
    uint8_t packet[OUTCOME_RESULT_BYTES];
    size_t bytes = outcome_result_encode(result, packet);
    while (!run->broken && send(run->fd, packet, bytes, MSG_NOSIGNAL) < 0)
        run->broken = errno != EINTR;
}

static void listen_to_broker(struct run *run)
{
    while (!run->broken && !run->ended) {
        struct outcome_post post;
        ssize_t got = recv(run->fd, run->packet, sizeof run->packet, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        run->ended = got == 0;
        run->broken = got < 0;
        if (got <= 0)
            return;
        if (outcome_post_decode(run->packet, (size_t)got, &post))
            poster_begin(run->poster, &post, clock_read());
        else
            run->broken = true;
    }
}

static void wait_for_something(struct run *run)
{
    struct curl_waitfd broker = {.fd = run->fd, .events = CURL_WAIT_POLLIN};
    poster_wait(run->poster, &broker, run->ended ? 0 : 1, WAIT_MS_MAX);
}

int outcomes_run(int fd, const struct conf *conf)
{
    process_become_child(FILES_MAX);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return 1;
    run->fd = fd;
    run->poster = poster_open(conf, tell, run);
    if (run->poster == NULL) {
        free(run);
        return 1;
    }
    while (!run->broken && !(run->ended && poster_under_way(run->poster) == 0)) {
        wait_for_something(run);
        listen_to_broker(run);
        poster_step(run->poster);
    }
    int code = run->broken ? 1 : 0;
    poster_close(&run->poster);
    free(run);
    curl_global_cleanup();
    return code;
}
