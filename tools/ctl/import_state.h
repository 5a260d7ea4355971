/* import_state.h — how far an import from the provider has come: a small file, so that it can be taken up again. It is
 * written only after the broker has what came before; so what is read twice is known already, and nothing is left out. */
#ifndef LINEWARDCTL_IMPORT_STATE_H
#define LINEWARDCTL_IMPORT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lineward/ids.h"
#include "lineward/json.h"

#define IMPORT_CURSOR_BYTES_MAX 2048

struct import_state {
    const char *path;           /* lent */
    const char *account, *base_url; /* lent: what the file must be about */
    char line[E164_MAX_BYTES + 1]; /* the line under way; "": none */
    char cursor[IMPORT_CURSOR_BYTES_MAX + 1]; /* of its next page; "": the first */
    cJSON *done; /* an array of lines; NULL before import_state_read() */
};

/* Reads the file; that there is none is a fresh start. False: `problem` says why it cannot be used. */
bool import_state_read(struct import_state *state, char *problem, size_t room);
bool import_state_has(const struct import_state *state, const char *line); /* is this line done? */
/* Goes on: in this line, from this page (NULL: it is done). False: it could not be written, errno says why. */
bool import_state_move(struct import_state *state, const char *line, const char *cursor);
void import_state_remove(const struct import_state *state); /* all is done */
void import_state_free(struct import_state *state);

#endif
