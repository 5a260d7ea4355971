/* plan.h — what a world is cut down to, by a person or by shrinking a seed that failed. Without a plan everything that
 * the seed draws happens. As text, in any order: `jobs=12 faulty_ms=61000 calm=net,hooks only=house.3,disk.1`. */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mishaps, by the model to which they happen. */
#define PLAN_KINDS(X) X(HOUSE, "house") X(DISK, "disk") X(NET, "net") X(FLEET, "fleet") X(PROVIDER, "provider") \
                      X(HOOKS, "hooks") X(OPERATORS, "operators") X(ERASURES, "erasures") X(LOOKS, "looks") \
                      X(TRIAGE, "triage")
enum plan_kind {
#define X(name, text) PLAN_##name,
    PLAN_KINDS(X)
#undef X
        PLAN_KIND_COUNT
};
const char *plan_kind_name(enum plan_kind kind);

/* Models in which something goes wrong now and then by itself. */
#define PLAN_MODELS(X) X(CHILD, "child") X(HOOKS, "hooks") X(NET, "net") X(PROVIDER, "provider") X(SENDER, "sender")
enum plan_model {
#define X(name, text) PLAN_CALM_##name,
    PLAN_MODELS(X)
#undef X
        PLAN_MODEL_COUNT
};

struct plan_mishap {
    enum plan_kind kind;
    unsigned number; /* from 1, of its kind */
};

#define PLAN_MISHAPS_MAX 4096
#define PLAN_TEXT_MAX    65536

struct plan {
    int jobs;          /* 0: as drawn */
    int64_t faulty_ms; /* 0: as drawn */
    bool calm[PLAN_MODEL_COUNT];
    bool chosen; /* else all mishaps happen */
    struct plan_mishap only[PLAN_MISHAPS_MAX];
    size_t count;
};

/* NULL: fine; else what is wrong with it. */
const char *plan_parse(struct plan *out, const char *text);
void plan_print(const struct plan *plan, char out[PLAN_TEXT_MAX]);
bool plan_has(const struct plan *plan, enum plan_kind kind, unsigned number);

#endif
