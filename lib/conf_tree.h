/* conf_tree.h — inside lib/: YAML text as a small tree with line numbers, every size bounded. Anchors, aliases and
 * tags are refused: nothing in our file needs them, and they are what makes YAML explode. */
#ifndef LINEWARD_CONF_TREE_H
#define LINEWARD_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lineward/conf.h"

#define CONF_BYTES_MAX    (4u * 1024 * 1024)
#define CONF_DEPTH_MAX    16
#define CONF_NODES_MAX    400000
#define CONF_SHOWN_MAX    64           /* of a value in a problem, with its end */
#define CONF_LINE_SET     0            /* not from the file, but from --set */
#define CONF_LINE_DEFAULT ((size_t)-1) /* from the table */

enum conf_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct conf_node {
    enum conf_node_kind kind;
    size_t line;              /* from 1, or one of the two below */
    char *text;               /* scalars */
    bool quoted;              /* then "" and "null" are texts, not the absence of one */
    struct conf_node **items; /* lists: the items; maps: name, value, name, value ... */
    size_t count, room;       /* of items[] */
};

/* Parses one document; *out is NULL for an empty one. Scalars hold no zero byte, no map has a name twice.
 * ERR_BAD_INPUT: *problem says "NAME:LINE: what". Free with conf_node_free(). */
enum err conf_tree_parse(struct conf_node **out, const char *text, size_t bytes, const char *name,
                         struct conf_problem *problem);

/* A scalar of its own (CONF_LINE_SET); NULL: out of memory. */
struct conf_node *conf_node_scalar(const char *text, bool quoted);
struct conf_node *conf_node_map(void);
void conf_node_free(struct conf_node **node_p);
/* Says of a node and all in it where it comes from. */
void conf_node_set_line(struct conf_node *node, size_t line);

/* The value as a problem may show it, for problems go to logs: no control bytes, no whole number, not too long. */
const char *conf_node_shown(const struct conf_node *node, char out[CONF_SHOWN_MAX]);

/* Is it nothing: absent, empty, `~` or `null`? */
static inline bool conf_node_is_null(const struct conf_node *node)
{
    if (node == NULL)
        return true;
    if (node->kind != NODE_SCALAR || node->quoted)
        return false;
    return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}
/* The value of `name` in a map, NULL if there is none (or `map` is no map). */
struct conf_node *conf_node_get(const struct conf_node *map, const char *name);
/* Sets `name` in `map` to `value`, which it takes (also on failure), in place of what was there. */
enum err conf_node_set(struct conf_node *map, const char *name, struct conf_node *value);

#endif
