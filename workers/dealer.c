/* dealer.c — see dealer.h. */
#include "dealer.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#define FRAME_BYTES_MAX  (1024 * 1024) /* a job as leased is at most 256 KiB and what the broker adds */
#define RECONNECT_MIN_MS 100
#define RECONNECT_MAX_MS 2000
#define Z85_KEY_TEXT     41 /* with its terminator */

static bool set_curve(void *dealer, const char *secret_key, const char *broker_key)
{
    char public_key[Z85_KEY_TEXT];
    return secret_key == NULL || (zmq_curve_public(public_key, secret_key) == 0 &&
                                  zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, secret_key, Z85_KEY_TEXT) == 0 &&
                                  zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, public_key, Z85_KEY_TEXT) == 0 &&
                                  zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, broker_key, Z85_KEY_TEXT) == 0);
}

static void set_number(void *dealer, int option, int value)
{
    zmq_setsockopt(dealer, option, &value, sizeof value);
}

void *dealer_open(void *zmq, const char *endpoint, const char *secret_key, const char *broker_key)
{
    int64_t frame_max = FRAME_BYTES_MAX;
    void *dealer = zmq_socket(zmq, ZMQ_DEALER);
    if (dealer == NULL)
        return NULL;
    set_number(dealer, ZMQ_LINGER, 0);
    set_number(dealer, ZMQ_IMMEDIATE, 1);
    set_number(dealer, ZMQ_RECONNECT_IVL, RECONNECT_MIN_MS);
    set_number(dealer, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    set_number(dealer, ZMQ_TCP_KEEPALIVE, 1);
    zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    if (set_curve(dealer, secret_key, broker_key) && zmq_connect(dealer, endpoint) == 0)
        return dealer;
    int why = errno;
    zmq_close(dealer);
    errno = why;
    return NULL;
}

int dealer_fd(void *dealer)
{
    int fd = -1;
    size_t bytes = sizeof fd;
    return zmq_getsockopt(dealer, ZMQ_FD, &fd, &bytes) == 0 ? fd : -1;
}

int dealer_events(void *dealer)
{
    int events = 0;
    size_t bytes = sizeof events;
    return zmq_getsockopt(dealer, ZMQ_EVENTS, &events, &bytes) == 0 ? events : 0;
}
