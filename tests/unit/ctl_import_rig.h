/* ctl_import_rig.h — for the tests of `linewardctl conversations import`: files to read from and go on by, and what a
 * broker answers to rows. Included once per test program. */
#ifndef LINEWARD_TESTS_CTL_IMPORT_RIG_H
#define LINEWARD_TESTS_CTL_IMPORT_RIG_H

#include <unistd.h>

#include "tests/unit/ctl_server.h"

static char file_path[64], key_path[64], state_path[96];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    snprintf(file_path, sizeof file_path, "/tmp/lineward-import-XXXXXX");
    snprintf(key_path, sizeof key_path, "/tmp/lineward-key-XXXXXX");
    close(mkstemp(file_path));
    close(mkstemp(key_path));
    snprintf(state_path, sizeof state_path, "%s.state", file_path);
    write_file(key_path, "the-key\n");
}

static void teardown(void)
{
    remove(file_path);
    remove(key_path);
    remove(state_path);
    said_free();
}

#define IMPORTED         "{\"state\":\"imported\",\"line\":\"+12025550101\"}"
#define KNOWN            "{\"state\":\"known\",\"line\":\"+12025550101\"}"
#define CONFLICT         "{\"line\":\"+12025550102\",\"error\":{\"code\":\"line_conflict\",\"message\":\"lives elsewhere\"}}"
#define RESULTS(list)    "{\"results\":[" list "]}"
#define ck_asked(n, text) ck_assert_msg(strstr(server.seen[n].body, text) != NULL, "%s", server.seen[n].body)
#define ck_url(n, text)   ck_assert_str_eq(server.seen[n].url, text)

#endif
