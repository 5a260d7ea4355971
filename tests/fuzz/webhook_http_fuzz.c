/* Requests at the webhook listener, byte for byte, over a connection: whatever comes, it is answered or closed, and only
 * what is signed with the account's secret becomes an event. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/feed/feed_webhooks.h"
#include "fuzz.h"

#define CLOCK_S   INT64_C(1795428005)
#define SECRET    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define STEPS_MAX 2000

static struct {
    struct conf conf;
    struct conf_account account;
    struct feed_notes *notes;
    struct feed_webhooks *hooks;
    struct instant now;
    uint64_t request; /* to be answered; 0: none */
} rig;

static bool emit(void *context, const struct feed_message *message)
{
    if (message->kind == FEED_WEBHOOK) {
        struct feed_buffer buffer = {0};
        fuzz_check(feed_encode(&buffer, message) == ERR_NONE);
        feed_buffer_free(&buffer);
        rig.request = message->webhook.request;
    }
    return true;
}

static void poll_now(void *context, size_t account)
{
    fuzz_check(account == 0);
}

static void rig_open(void)
{
    struct conf_problem problem;
    struct feed_webhooks_options options = {.emit = emit, .poll_now = poll_now, .answer_ms = WEBHOOK_ANSWER_MS};
    fuzz_check(sodium_init() >= 0);
    snprintf(rig.account.name, sizeof rig.account.name, "default");
    rig.account.webhook_secrets_file = strdup(fuzz_file(SECRET, sizeof SECRET - 1));
    rig.conf.accounts = &rig.account;
    rig.conf.account_count = 1;
    rig.conf.broker.webhooks = strdup("127.0.0.1:0");
    rig.now = (struct instant){CLOCK_S * 1000, 1000000};
    rig.notes = options.notes = feed_notes_new(&rig.conf, emit, NULL);
    fuzz_check(feed_webhooks_open(&rig.hooks, &rig.conf, &options, &problem) == ERR_NONE);
}

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)feed_webhooks_port(rig.hooks)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger at_once = {1, 0}; /* no connection waits for its end: there would soon be no port left */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    fuzz_check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    return fd;
}

static void step(void)
{
    rig.request = 0;
    feed_webhooks_step(rig.hooks, rig.now);
    if (rig.request != 0)
        feed_webhooks_answer(rig.hooks, rig.request, rig.request % 5 == 0 ? 503 : 200);
}

/* Until the listener has closed its side. */
static void converse(int fd, const uint8_t *data, size_t bytes)
{
    char heard[4096];
    size_t got = 0;
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        ssize_t sent = bytes > 0 ? send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (sent > 0) {
            data += sent;
            bytes -= (size_t)sent;
        }
        if (bytes == 0 && i == 1)
            shutdown(fd, SHUT_WR);
        step();
        ssize_t there = recv(fd, heard + got, sizeof heard - 1 - got, MSG_DONTWAIT);
        got += there > 0 ? (size_t)there : 0;
        if (there == 0 || (there < 0 && errno != EAGAIN) || got >= sizeof heard - 1)
            break;
    }
    heard[got] = '\0';
    fuzz_check(got == 0 || strncmp(heard, "HTTP/1.", 7) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (rig.hooks == NULL)
        rig_open();
    int fd = dial();
    converse(fd, data, bytes);
    close(fd);
    step();
    step();
    rig.now.mono_ms += 1000;
    feed_notes_step(rig.notes, rig.now);
    return 0;
}
