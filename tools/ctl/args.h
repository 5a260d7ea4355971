/* args.h — one command line: the command's name, its options and its arguments, and the help that is made from the
 * same tables, so that it is true. */
#ifndef LINEWARDCTL_ARGS_H
#define LINEWARDCTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARGS_POSITIONAL_MAX 1024
#define ARGS_OPTIONS_MAX    64
#define PATH_LOCAL          "" /* of a command that works on files of this machine and asks no broker */

struct ctl;
struct args;

struct option_spec {
    const char *name;  /* without the dashes; NULL ends a list */
    const char *value; /* what its value is called in the help; NULL: a flag */
    const char *help;
};

struct command {
    const char *name; /* one or two words */
    const char *arguments;
    int arguments_min, arguments_max;
    const char *summary;
    const char *details; /* more for --help; may be NULL */
    const struct option_spec *options;
    int (*run)(const struct ctl *ctl, const struct args *args);
    const char *path; /* of the admin API, for commands that ask at one; PATH_LOCAL; NULL: others */
};

struct args {
    const struct command *command; /* NULL: none was named */
    const char *positional[ARGS_POSITIONAL_MAX];
    int count;
    struct {
        const struct option_spec *spec;
        const char *value; /* "" for a flag */
    } options[ARGS_OPTIONS_MAX];
    int option_count;
    bool help;
};

struct args_problem {
    char text[256];
};

/* Reads the command line. Options may stand anywhere, `--name value` or `--name=value`; `--` ends them; a lone `-`
 * is an argument. `commands` ends with a NULL name; `common` holds for every command. The strings stay argv's.
 * False: *problem says what is wrong. */
bool args_read(struct args *out, int argc, char **argv, const struct command *commands,
               const struct option_spec *common, struct args_problem *problem);

/* The (last) value of an option; NULL: not given. */
const char *args_option(const struct args *args, const char *name);
bool args_flag(const struct args *args, const char *name);
/* The first of these names (NULL ends them) that was given as an option; NULL: none was. */
const char *args_first_of(const struct args *args, const char *const *names);
/* The next value of an option that may be given several times; start with *at = 0. NULL: no more. */
const char *args_next(const struct args *args, const char *name, int *at);

/* A whole number within bounds. False: it is none; an absent option leaves *out as it is and is fine. */
bool args_number(const struct args *args, const char *name, int64_t min, int64_t max, int64_t *out);

/* "90s", "30m", "2h", "1d", "1500ms", and sums of them ("1h30m"). False: no such thing, or beyond ten years. */
bool duration_parse(const char *text, int64_t *out_ms);

/* The help of the program, and of one command. */
void args_print_help(FILE *out, const struct command *commands, const struct option_spec *common);
void args_print_command_help(FILE *out, const struct command *command, const struct option_spec *common);

#endif
