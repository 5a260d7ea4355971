/* conf.c — the configuration file into struct conf: sections and entries walked by the table, defaults where the
 * file says nothing, --set on top. Values are read in conf_value.c, what holds between them in conf_check.c. */
#include "lineward/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_read.h"

#define SECRET_BYTES_MAX 4096

void conf_problem_write(struct conf_reader *reader, const struct conf_node *node, const char *where,
                        const char *format, ...)
{
    char *text = reader->problem->text;
    size_t room = sizeof reader->problem->text;
    int used = 0;
    if (node != NULL && node->line == CONF_LINE_SET)
        used = snprintf(text, room, "--set: %s: ", where);
    else if (node != NULL && node->line != CONF_LINE_DEFAULT)
        used = snprintf(text, room, "%s:%zu: %s: ", reader->name, node->line, where);
    else
        used = snprintf(text, room, "%s: %s: ", reader->name, where);
    if (used < 0 || (size_t)used >= room)
        return;
    va_list values;
    va_start(values, format);
    vsnprintf(text + used, room - (size_t)used, format, values);
    va_end(values);
}

static enum err refuse_unknown(struct conf_reader *reader, const struct conf_node *node, const char *where,
                               const char *const *known, size_t known_count)
{
    char list[400] = "";
    const char *nearest = conf_nearest(node->text, known, known_count);
    if (nearest != NULL)
        return conf_refuse(reader, node, where, "unknown key; did you mean %s?", nearest);
    for (size_t i = 0, used = 0; i < known_count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", known[i]);
    return conf_refuse(reader, node, where, "unknown key; known here: %s", list);
}

static void note_idle(struct conf_whole *whole, const struct conf_key *key, const struct conf_node *node)
{
    if (key->idle == NULL ||
        (key->idle[0] != '\0' && (node->kind != NODE_SCALAR || strcmp(node->text, key->idle) != 0)))
        return;
    for (size_t i = 0; i < whole->idle_count; i++) {
        if (whole->idle[i] == key->path)
            return;
    }
    if (whole->idle_count < CONF_IDLE_MAX)
        whole->idle[whole->idle_count++] = key->path;
}

static enum err check_keys(struct conf_reader *reader, const struct conf_section *section,
                           const struct conf_node *map, const char *where)
{
    for (size_t i = 0; map != NULL && i < map->count; i += 2) {
        const char *known[CONF_KEYS_MAX];
        char key_where[CONF_WHERE_MAX], name[CONF_SHOWN_MAX];
        if (conf_key_find(section, map->items[i]->text) != NULL)
            continue;
        for (size_t k = 0; k < section->key_count; k++)
            known[k] = section->keys[k].name;
        snprintf(key_where, sizeof key_where, "%s.%s", where, conf_node_shown(map->items[i], name));
        return refuse_unknown(reader, map->items[i], key_where, known, section->key_count);
    }
    return ERR_NONE;
}

/* One struct from one map (NULL: all defaults). `where` is "broker" or "policies.default". */
static enum err read_struct(struct conf_reader *reader, const struct conf_section *section,
                            const struct conf_node *map, const char *where, void *base)
{
    if (map != NULL && map->kind != NODE_MAP)
        return conf_refuse(reader, map, where, "keys and values are needed here");
    enum err err = check_keys(reader, section, map, where);
    for (size_t k = 0; err == ERR_NONE && k < section->key_count; k++) {
        const struct conf_key *key = &section->keys[k];
        const struct conf_node *node = conf_node_get(map, key->name);
        char key_where[CONF_WHERE_MAX];
        snprintf(key_where, sizeof key_where, "%s.%s", where, key->name);
        if (!conf_node_is_null(node))
            note_idle(reader->whole, key, node);
        else if (key->is_required && reader->has_file)
            return conf_refuse(reader, node != NULL ? node : map, key_where, "is needed");
        else
            node = reader->fallbacks[section - conf_sections][k];
        if (node != NULL)
            err = conf_value_read(reader, key, node, key_where, base);
    }
    return err;
}

/* All entries of a named section; `default` alone if the file names none. */
static enum err read_entries(struct conf_reader *reader, const struct conf_section *section,
                             const struct conf_node *map)
{
    char *conf = (char *)&reader->whole->conf;
    size_t count = map != NULL && map->count > 0 ? map->count / 2 : 1;
    size_t *out_count = (size_t *)(void *)(conf + section->count_offset);
    if (count > section->entries_max)
        return conf_refuse(reader, map, section->name, "%zu entries, at most %zu are allowed", count,
                           section->entries_max);
    char *entries = calloc(count, section->entry_bytes);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    *(void **)(void *)(conf + section->offset) = entries;
    *out_count = count;
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        const struct conf_node *name = map != NULL && map->count > 0 ? map->items[2 * i] : NULL;
        const struct conf_node *entry = name != NULL ? map->items[2 * i + 1] : NULL;
        const char *text = name != NULL ? name->text : "default";
        char where[CONF_WHERE_MAX];
        if (!name_is_valid(text))
            return conf_refuse(reader, name, section->name, "a name is 1 to 64 of A-Z a-z 0-9 _ . -");
        memcpy(entries + i * section->entry_bytes, text, strlen(text) + 1);
        snprintf(where, sizeof where, "%s.%s", section->name, text);
        err = read_struct(reader, section, conf_node_is_null(entry) ? NULL : entry, where,
                          entries + i * section->entry_bytes);
    }
    return err;
}

static enum err read_section(struct conf_reader *reader, const struct conf_section *section)
{
    const struct conf_node *map = conf_node_get(reader->root, section->name);
    if (conf_node_is_null(map))
        map = NULL;
    if (map != NULL && map->kind != NODE_MAP)
        return conf_refuse(reader, map, section->name, "keys and values are needed here");
    if (section->is_named)
        return read_entries(reader, section, map);
    return read_struct(reader, section, map, section->name, (char *)&reader->whole->conf + section->offset);
}

static enum err check_sections(struct conf_reader *reader)
{
    const char *known[CONF_SECTION_COUNT];
    for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
        known[i] = conf_sections[i].name;
    for (size_t i = 0; i < reader->root->count; i += 2) {
        const struct conf_node *name = reader->root->items[i];
        char where[CONF_SHOWN_MAX];
        if (conf_section_find(name->text) != NULL)
            continue;
        return refuse_unknown(reader, name, conf_node_shown(name, where), known, CONF_SECTION_COUNT);
    }
    return ERR_NONE;
}

/* The table's defaults as nodes, so that one way of reading serves the file and the table. */
static enum err make_fallbacks(struct conf_reader *reader)
{
    enum err err = ERR_NONE;
    for (size_t s = 0; s < CONF_SECTION_COUNT; s++) {
        for (size_t k = 0; err == ERR_NONE && k < conf_sections[s].key_count; k++) {
            const char *text = conf_sections[s].keys[k].fallback;
            struct conf_node **node = &reader->fallbacks[s][k];
            if (text != NULL && *text == '[')
                err = conf_tree_parse(node, text, strlen(text), "default", reader->problem);
            else if (text != NULL && (*node = conf_node_scalar(text, false)) == NULL)
                err = ERR_NO_MEMORY;
            if (*node != NULL)
                conf_node_set_line(*node, CONF_LINE_DEFAULT);
        }
    }
    return err;
}

/* --set */

static bool takes_yaml(enum conf_type type)
{
    return type == TYPE_INT_LIST || type == TYPE_RISING_LIST || type == TYPE_ENDPOINT_LIST ||
           type == TYPE_OUTCOME_HOSTS || type == TYPE_TOPICS || type == TYPE_LINES || type == TYPE_QUIET_HOURS;
}

static enum err set_value(struct conf_reader *reader, const struct conf_key *key, const char *path, const char *text,
                          struct conf_node **out)
{
    const struct conf_node nowhere = {.line = CONF_LINE_SET};
    bool is_yaml = key != NULL && takes_yaml(key->type);
    enum err err = ERR_NONE;
    if (is_yaml)
        err = conf_tree_parse(out, text, strlen(text), "--set", reader->problem);
    if (err == ERR_BAD_INPUT)
        return conf_refuse(reader, &nowhere, path, "not a list as [1, 2] nor a map as {name: 1}");
    if (err == ERR_NONE && *out == NULL && (*out = conf_node_scalar(is_yaml ? "" : text, false)) == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_NONE)
        conf_node_set_line(*out, CONF_LINE_SET);
    return err;
}

/* The map under `name`, made if it is not there or empty. */
static enum err open_map(struct conf_node *parent, const char *name, struct conf_node **out)
{
    struct conf_node *map = conf_node_get(parent, name);
    if (conf_node_is_null(map)) {
        struct conf_node *fresh = conf_node_map();
        enum err err = fresh == NULL ? ERR_NO_MEMORY : conf_node_set(parent, name, fresh);
        if (err != ERR_NONE)
            return err;
        map = fresh;
    }
    *out = map;
    return ERR_NONE;
}

/* A name that the file does not have is a slip, but for the `default` that stands where it names none. */
static enum err open_entry(struct conf_reader *reader, struct conf_node *section, const char *path, const char *entry,
                           struct conf_node **out)
{
    const struct conf_node nowhere = {.line = CONF_LINE_SET};
    bool is_known = section->count == 0 ? strcmp(entry, "default") == 0 : conf_node_get(section, entry) != NULL;
    if (!is_known)
        return conf_refuse(reader, &nowhere, path, "the file has no entry of that name");
    return open_map(section, entry, out);
}

static enum err apply_set(struct conf_reader *reader, struct conf_node *root, const char *set)
{
    const struct conf_node nowhere = {.line = CONF_LINE_SET};
    char path[CONF_WHERE_MAX];
    size_t bytes = strcspn(set, "=");
    if (set[bytes] == '\0' || bytes == 0 || bytes >= sizeof path)
        return conf_refuse(reader, &nowhere, "option", "SECTION.KEY=VALUE is needed");
    snprintf(path, sizeof path, "%.*s", (int)bytes, set);
    char parts[CONF_WHERE_MAX];
    memcpy(parts, path, bytes + 1);
    char *first_dot = strchr(parts, '.');
    const struct conf_section *section = NULL;
    if (first_dot != NULL) {
        *first_dot = '\0';
        section = conf_section_find(parts);
    }
    if (section == NULL)
        return conf_refuse(reader, &nowhere, path,
                           "unknown key: SECTION.KEY=VALUE or SECTION.NAME.KEY=VALUE is needed");
    char *key = first_dot + 1;
    char *entry = NULL;
    if (section->is_named) { /* names may hold dots, keys do not */
        char *last_dot = strrchr(key, '.');
        if (last_dot == NULL)
            return conf_refuse(reader, &nowhere, path, "SECTION.NAME.KEY=VALUE is needed");
        *last_dot = '\0';
        entry = key;
        key = last_dot + 1;
    }
    struct conf_node *map = NULL;
    enum err err = open_map(root, section->name, &map);
    if (err == ERR_NONE && map->kind == NODE_MAP && entry != NULL)
        err = open_entry(reader, map, path, entry, &map);
    if (err != ERR_NONE || map->kind != NODE_MAP)
        return err; /* no map: read_section() or read_struct() will say so */
    struct conf_node *value = NULL;
    if ((err = set_value(reader, conf_key_find(section, key), path, set + bytes + 1, &value)) != ERR_NONE)
        return err;
    return conf_node_set(map, key, value);
}

static enum err read_root(struct conf_reader *reader, struct conf_node *root, const char *const *sets,
                          size_t set_count)
{
    enum err err = ERR_NONE;
    if (root->kind != NODE_MAP)
        return conf_refuse(reader, root, "file", "keys and values are needed here");
    for (size_t i = 0; i < set_count; i++) {
        if ((err = apply_set(reader, root, sets[i])) != ERR_NONE)
            return err;
    }
    reader->root = root;
    if ((err = check_sections(reader)) != ERR_NONE || (err = make_fallbacks(reader)) != ERR_NONE)
        return err;
    for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
        if ((err = read_section(reader, &conf_sections[i])) != ERR_NONE)
            return err;
    }
    return conf_check(reader);
}

static void reader_clear(struct conf_reader *reader)
{
    for (size_t s = 0; s < CONF_SECTION_COUNT; s++) {
        for (size_t k = 0; k < CONF_KEYS_MAX; k++)
            conf_node_free(&reader->fallbacks[s][k]);
    }
    free(reader->seen);
}

/* `text` NULL: there is no file. */
static enum err parse(struct conf **out, const char *text, size_t bytes, const char *name, const char *folder,
                      const char *const *sets, size_t set_count, struct conf_problem *problem)
{
    struct conf_reader reader = {.name = name, .folder = folder, .has_file = text != NULL, .problem = problem};
    struct conf_node *root = NULL;
    enum err err = ERR_NO_MEMORY;
    snprintf(problem->text, sizeof problem->text, "%s: out of memory", name);
    if ((reader.whole = calloc(1, sizeof *reader.whole)) == NULL)
        return ERR_NO_MEMORY;
    if (text != NULL && (err = conf_tree_parse(&root, text, bytes, name, problem)) != ERR_NONE)
        goto done;
    if (conf_node_is_null(root)) { /* nothing but comments: all defaults */
        conf_node_free(&root);
        err = ERR_NO_MEMORY;
        if ((root = conf_node_map()) == NULL)
            goto done;
    }
    err = read_root(&reader, root, sets, set_count);
done:
    conf_node_free(&root);
    reader_clear(&reader);
    struct conf *conf = &reader.whole->conf;
    if (err == ERR_NONE)
        *out = conf;
    else
        conf_free(&conf);
    return err;
}

/* Absolute form of `folder` (NULL or "": where the process is). Free with free(). */
static char *absolute(const char *folder)
{
    char *here = NULL, *whole = NULL;
    if (folder != NULL && folder[0] == '/')
        return strdup(folder);
    if ((here = getcwd(NULL, 0)) == NULL)
        return NULL;
    if (folder == NULL || *folder == '\0' || strcmp(folder, ".") == 0)
        return here;
    if (asprintf(&whole, "%s/%s", strcmp(here, "/") == 0 ? "" : here, folder) < 0)
        whole = NULL;
    free(here);
    return whole;
}

enum err conf_parse(struct conf **out, const char *text, size_t bytes, const char *name, const char *folder,
                    const char *const *sets, size_t set_count, struct conf_problem *problem)
{
    char *whole = absolute(folder);
    if (whole == NULL) {
        snprintf(problem->text, sizeof problem->text, "%s: cannot tell the folder: %s", name, strerror(errno));
        return ERR_IO;
    }
    enum err err = parse(out, text, bytes, name, whole, sets, set_count, problem);
    free(whole);
    return err;
}

/* At most `max` bytes of a file, which is closed; NULL: errno says (EFBIG: more than that). Free with free(). */
static char *read_whole(int fd, size_t max, size_t *out_bytes)
{
    char *text = fd >= 0 ? malloc(max + 1) : NULL;
    size_t bytes = 0;
    ssize_t got = text != NULL ? 1 : -1;
    while (got > 0 && bytes <= max) {
        got = read(fd, text + bytes, max + 1 - bytes);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            bytes += (size_t)got;
    }
    int why = got < 0 ? errno : bytes > max ? EFBIG : 0;
    if (fd >= 0)
        close(fd);
    if (why != 0) {
        free(text);
        errno = why;
        return NULL;
    }
    *out_bytes = bytes;
    return text;
}

static void keep_text(struct conf *conf, char *text, size_t bytes)
{
    struct conf_whole *whole = (struct conf_whole *)(void *)conf;
    whole->text = realloc(text, bytes + 1); /* there was room for the longest */
    if (whole->text == NULL)
        whole->text = text;
    whole->text_bytes = bytes;
}

const char *conf_file_text(const struct conf *conf, size_t *bytes)
{
    const struct conf_whole *whole = (const struct conf_whole *)(const void *)conf;
    *bytes = whole->text_bytes;
    return whole->text;
}

enum err conf_load(struct conf **out, const char *path, const char *const *sets, size_t set_count,
                   struct conf_problem *problem)
{
    if (path == NULL)
        return conf_parse(out, NULL, 0, "defaults", NULL, sets, set_count, problem);
    return conf_load_from(out, open(path, O_RDONLY | O_CLOEXEC), path, sets, set_count, problem);
}

enum err conf_load_from(struct conf **out, int fd, const char *path, const char *const *sets, size_t set_count,
                        struct conf_problem *problem)
{
    size_t bytes = 0;
    char *text = read_whole(fd, CONF_BYTES_MAX, &bytes);
    if (text == NULL) {
        snprintf(problem->text, sizeof problem->text, "%.300s: %s", path, strerror(errno));
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup("") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    enum err err = ERR_NO_MEMORY;
    snprintf(problem->text, sizeof problem->text, "%.300s: out of memory", path);
    if (folder != NULL)
        err = conf_parse(out, text, bytes, path, folder, sets, set_count, problem);
    free(folder);
    if (err == ERR_NONE)
        keep_text(*out, text, bytes);
    else
        free(text);
    return err;
}

static void free_struct(const struct conf_section *section, void *base)
{
    for (size_t k = 0; k < section->key_count; k++)
        conf_value_free(&section->keys[k], base);
}

void conf_free(struct conf **conf_p)
{
    if (*conf_p == NULL)
        return;
    char *conf = (char *)*conf_p;
    for (size_t s = 0; s < CONF_SECTION_COUNT; s++) {
        const struct conf_section *section = &conf_sections[s];
        if (!section->is_named) {
            free_struct(section, conf + section->offset);
            continue;
        }
        char *entries = *(char **)(void *)(conf + section->offset);
        size_t count = *(size_t *)(void *)(conf + section->count_offset);
        for (size_t i = 0; i < count; i++)
            free_struct(section, entries + i * section->entry_bytes);
        free(entries);
    }
    free(((struct conf_whole *)(void *)conf)->text);
    free(conf);
    *conf_p = NULL;
}

size_t conf_idle_keys(const struct conf *conf, const char *const **names)
{
    const struct conf_whole *whole = (const struct conf_whole *)(const void *)conf;
    *names = whole->idle;
    return whole->idle_count;
}

char *conf_read_secret(const char *path)
{
    size_t bytes = 0;
    char *text = read_whole(open(path, O_RDONLY | O_CLOEXEC), SECRET_BYTES_MAX, &bytes);
    if (text == NULL)
        return NULL;
    text[bytes] = '\0';
    size_t first = strspn(text, " \t");
    size_t length = strcspn(text + first, "\r\n");
    while (length > 0 && strchr(" \t", text[first + length - 1]) != NULL)
        length--;
    if (length == 0) {
        free(text);
        errno = EINVAL;
        return NULL;
    }
    memmove(text, text + first, length);
    explicit_bzero(text + length, SECRET_BYTES_MAX + 1 - length);
    return text;
}
