/* conf_value.c — one value of the tree into one field of struct conf, by the type the table gives it. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_read.h"
#include "lineward/outcome_target.h"

#define TEXT_BYTES_MAX  4096
#define TOPIC_BYTES_MAX 24

/* What is being read: everything a reader of one type needs. */
struct value {
    struct conf_reader *reader;
    const struct conf_key *key;
    const struct conf_node *node;
    const char *where;
    char *base;
};

static void *field(const struct value *v)
{
    return v->base + v->key->offset;
}

static enum err refuse_value(const struct value *v, const struct conf_node *node, const char *right)
{
    char text[CONF_SHOWN_MAX];
    return conf_refuse(v->reader, node, v->where, "%s is not right here: %s", conf_node_shown(node, text), right);
}

static enum err refuse_range(const struct value *v, const struct conf_node *node)
{
    char text[CONF_SHOWN_MAX];
    return conf_refuse(v->reader, node, v->where, "%s is out of range: %.12g to %.12g", conf_node_shown(node, text),
                       v->key->min, v->key->max);
}

static enum err read_int(const struct value *v, const struct conf_node *node, int64_t *out)
{
    const char *text = node->kind == NODE_SCALAR ? node->text : "";
    bool is_negative = *text == '-';
    size_t digits = strspn(text + is_negative, "0123456789");
    if (digits == 0 || text[is_negative + digits] != '\0')
        return refuse_value(v, node, "a whole number");
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0 || (double)value < v->key->min || (double)value > v->key->max)
        return refuse_range(v, node);
    *out = value;
    return ERR_NONE;
}

static enum err read_real(const struct value *v)
{
    const char *text = v->node->kind == NODE_SCALAR ? v->node->text : "";
    char *end = NULL;
    double value = strtod(text, &end);
    bool is_plain = isdigit((unsigned char)*text) && text[strspn(text, "0123456789.eE+-")] == '\0';
    if (!is_plain || *end != '\0' || !isfinite(value))
        return refuse_value(v, v->node, "a number");
    if (value < v->key->min || value > v->key->max)
        return refuse_range(v, v->node);
    *(double *)field(v) = value;
    return ERR_NONE;
}

static enum err read_bool(const struct value *v)
{
    const char *text = v->node->kind == NODE_SCALAR ? v->node->text : "";
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return refuse_value(v, v->node, "true or false");
    *(bool *)field(v) = strcmp(text, "true") == 0;
    return ERR_NONE;
}

/* The place of the value in the key's choices. */
static enum err read_choice(const struct value *v, size_t *out)
{
    const char *text = v->node->kind == NODE_SCALAR ? v->node->text : "";
    size_t bytes = strlen(text), place = 0;
    for (const char *word = v->key->choices; word != NULL; place++) {
        size_t word_bytes = strcspn(word, "|");
        if (word_bytes == bytes && memcmp(word, text, bytes) == 0) {
            *out = place;
            return ERR_NONE;
        }
        word = word[word_bytes] == '|' ? word + word_bytes + 1 : NULL;
    }
    return refuse_value(v, v->node, v->key->choices);
}

static enum err put_text(char **slot, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    free(*slot);
    *slot = copy;
    return ERR_NONE;
}

static enum err read_text(const struct value *v, const struct conf_node *node, const char **out)
{
    if (node->kind != NODE_SCALAR || node->text[0] == '\0')
        return refuse_value(v, node, "a text");
    if (strlen(node->text) > TEXT_BYTES_MAX)
        return refuse_value(v, node, "a shorter text");
    *out = node->text;
    return ERR_NONE;
}

static enum err read_word(const struct value *v)
{
    size_t place = 0;
    enum err err = read_choice(v, &place);
    return err != ERR_NONE ? err : put_text(field(v), v->node->text);
}

static enum err read_name(const struct value *v)
{
    const char *text = NULL;
    enum err err = read_text(v, v->node, &text);
    if (err != ERR_NONE)
        return err;
    if (!name_is_valid(text))
        return refuse_value(v, v->node, "1 to 64 of A-Z a-z 0-9 _ . -");
    return put_text(field(v), text);
}

/* `prefix`, then `text` made absolute. */
static enum err put_path(struct conf_reader *reader, char **slot, const char *prefix, const char *text)
{
    char *path = NULL;
    const char *folder = *text == '/' ? "" : reader->folder;
    if (asprintf(&path, "%s%s%s%s", prefix, folder, *text == '/' || strcmp(folder, "/") == 0 ? "" : "/", text) < 0)
        return ERR_NO_MEMORY;
    free(*slot);
    *slot = path;
    return ERR_NONE;
}

static enum err read_path(const struct value *v)
{
    const char *text = NULL;
    enum err err = read_text(v, v->node, &text);
    return err != ERR_NONE ? err : put_path(v->reader, field(v), "", text);
}

/* ipc paths are paths like any other, but for those of the abstract namespace. */
static enum err put_endpoint(const struct value *v, const struct conf_node *node, char **slot)
{
    const char *text = NULL;
    const char *why = NULL;
    enum err err = read_text(v, node, &text);
    if (err != ERR_NONE)
        return err;
    char *whole = NULL;
    bool is_path = strncmp(text, "ipc://", 6) == 0 && text[6] != '\0' && text[6] != '@';
    err = is_path ? put_path(v->reader, &whole, "ipc://", text + 6) : put_text(&whole, text);
    if (err != ERR_NONE)
        return err;
    if (!conf_endpoint_is_valid(whole, &why)) {
        free(whole);
        return refuse_value(v, node, why);
    }
    free(*slot);
    *slot = whole;
    return ERR_NONE;
}

static enum err read_endpoint(const struct value *v, bool (*is_valid)(const char *text, const char **why))
{
    const char *why = NULL;
    enum err err = put_endpoint(v, v->node, field(v));
    if (err == ERR_NONE && !is_valid(*(char **)field(v), &why))
        return refuse_value(v, v->node, why);
    return err;
}

static enum err read_shaped(const struct value *v, bool (*is_valid)(const char *text, const char **why))
{
    const char *text = NULL;
    const char *why = NULL;
    enum err err = read_text(v, v->node, &text);
    if (err != ERR_NONE)
        return err;
    if (!is_valid(text, &why)) /* not shown: an address may hold a password that should not be there */
        return conf_refuse(v->reader, v->node, v->where, "must be %s", why);
    return put_text(field(v), text);
}

static enum err read_base_url(const struct value *v)
{
    enum err err = read_shaped(v, conf_base_url_is_valid);
    char *url = err == ERR_NONE ? *(char **)field(v) : NULL;
    for (size_t bytes = url != NULL ? strlen(url) : 0; bytes > 0 && url[bytes - 1] == '/'; bytes--)
        url[bytes - 1] = '\0';
    return err;
}

static enum err read_reference(const struct value *v, const void *entries, size_t count, size_t entry_bytes,
                               const char *kind)
{
    const char *text = NULL;
    enum err err = read_text(v, v->node, &text);
    if (err != ERR_NONE)
        return err;
    const char *names[CONF_POLICIES_MAX];
    for (size_t i = 0; i < count; i++) {
        names[i] = (const char *)entries + i * entry_bytes;
        if (strcmp(names[i], text) == 0) {
            *(size_t *)field(v) = i;
            return ERR_NONE;
        }
    }
    char value[CONF_SHOWN_MAX];
    const char *nearest = conf_nearest(text, names, count);
    return conf_refuse(v->reader, v->node, v->where, "there is no %s %s%s%s%s", kind, conf_node_shown(v->node, value),
                       nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "?" : "");
}

/* Is `node` a list of `least` to items_max? */
static enum err check_list(const struct value *v, size_t least)
{
    if (v->node->kind != NODE_LIST)
        return refuse_value(v, v->node, "a list, as [1, 2]");
    if (v->node->count < least || v->node->count > v->key->items_max)
        return conf_refuse(v->reader, v->node, v->where, "a list of %zu to %zu is needed, this has %zu", least,
                           v->key->items_max, v->node->count);
    return ERR_NONE;
}

static enum err read_int_list(const struct value *v, bool must_rise)
{
    enum err err = check_list(v, must_rise ? 1 : 0);
    int64_t *items = field(v);
    for (size_t i = 0; err == ERR_NONE && i < v->node->count; i++) {
        const struct conf_node *item = v->node->items[i];
        err = read_int(v, item, &items[i]);
        if (err == ERR_NONE && must_rise && i > 0 && items[i] <= items[i - 1])
            err = refuse_value(v, item, "each must be above the one before");
    }
    if (err == ERR_NONE)
        *(size_t *)(void *)(v->base + v->key->count_offset) = v->node->count;
    return err;
}

static enum err read_endpoint_list(const struct value *v)
{
    enum err err = check_list(v, 1);
    char **items = field(v);
    for (size_t i = 0; err == ERR_NONE && i < v->node->count; i++)
        err = put_endpoint(v, v->node->items[i], &items[i]);
    if (err == ERR_NONE)
        *(size_t *)(void *)(v->base + v->key->count_offset) = v->node->count;
    return err;
}

static bool is_topics(const char *text, const char **why)
{
    *why = "the begin of topics of a pool's events, as job.sent, job. or pool.";
    size_t bytes = strlen(text);
    return bytes <= TOPIC_BYTES_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz._") == bytes &&
           (strncmp(text, "job.", 4) == 0 || strncmp(text, "pool.", 5) == 0);
}

static enum err read_text_list(const struct value *v, size_t least,
                               bool (*is_valid)(const char *text, const char **why))
{
    enum err err = check_list(v, least);
    char **items = field(v);
    for (size_t i = 0; err == ERR_NONE && i < v->node->count; i++) {
        const char *text = NULL, *why = NULL;
        if ((err = read_text(v, v->node->items[i], &text)) != ERR_NONE)
            return err;
        if (!is_valid(text, &why))
            return refuse_value(v, v->node->items[i], why);
        err = put_text(&items[i], text);
    }
    if (err == ERR_NONE)
        *(size_t *)(void *)(v->base + v->key->count_offset) = v->node->count;
    return err;
}

static bool is_outcome_url(const char *text, const char **why)
{
    struct outcome_target target;
    return outcome_url_parse(text, &target, why);
}

static enum err note_line(const struct value *v, const struct conf_node *number, const char *text, size_t pool)
{
    struct conf_reader *reader = v->reader;
    if (reader->seen_count == reader->seen_room) {
        size_t room = reader->seen_room == 0 ? 64 : reader->seen_room * 2;
        struct conf_line_seen *seen = realloc(reader->seen, room * sizeof *seen);
        if (seen == NULL)
            return ERR_NO_MEMORY;
        reader->seen = seen;
        reader->seen_room = room;
    }
    reader->seen[reader->seen_count++] = (struct conf_line_seen){.number = text, .line = number->line, .pool = pool};
    return ERR_NONE;
}

/* {daily_level: N}, or nothing. */
static enum err read_line_past(const struct value *v, const struct conf_node *past, int64_t *out)
{
    *out = -1;
    if (conf_node_is_null(past))
        return ERR_NONE;
    const struct conf_node *level = conf_node_get(past, "daily_level");
    if (past->kind != NODE_MAP || past->count != 2 || level == NULL)
        return refuse_value(v, past, "{daily_level: NUMBER}");
    return read_int(v, level, out);
}

static enum err read_lines(const struct value *v)
{
    struct conf_pool *pool = (struct conf_pool *)(void *)v->base;
    bool is_map = v->node->kind == NODE_MAP;
    if (v->node->kind == NODE_SCALAR) {
        if (strcmp(v->node->text, "all") != 0)
            return refuse_value(v, v->node, "all, a list of numbers, or a map of them");
        pool->all_lines = true;
        return ERR_NONE;
    }
    size_t count = is_map ? v->node->count / 2 : v->node->count;
    pool->lines = calloc(count + 1, sizeof *pool->lines);
    if (pool->lines == NULL)
        return ERR_NO_MEMORY;
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        const struct conf_node *number = v->node->items[is_map ? 2 * i : i];
        struct conf_pool_line *line = &pool->lines[i];
        if (number->kind != NODE_SCALAR || !e164_is_valid(number->text))
            return conf_refuse(v->reader, number, v->where, "a number in E.164 is needed, as \"+12025550101\"");
        memcpy(line->number, number->text, strlen(number->text) + 1);
        pool->line_count = i + 1;
        err = read_line_past(v, is_map ? v->node->items[2 * i + 1] : NULL, &line->daily_level);
        if (err == ERR_NONE)
            err = note_line(v, number, line->number, (size_t)(pool - v->reader->whole->conf.pools));
    }
    return err;
}

static bool is_hour_minute(const char *text)
{
    return strlen(text) == 5 && text[2] == ':' && isdigit((unsigned char)text[0]) &&
           isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[3]) && isdigit((unsigned char)text[4]) &&
           text[3] <= '5' && (text[0] < '2' || (text[0] == '2' && text[1] <= '3'));
}

static bool is_zone(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t bytes = strlen(text);
    return bytes > 0 && bytes <= 64 && strspn(text, allowed) == bytes && text[0] != '/';
}

/* {from, to, zone}: hours of a day, and the zone they are meant in (`recipient`: the job's own `tz`). */
static enum err read_quiet_hours(const struct value *v)
{
    static const char right[] = "{from: \"21:00\", to: \"08:00\", zone: recipient}";
    struct conf_policy *policy = (struct conf_policy *)(void *)v->base;
    const struct conf_node *from = conf_node_get(v->node, "from");
    const struct conf_node *to = conf_node_get(v->node, "to");
    const struct conf_node *zone = conf_node_get(v->node, "zone");
    size_t known = 2 * ((from != NULL) + (to != NULL) + (zone != NULL));
    if (from == NULL || to == NULL || v->node->count != known || from->kind != NODE_SCALAR || to->kind != NODE_SCALAR)
        return refuse_value(v, v->node, right);
    if (!is_hour_minute(from->text))
        return refuse_value(v, from, right);
    if (!is_hour_minute(to->text) || strcmp(from->text, to->text) == 0)
        return refuse_value(v, to, right);
    const char *zone_text = "recipient";
    if (!conf_node_is_null(zone)) {
        if (zone->kind != NODE_SCALAR || !is_zone(zone->text))
            return refuse_value(v, zone, "recipient, or an IANA zone as Europe/Berlin");
        zone_text = zone->text;
    }
    if (put_text(&policy->quiet_from, from->text) != ERR_NONE || put_text(&policy->quiet_to, to->text) != ERR_NONE ||
        put_text(&policy->quiet_zone, zone_text) != ERR_NONE)
        return ERR_NO_MEMORY;
    return ERR_NONE;
}

enum err conf_value_read(struct conf_reader *reader, const struct conf_key *key, const struct conf_node *node,
                         const char *where, void *base)
{
    const struct value v = {.reader = reader, .key = key, .node = node, .where = where, .base = base};
    const struct conf *conf = &reader->whole->conf;
    size_t place = 0;
    enum err err = ERR_NONE;
    switch (key->type) {
    case TYPE_INT:
        return read_int(&v, node, field(&v));
    case TYPE_REAL:
        return read_real(&v);
    case TYPE_BOOL:
        return read_bool(&v);
    case TYPE_WORD:
        return read_word(&v);
    case TYPE_ON_CLOSED:
        if ((err = read_choice(&v, &place)) == ERR_NONE)
            *(enum on_closed *)field(&v) = (enum on_closed)place;
        return err;
    case TYPE_LINKS:
        if ((err = read_choice(&v, &place)) == ERR_NONE)
            *(bool *)field(&v) = place == 1;
        return err;
    case TYPE_NAME:
        return read_name(&v);
    case TYPE_PATH:
        return read_path(&v);
    case TYPE_LISTENER:
        return read_endpoint(&v, conf_listener_is_valid);
    case TYPE_ADDRESS:
        return read_endpoint(&v, conf_address_is_valid);
    case TYPE_HOST_PORT:
        return read_shaped(&v, conf_host_port_is_valid);
    case TYPE_BASE_URL:
        return read_base_url(&v);
    case TYPE_REDIS_URL:
        return read_shaped(&v, conf_redis_url_is_valid);
    case TYPE_ACCOUNT:
        return read_reference(&v, conf->accounts, conf->account_count, sizeof *conf->accounts, "account");
    case TYPE_POLICY:
        return read_reference(&v, conf->policies, conf->policy_count, sizeof *conf->policies, "policy");
    case TYPE_INT_LIST:
        return read_int_list(&v, false);
    case TYPE_RISING_LIST:
        return read_int_list(&v, true);
    case TYPE_ENDPOINT_LIST:
        return read_endpoint_list(&v);
    case TYPE_OUTCOME_HOSTS:
        return read_text_list(&v, 0, outcome_host_is_valid);
    case TYPE_TOPICS:
        return read_text_list(&v, 1, is_topics);
    case TYPE_OUTCOME_URL:
        return read_shaped(&v, is_outcome_url);
    case TYPE_LINES:
        return read_lines(&v);
    case TYPE_QUIET_HOURS:
        return read_quiet_hours(&v);
    }
    return ERR_BAD_INPUT;
}

void conf_value_free(const struct conf_key *key, void *base)
{
    char **text = (char **)(void *)((char *)base + key->offset);
    struct conf_policy *policy = base;
    switch (key->type) {
    case TYPE_WORD:
    case TYPE_NAME:
    case TYPE_PATH:
    case TYPE_LISTENER:
    case TYPE_ADDRESS:
    case TYPE_HOST_PORT:
    case TYPE_BASE_URL:
    case TYPE_REDIS_URL:
    case TYPE_OUTCOME_URL:
        free(*text);
        break;
    case TYPE_ENDPOINT_LIST:
    case TYPE_OUTCOME_HOSTS:
    case TYPE_TOPICS:
        for (size_t i = 0; i < key->items_max; i++)
            free(text[i]);
        break;
    case TYPE_LINES:
        free(((struct conf_pool *)base)->lines);
        break;
    case TYPE_QUIET_HOURS:
        free(policy->quiet_from);
        free(policy->quiet_to);
        free(policy->quiet_zone);
        break;
    default:
        break;
    }
}
