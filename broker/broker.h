/* broker.h — the wiring: store, core and edges, and the turn that drives them. */
#ifndef LINEWARD_BROKER_H
#define LINEWARD_BROKER_H

#include "broker/feed/feed.h"
#include "lineward/conf.h"
#include "lineward/version.h"

struct broker;

struct broker_options {
    const struct conf *conf;
    struct feed_source source; /* of the configuration, to be read again at SIGHUP; lent for the broker's life */
    char *const *feed_argv; /* how the feed child is started */
    char *const *outcomes_argv; /* and the one that posts outcomes */
};

/* Opens everything. NULL: what failed is in the log. */
struct broker *broker_open(const struct broker_options *options);
/* Runs until TERM or INT (0) or until the store fails (1). */
int broker_run(struct broker *broker);
void broker_close(struct broker **broker_p);

#endif
