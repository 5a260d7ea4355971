/* conf_tree.c — libyaml's events built into a tree. */
#include "conf_tree.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

void conf_node_free(struct conf_node **node_p)
{
    struct conf_node *node = *node_p;
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++)
        conf_node_free(&node->items[i]); /* depth is bounded by CONF_DEPTH_MAX */
    free(node->items);
    free(node->text);
    free(node);
    *node_p = NULL;
}

void conf_node_set_line(struct conf_node *node, size_t line)
{
    node->line = line;
    for (size_t i = 0; i < node->count; i++)
        conf_node_set_line(node->items[i], line);
}

static struct conf_node *node_new(enum conf_node_kind kind, size_t line)
{
    struct conf_node *node = calloc(1, sizeof *node);
    if (node != NULL) {
        node->kind = kind;
        node->line = line;
    }
    return node;
}

struct conf_node *conf_node_map(void)
{
    return node_new(NODE_MAP, CONF_LINE_SET);
}

struct conf_node *conf_node_scalar(const char *text, bool quoted)
{
    struct conf_node *node = node_new(NODE_SCALAR, CONF_LINE_SET);
    if (node != NULL && (node->text = strdup(text)) == NULL)
        conf_node_free(&node);
    else if (node != NULL)
        node->quoted = quoted;
    return node;
}

const char *conf_node_shown(const struct conf_node *node, char out[CONF_SHOWN_MAX])
{
    static const char cut[] = "...";
    const int room = CONF_SHOWN_MAX - (int)sizeof cut;
    char masked[HANDLE_MAX_BYTES + 1];
    if (node->kind != NODE_SCALAR)
        return node->kind == NODE_LIST ? "a list" : "a map";
    const char *text = node->text;
    if (e164_is_valid(text)) {
        handle_mask(text, masked);
        text = masked;
    }
    snprintf(out, CONF_SHOWN_MAX, "%.*s%s", room, text, strlen(text) > (size_t)room ? cut : "");
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return out;
}

/* Takes `item`, also on failure. */
static enum err append(struct conf_node *node, struct conf_node *item)
{
    if (node->count == node->room) {
        size_t room = node->room == 0 ? 8 : node->room * 2;
        struct conf_node **items = realloc(node->items, room * sizeof(struct conf_node *));
        if (items == NULL) {
            conf_node_free(&item);
            return ERR_NO_MEMORY;
        }
        node->items = items;
        node->room = room;
    }
    node->items[node->count++] = item;
    return ERR_NONE;
}

struct conf_node *conf_node_get(const struct conf_node *map, const char *name)
{
    if (map == NULL || map->kind != NODE_MAP)
        return NULL;
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        if (strcmp(map->items[i]->text, name) == 0)
            return map->items[i + 1];
    }
    return NULL;
}

enum err conf_node_set(struct conf_node *map, const char *name, struct conf_node *value)
{
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        if (strcmp(map->items[i]->text, name) == 0) {
            conf_node_free(&map->items[i + 1]);
            map->items[i + 1] = value;
            return ERR_NONE;
        }
    }
    struct conf_node *key = conf_node_scalar(name, true);
    enum err err = key == NULL ? ERR_NO_MEMORY : append(map, key);
    if (err != ERR_NONE) {
        conf_node_free(&value);
        return err;
    }
    err = append(map, value);
    if (err != ERR_NONE) /* the name went in alone: take it out again, `value` is gone already */
        conf_node_free(&map->items[--map->count]);
    return err;
}

/* Building */

struct builder {
    const char *name;
    struct conf_problem *problem;
    struct conf_node *root;
    struct conf_node *open[CONF_DEPTH_MAX];
    size_t depth, nodes;
    bool has_document;
};

static enum err refuse(struct builder *b, size_t line, const char *what)
{
    snprintf(b->problem->text, sizeof b->problem->text, "%s:%zu: %s", b->name, line, what);
    return ERR_BAD_INPUT;
}

static int name_compare(const void *a, const void *b)
{
    const struct conf_node *left = *(const struct conf_node *const *)a;
    const struct conf_node *right = *(const struct conf_node *const *)b;
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : left->line < right->line ? -1 : left->line > right->line;
}

/* Sorted, so that a map of very many lines costs no more than reading it. */
static enum err check_names(struct builder *b, const struct conf_node *map)
{
    assert(map != NULL && map->kind == NODE_MAP); /* libyaml closes what it opened */
    size_t count = map->count / 2;
    struct conf_node **names = malloc((count + 1) * sizeof(struct conf_node *));
    if (names == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        names[i] = map->items[2 * i];
    qsort(names, count, sizeof(struct conf_node *), name_compare);
    enum err err = ERR_NONE;
    for (size_t i = 1; i < count && err == ERR_NONE; i++) {
        if (strcmp(names[i - 1]->text, names[i]->text) != 0)
            continue;
        char name[CONF_SHOWN_MAX], what[256];
        snprintf(what, sizeof what, "%s: named twice, first in line %zu", conf_node_shown(names[i], name),
                 names[i - 1]->line);
        err = refuse(b, names[i]->line, what);
    }
    free(names);
    return err;
}

/* Puts a node where it belongs, and opens it if it is a list or a map. */
static enum err place(struct builder *b, struct conf_node *node)
{
    if (node == NULL)
        return ERR_NO_MEMORY;
    size_t line = node->line;
    struct conf_node *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    enum err err = ERR_NONE;
    if (++b->nodes > CONF_NODES_MAX)
        err = refuse(b, line, "too many values");
    else if (node->kind != NODE_SCALAR && b->depth == CONF_DEPTH_MAX)
        err = refuse(b, line, "nested too deeply");
    else if (parent != NULL && parent->kind == NODE_MAP && parent->count % 2 == 0 && node->kind != NODE_SCALAR)
        err = refuse(b, line, "a key must be a word");
    if (err != ERR_NONE) {
        conf_node_free(&node);
        return err;
    }
    if (parent == NULL)
        b->root = node;
    else if ((err = append(parent, node)) != ERR_NONE)
        return err;
    if (node->kind != NODE_SCALAR)
        b->open[b->depth++] = node;
    return ERR_NONE;
}

static enum err place_scalar(struct builder *b, const yaml_event_t *event, size_t line)
{
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, '\0', event->data.scalar.length) != NULL)
        return refuse(b, line, "a zero byte in a value");
    struct conf_node *node = conf_node_scalar(value, event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE);
    if (node != NULL)
        node->line = line;
    return place(b, node);
}

static enum err refuse_extras(struct builder *b, size_t line, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(b, line, "anchors (&name) are not used here");
    if (tag != NULL)
        return refuse(b, line, "tags (!name) are not used here");
    return ERR_NONE;
}

static enum err take_event(struct builder *b, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    enum err err = ERR_NONE;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->has_document)
            return refuse(b, line, "a second document");
        b->has_document = true;
        return ERR_NONE;
    case YAML_ALIAS_EVENT:
        return refuse(b, line, "aliases (*name) are not used here; a value that begins with * needs quotes");
    case YAML_SCALAR_EVENT:
        err = refuse_extras(b, line, event->data.scalar.anchor, event->data.scalar.tag);
        return err != ERR_NONE ? err : place_scalar(b, event, line);
    case YAML_SEQUENCE_START_EVENT:
        err = refuse_extras(b, line, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return err != ERR_NONE ? err : place(b, node_new(NODE_LIST, line));
    case YAML_MAPPING_START_EVENT:
        err = refuse_extras(b, line, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return err != ERR_NONE ? err : place(b, node_new(NODE_MAP, line));
    case YAML_MAPPING_END_EVENT:
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the tree holds the node, open[] only lends it */
        return check_names(b, b->open[--b->depth]);
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return ERR_NONE;
    default:
        return ERR_NONE;
    }
}

static enum err refuse_syntax(struct builder *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return ERR_NO_MEMORY;
    char what[256];
    snprintf(what, sizeof what, "not YAML: %s%s%s", parser->problem != NULL ? parser->problem : "unreadable",
             parser->context != NULL ? ", " : "", parser->context != NULL ? parser->context : "");
    return refuse(b, parser->problem_mark.line + 1, what);
}

enum err conf_tree_parse(struct conf_node **out, const char *text, size_t bytes, const char *name,
                         struct conf_problem *problem)
{
    struct builder b = {.name = name, .problem = problem};
    yaml_parser_t parser;
    if (bytes > CONF_BYTES_MAX)
        return refuse(&b, 1, "the file is too large");
    if (!yaml_parser_initialize(&parser))
        return ERR_NO_MEMORY;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    enum err err = ERR_NONE;
    bool is_end = false;
    while (err == ERR_NONE && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            err = refuse_syntax(&b, &parser);
            break;
        }
        is_end = event.type == YAML_STREAM_END_EVENT;
        err = take_event(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (err != ERR_NONE)
        conf_node_free(&b.root);
    else
        *out = b.root;
    return err;
}
