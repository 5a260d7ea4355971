/* config.c — libyaml's events become the tree that the controls read too, so that a section and a control's body are
 * the same thing. Anchors and tags are refused: nobody needs them here. */
#include "tools/sandbox/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "tools/sandbox/preload.h"
#include "tools/sandbox/sandbox.h"

#define DEPTH_MAX 16
#define FILE_MAX  (16L * 1024 * 1024)

/* ---- reading ---- */

struct reading {
    yaml_parser_t parser;
    char *problem;
    size_t room;
    const char *path;
};

static cJSON *refuse(const struct reading *reading, const char *why)
{
    size_t line = reading->parser.problem_mark.line > reading->parser.mark.line ? reading->parser.problem_mark.line
                                                                                : reading->parser.mark.line;
    snprintf(reading->problem, reading->room, "%s:%zu: %s", reading->path, line + 1, why);
    return NULL;
}

/* As JSON writes numbers: so +12025550101 is none. */
static bool is_number(const char *text)
{
    size_t digits;
    text += *text == '-';
    digits = strspn(text, "0123456789");
    if (digits == 0 || (digits > 1 && text[0] == '0'))
        return false;
    text += digits;
    if (*text == '.') {
        digits = strspn(text + 1, "0123456789");
        text += 1 + digits;
        if (digits == 0)
            return false;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1;
        text += *text == '-' || *text == '+';
        digits = strspn(text, "0123456789");
        text += digits;
        if (digits == 0)
            return false;
    }
    return *text == '\0';
}

static bool has_extras(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    return event->type == YAML_MAPPING_START_EVENT &&
           (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL);
}

static cJSON *scalar_make(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return cJSON_CreateString(text);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return cJSON_CreateBool(text[0] == 't');
    if (text[0] == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return cJSON_CreateNull();
    if (!is_number(text))
        return cJSON_CreateString(text);
    cJSON *number = cJSON_CreateNumber(strtod(text, NULL));
    if (number != NULL)
        number->valuestring = strdup(text); /* cJSON_Delete() frees it */
    return number;
}

static cJSON *value_read(struct reading *reading, const yaml_event_t *event, int depth);

static bool next(struct reading *reading, yaml_event_t *event)
{
    if (yaml_parser_parse(&reading->parser, event) == 0) {
        refuse(reading, reading->parser.problem == NULL ? "no YAML" : reading->parser.problem);
        return false;
    }
    if (!has_extras(event))
        return true;
    snprintf(reading->problem, reading->room, "%s:%zu: anchors (&name) and tags (!name) are not used here",
             reading->path, event->start_mark.line + 1);
    yaml_event_delete(event);
    return false;
}

/* Adds the value that begins with `event` to `into`, under `name` in a mapping. */
static bool value_add(struct reading *reading, const yaml_event_t *event, cJSON *into, const char *name, int depth)
{
    cJSON *value = value_read(reading, event, depth);
    if (value == NULL)
        return false;
    return name == NULL ? cJSON_AddItemToArray(into, value) : cJSON_AddItemToObject(into, name, value);
}

static bool items_read(struct reading *reading, cJSON *into, int depth)
{
    yaml_event_t event;
    for (;;) {
        if (!next(reading, &event))
            return false;
        bool ends = event.type == YAML_SEQUENCE_END_EVENT;
        bool good = ends || value_add(reading, &event, into, NULL, depth);
        yaml_event_delete(&event);
        if (ends || !good)
            return good;
    }
}

static bool member_read(struct reading *reading, cJSON *into, const yaml_event_t *key, int depth)
{
    yaml_event_t event;
    if (key->type != YAML_SCALAR_EVENT)
        return refuse(reading, "a key must be a word") != NULL;
    const char *name = (const char *)key->data.scalar.value;
    if (cJSON_GetObjectItemCaseSensitive(into, name) != NULL)
        return refuse(reading, "the same key twice") != NULL;
    if (!next(reading, &event))
        return false;
    bool good = value_add(reading, &event, into, name, depth);
    yaml_event_delete(&event);
    return good;
}

static bool members_read(struct reading *reading, cJSON *into, int depth)
{
    yaml_event_t key;
    for (;;) {
        if (!next(reading, &key))
            return false;
        bool ends = key.type == YAML_MAPPING_END_EVENT;
        bool good = ends || member_read(reading, into, &key, depth);
        yaml_event_delete(&key);
        if (ends || !good)
            return good;
    }
}

static cJSON *value_read(struct reading *reading, const yaml_event_t *event, int depth)
{
    bool maps = event->type == YAML_MAPPING_START_EVENT;
    if (event->type == YAML_SCALAR_EVENT)
        return scalar_make(event);
    if (depth == DEPTH_MAX || (!maps && event->type != YAML_SEQUENCE_START_EVENT))
        return refuse(reading, "too deep, or an alias: write the value itself");
    cJSON *value = maps ? cJSON_CreateObject() : cJSON_CreateArray();
    if (value != NULL && (maps ? members_read(reading, value, depth + 1) : items_read(reading, value, depth + 1)))
        return value;
    cJSON_Delete(value);
    return NULL;
}

/* The document's one value, which must be a mapping; an empty file is an empty one. */
static cJSON *document_read(struct reading *reading)
{
    cJSON *tree = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next(reading, &event)) {
            cJSON_Delete(tree);
            return NULL;
        }
        bool ends = event.type == YAML_STREAM_END_EVENT, good = true;
        bool holds = event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                     event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT;
        if (holds && (tree != NULL || event.type != YAML_MAPPING_START_EVENT))
            good = refuse(reading, "want one mapping of keys and values") != NULL;
        else if (holds)
            good = (tree = value_read(reading, &event, 0)) != NULL;
        yaml_event_delete(&event);
        if (!good) {
            cJSON_Delete(tree);
            return NULL;
        }
        if (ends)
            return tree == NULL ? cJSON_CreateObject() : tree;
    }
}

/* NULL: errno says why. */
static FILE *file_open(const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    int why = fstat(fileno(file), &about) != 0 ? errno : S_ISDIR(about.st_mode) ? EISDIR : 0;
    if (why == 0 && about.st_size > FILE_MAX)
        why = EFBIG;
    if (why == 0)
        return file;
    fclose(file);
    errno = why;
    return NULL;
}

cJSON *sandbox_config_read(const char *path, char *problem, size_t room)
{
    struct reading reading = {.problem = problem, .room = room, .path = path};
    FILE *file = file_open(path);
    if (file == NULL) {
        snprintf(problem, room, "%s: %s", path, strerror(errno));
        return NULL;
    }
    snprintf(problem, room, "%s: out of memory", path);
    cJSON *tree = NULL;
    if (yaml_parser_initialize(&reading.parser) != 0) {
        yaml_parser_set_input_file(&reading.parser, file);
        tree = document_read(&reading);
        yaml_parser_delete(&reading.parser);
    }
    fclose(file);
    return tree;
}

/* ---- applying ---- */

struct applying {
    struct sandbox *sandbox;
    struct instant now;
};

static const char *faults_apply(const struct applying *to, const cJSON *section)
{
    return faults_set(&to->sandbox->faults, section);
}

static const char *rule_apply(const struct applying *to, const cJSON *section)
{
    return rules_add(&to->sandbox->rules, section);
}

static const char *list_apply(const struct applying *to, const cJSON *section)
{
    return listing_set(&to->sandbox->listing, section);
}

static const char *webhook_faults_apply(const struct applying *to, const cJSON *section)
{
    return sandbox_webhooks_spoil(to->sandbox->webhooks, section);
}

static const char *model_apply(const struct applying *to, const cJSON *section)
{
    return model_run_set(to->sandbox, section, to->now);
}

static const char *preload_apply(const struct applying *to, const cJSON *section)
{
    struct preload_result result;
    return sandbox_preload(to->sandbox->world, section, to->now.wall_ms, &result);
}

static const struct {
    const char *name;
    const char *(*apply)(const struct applying *to, const cJSON *section);
    bool is_list; /* of such sections, or one */
} sections[] = {{"preload", preload_apply, true},
                {"faults", faults_apply, false},
                {"rules", rule_apply, true},
                {"list", list_apply, false},
                {"webhook_faults", webhook_faults_apply, false},
                {"model", model_apply, true}};

bool sandbox_config_is_section(const char *key)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (strcmp(sections[i].name, key) == 0)
            return true;
    }
    return false;
}

static const char *section_apply(const struct applying *to, size_t at, const cJSON *section)
{
    const cJSON *item;
    if (cJSON_IsObject(section))
        return sections[at].apply(to, section);
    if (!cJSON_IsArray(section) || !sections[at].is_list)
        return "(no mapping)";
    cJSON_ArrayForEach(item, section)
    {
        const char *wrong = cJSON_IsObject(item) ? sections[at].apply(to, item) : "(no mapping)";
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

const char *sandbox_config_apply(struct sandbox *sandbox, const cJSON *config, struct instant now, char *where,
                                 size_t room)
{
    const struct applying to = {sandbox, now};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const cJSON *section = json_get(config, sections[i].name);
        const char *wrong = section == NULL ? NULL : section_apply(&to, i, section);
        if (wrong == NULL)
            continue;
        snprintf(where, room, "%s.%.100s", sections[i].name, wrong);
        return where;
    }
    return NULL;
}
