/* stage.h — where a demo plays: a temporary folder with the configuration and the keys, and ports that were free. */
#ifndef LINEWARD_DEMO_STAGE_H
#define LINEWARD_DEMO_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/demo/plan.h"

#define STAGE_PATH_MAX 512
#define STAGE_URL_MAX  96
#define STAGE_API_KEY  "demo-key"
#define STAGE_SECRET   "whsec_ZGVtby1zZWNyZXQtZGVtby1zZWNyZXQtZGVtbw=="
#define STAGE_CONFIG   "lineward.yaml"

enum stage_port { PORT_PRODUCERS, PORT_WORKERS, PORT_EVENTS, PORT_WEBHOOKS, PORT_ADMIN, PORT_COUNT };

struct stage {
    char folder[STAGE_PATH_MAX / 2]; /* "": not made yet */
    unsigned ports[PORT_COUNT];
};

struct stage_problem {
    char text[STAGE_PATH_MAX + 128];
};

/* Makes the folder under TMPDIR or /tmp and picks the broker's ports. False: *problem says. */
bool stage_make(struct stage *stage, struct stage_problem *problem);
/* Writes what broker and workers read, for a provider at `base_url`. False: *problem says. */
bool stage_configure(const struct stage *stage, const struct plan *plan, const char *base_url,
                     struct stage_problem *problem);
/* Removes the folder with all that is in it. */
void stage_remove(struct stage *stage);

/* The path of `name` in the folder; an address of the broker ("tcp", "http"). Both return `out`. */
const char *stage_path(const struct stage *stage, const char *name, char out[STAGE_PATH_MAX]);
const char *stage_url(const struct stage *stage, const char *scheme, enum stage_port port, char out[STAGE_URL_MAX]);

#endif
