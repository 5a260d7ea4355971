/* ctl_run.h — for the tests of linewardctl: runs the program and keeps what it said. Included once per test program.
 */
#ifndef LINEWARD_TESTS_CTL_RUN_H
#define LINEWARD_TESTS_CTL_RUN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl.h"

static struct {
    int code;
    char *out, *err;
} said;

/* Runs linewardctl with these words and keeps its exit code and what it said. */
static inline void run_words(char **argv)
{
    size_t out_bytes = 0;
    size_t err_bytes = 0;
    int argc = 0;
    free(said.out);
    free(said.err);
    FILE *out = open_memstream(&said.out, &out_bytes);
    FILE *err = open_memstream(&said.err, &err_bytes);
    while (argv[argc] != NULL)
        argc++;
    said.code = ctl_run(argc, argv, out, err);
    fclose(out);
    fclose(err);
}
#define RUN(...) run_words((char *[]){(char[]){"linewardctl"}, __VA_ARGS__, NULL})
#define W(word)  ((char *)(uintptr_t)(word))

static inline void said_free(void)
{
    free(said.out);
    free(said.err);
    said.out = said.err = NULL;
}

#define assert_says(text, part)   ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text)
#define assert_silent(text, part) ck_assert_msg(strstr(text, part) == NULL, "\"%s\" is in:\n%s", part, text)

#endif
