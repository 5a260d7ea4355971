/* feed_fixture.h — the provider's fixtures, for the tests of broker/feed. Tests run from the project's root. */
#ifndef LINEWARD_TEST_FEED_FIXTURE_H
#define LINEWARD_TEST_FEED_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lineward/json.h"

#define FIXTURES "tests/fixtures/linq/"

struct fixture {
    char *text; /* terminated, but may hold zero bytes */
    size_t bytes;
};

static inline struct fixture fixture_read(const char *name)
{
    char path[512];
    struct fixture fixture = {0};
    snprintf(path, sizeof path, FIXTURES "%s", name);
    FILE *file = fopen(path, "rbe");
    ck_assert_msg(file != NULL, "no fixture %s", path);
    fseek(file, 0, SEEK_END);
    fixture.bytes = (size_t)ftell(file);
    rewind(file);
    fixture.text = calloc(1, fixture.bytes + 1);
    ck_assert_ptr_nonnull(fixture.text);
    ck_assert_uint_eq(fread(fixture.text, 1, fixture.bytes, file), fixture.bytes);
    fclose(file);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    free(fixture->text);
    *fixture = (struct fixture){0};
}

static inline cJSON *fixture_json(const char *name)
{
    struct fixture fixture = fixture_read(name);
    cJSON *json = json_parse(fixture.text, fixture.bytes, NULL);
    ck_assert_ptr_nonnull(json);
    fixture_free(&fixture);
    return json;
}

#endif
