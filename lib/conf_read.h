/* conf_read.h — inside lib/: what reading one file needs to carry along, shared by the parts of conf.c. */
#ifndef LINEWARD_CONF_READ_H
#define LINEWARD_CONF_READ_H

#include "conf_table.h"
#include "conf_tree.h"
#include "lineward/conf.h"

enum { CONF_IDLE_MAX = 64, CONF_WHERE_MAX = 160 };

/* A line and where the file names it: to find those named twice. */
struct conf_line_seen {
    const char *number; /* lent by the pool */
    size_t line;
    size_t pool;
};

/* What conf_load() gives out is the first member; the rest is for conf_idle_keys() and conf_file_text(). */
struct conf_whole {
    struct conf conf;
    char *text; /* of the file; NULL: it was read from memory */
    size_t text_bytes;
    const char *idle[CONF_IDLE_MAX];
    size_t idle_count;
};

struct conf_reader {
    const char *name;   /* of the file, for people */
    const char *folder; /* absolute: where relative paths start */
    bool has_file;
    struct conf_whole *whole;
    struct conf_problem *problem;
    const struct conf_node *root;
    struct conf_node *fallbacks[CONF_SECTION_COUNT][CONF_KEYS_MAX];
    struct conf_line_seen *seen;
    size_t seen_count, seen_room;
};

/* Writes "NAME:LINE: WHERE: what" ("--set: " for what stands there, no line for no node and for defaults). */
void conf_problem_write(struct conf_reader *reader, const struct conf_node *node, const char *where,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same as an answer; a macro, so that every reader of the code sees that it is never ERR_NONE. */
#define conf_refuse(...) (conf_problem_write(__VA_ARGS__), ERR_BAD_INPUT)

/* Reads `node` into the field of `key` in the struct at `base`; `where` names it for people. */
enum err conf_value_read(struct conf_reader *reader, const struct conf_key *key, const struct conf_node *node,
                         const char *where, void *base);
void conf_value_free(const struct conf_key *key, void *base);

/* What no single value shows: references between values, lines, leases, open endpoints. */
enum err conf_check(struct conf_reader *reader);

/* The shapes of addresses. `why`: what would be right. */
bool conf_endpoint_is_valid(const char *text, const char **why);
bool conf_listener_is_valid(const char *text, const char **why); /* an endpoint to listen at */
bool conf_host_port_is_valid(const char *text, const char **why);
bool conf_redis_url_is_valid(const char *text, const char **why);

#endif
