/* dealer.h — a DEALER to one broker, with the options that the worker relies on.
 *
 * ZMQ_IMMEDIATE: nothing is queued for a broker that is not there, so that the socket is writable exactly while there
 * is a connection (with CURVE: an authenticated one), and a broker that has just started hears nothing old. */
#ifndef LINEWARD_DEALER_H
#define LINEWARD_DEALER_H

/* `secret_key` and `broker_key` in Z85, or NULL: no CURVE. Begins to connect and goes on trying by itself. NULL:
 * errno says; EINVAL is an endpoint or a key that cannot be. Release with zmq_close(). */
void *dealer_open(void *zmq, const char *endpoint, const char *secret_key, const char *broker_key);

/* Becomes readable when dealer_events() may have changed, once a change (ZMQ_FD): ask after every use. */
int dealer_fd(void *dealer);
int dealer_events(void *dealer); /* ZMQ_POLLIN, ZMQ_POLLOUT */

#endif
