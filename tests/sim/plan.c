/* plan.c — see plan.h. */
#include "tests/sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
#define X(name, text) text,
    PLAN_KINDS(X)
#undef X
};
static const char *const models[] = {
#define X(name, text) text,
    PLAN_MODELS(X)
#undef X
};

const char *plan_kind_name(enum plan_kind kind)
{
    return kinds[kind];
}

static int find(const char *const *names, int count, const char *name, size_t bytes)
{
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == bytes && strncmp(names[i], name, bytes) == 0)
            return i;
    return -1;
}

static const char *read_calm(struct plan *out, const char *item, size_t bytes)
{
    int model = find(models, PLAN_MODEL_COUNT, item, bytes);
    if (model < 0)
        return "calm= names child, hooks, net, provider or sender";
    out->calm[model] = true;
    return NULL;
}

static const char *read_mishap(struct plan *out, const char *item, size_t bytes)
{
    const char *dot = memchr(item, '.', bytes);
    int kind = dot == NULL ? -1 : find(kinds, PLAN_KIND_COUNT, item, (size_t)(dot - item));
    unsigned long number = dot == NULL ? 0 : strtoul(dot + 1, NULL, 10);
    if (kind < 0 || number == 0 || out->count == PLAN_MISHAPS_MAX)
        return "only= takes mishaps as in house.3,disk.1";
    out->only[out->count++] = (struct plan_mishap){(enum plan_kind)kind, (unsigned)number};
    return NULL;
}

static const char *read_list(struct plan *out, const char *list, size_t bytes,
                             const char *(*read)(struct plan *, const char *, size_t))
{
    const char *wrong = NULL;
    while (bytes > 0 && wrong == NULL) {
        size_t item = 0;
        while (item < bytes && list[item] != ',')
            item++;
        wrong = read(out, list, item);
        list += item < bytes ? item + 1 : item;
        bytes -= item < bytes ? item + 1 : item;
    }
    return wrong;
}

static const char *read_word(struct plan *out, const char *word, size_t bytes)
{
    if (strncmp(word, "jobs=", 5) == 0)
        out->jobs = (int)strtol(word + 5, NULL, 10);
    else if (strncmp(word, "faulty_ms=", 10) == 0)
        out->faulty_ms = strtoll(word + 10, NULL, 10);
    else if (strncmp(word, "calm=", 5) == 0)
        return read_list(out, word + 5, bytes - 5, read_calm);
    else if (strncmp(word, "only=", 5) == 0)
        return out->chosen = true, read_list(out, word + 5, bytes - 5, read_mishap);
    else
        return "a plan is made of jobs=, faulty_ms=, calm= and only=";
    return out->jobs < 0 || out->faulty_ms < 0 ? "jobs= and faulty_ms= are positive" : NULL;
}

const char *plan_parse(struct plan *out, const char *text)
{
    const char *wrong = NULL;
    memset(out, 0, sizeof *out);
    while (wrong == NULL && *(text += strspn(text, " \n")) != '\0') {
        size_t bytes = strcspn(text, " \n");
        wrong = read_word(out, text, bytes);
        text += bytes;
    }
    return wrong;
}

void plan_print(const struct plan *plan, char out[PLAN_TEXT_MAX])
{
    size_t used = 0;
    const char *comma = "calm=";
#define PUT(...) used += (size_t)snprintf(out + used, PLAN_TEXT_MAX - used, __VA_ARGS__)
    out[0] = '\0';
    if (plan->jobs > 0)
        PUT("jobs=%d ", plan->jobs);
    if (plan->faulty_ms > 0)
        PUT("faulty_ms=%lld ", (long long)plan->faulty_ms);
    for (int m = 0; m < PLAN_MODEL_COUNT; m++) {
        if (!plan->calm[m])
            continue;
        PUT("%s%s", comma, models[m]);
        comma = ",";
    }
    if (*comma == ',')
        PUT(" ");
    if (plan->chosen)
        PUT("only=");
    for (size_t i = 0; i < plan->count; i++)
        PUT("%s%s.%u", i > 0 ? "," : "", kinds[plan->only[i].kind], plan->only[i].number);
#undef PUT
}

bool plan_has(const struct plan *plan, enum plan_kind kind, unsigned number)
{
    if (!plan->chosen)
        return true;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->only[i].kind == kind && plan->only[i].number == number)
            return true;
    return false;
}
