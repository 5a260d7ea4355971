/* args.c — reads the command line by the tables of commands and options. */
#include "args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- commands ---- */

static bool is_word(const char *text, const char *start, size_t bytes)
{
    return strlen(text) == bytes && memcmp(text, start, bytes) == 0;
}

/* `words` are the arguments up to now; how many of them the command's name takes up, 0: it is not this one. */
static int name_matches(const struct command *command, const char *const *words, int count)
{
    const char *blank = strchr(command->name, ' ');
    if (blank == NULL)
        return count >= 1 && strcmp(command->name, words[0]) == 0 ? 1 : 0;
    return count >= 2 && is_word(words[0], command->name, (size_t)(blank - command->name)) &&
                   strcmp(words[1], blank + 1) == 0
               ? 2
               : 0;
}

static const struct command *find_command(const struct command *commands, const char *const *words, int count,
                                          int *taken)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        *taken = name_matches(command, words, count);
        if (*taken > 0)
            return command;
    }
    return NULL;
}

/* ---- options ---- */

static const struct option_spec *find_in(const struct option_spec *specs, const char *name, size_t bytes)
{
    for (const struct option_spec *spec = specs; spec != NULL && spec->name != NULL; spec++) {
        if (is_word(spec->name, name, bytes))
            return spec;
    }
    return NULL;
}

/* Options may come before the command is known, so any command's option is looked up first and judged later. */
static const struct option_spec *find_option(const struct command *commands, const struct option_spec *common,
                                             const char *name, size_t bytes)
{
    const struct option_spec *spec = find_in(common, name, bytes);
    for (const struct command *command = commands; spec == NULL && command->name != NULL; command++)
        spec = find_in(command->options, name, bytes);
    return spec;
}

static bool problem(struct args_problem *out, const char *before, const char *what, const char *after)
{
    snprintf(out->text, sizeof out->text, "%s%.80s%s", before, what, after);
    return false;
}

static bool read_option(struct args *args, const char *text, const char *next, bool *took_next,
                        const struct command *commands, const struct option_spec *common, struct args_problem *out)
{
    const char *name = text + 2;
    const char *equals = strchr(name, '=');
    size_t bytes = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find_option(commands, common, name, bytes);
    if (spec == NULL)
        return problem(out, "unknown option ", text, "");
    if (args->option_count == ARGS_OPTIONS_MAX)
        return problem(out, "too many options at ", text, "");
    if (spec->value == NULL && equals != NULL)
        return problem(out, "--", spec->name, " takes no value");
    if (spec->value != NULL && equals == NULL && next == NULL)
        return problem(out, "--", spec->name, " needs a value");
    *took_next = spec->value != NULL && equals == NULL;
    args->options[args->option_count].spec = spec;
    args->options[args->option_count++].value = spec->value == NULL ? "" : equals != NULL ? equals + 1 : next;
    return true;
}

static bool read_all(struct args *args, int argc, char **argv, const struct command *commands,
                     const struct option_spec *common, struct args_problem *out)
{
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        bool took_next = false;
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            args->help = true;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!read_option(args, argv[i], argv[i + 1], &took_next, commands, common, out))
                return false;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
            return problem(out, "unknown option ", argv[i], "");
        } else if (args->count == ARGS_POSITIONAL_MAX) {
            return problem(out, "too many arguments at ", argv[i], "");
        } else {
            args->positional[args->count++] = argv[i];
        }
        i += took_next ? 1 : 0;
    }
    return true;
}

/* `help` and `help COMMAND` mean the same as --help. */
static void read_help_word(struct args *args)
{
    if (args->count == 0 || strcmp(args->positional[0], "help") != 0)
        return;
    args->help = true;
    args->count--;
    memmove(args->positional, args->positional + 1, (size_t)args->count * sizeof *args->positional);
}

static bool check_options(const struct args *args, const struct option_spec *common, struct args_problem *out)
{
    for (int i = 0; i < args->option_count; i++) {
        const char *name = args->options[i].spec->name;
        size_t bytes = strlen(name);
        const struct option_spec *own = find_in(args->command->options, name, bytes);
        if (own == NULL && find_in(common, name, bytes) == NULL) {
            snprintf(out->text, sizeof out->text, "`%s` has no option --%s", args->command->name, name);
            return false;
        }
    }
    return true;
}

static bool check_count(const struct args *args, struct args_problem *out)
{
    const struct command *command = args->command;
    if (args->count >= command->arguments_min && args->count <= command->arguments_max)
        return true;
    snprintf(out->text, sizeof out->text, "linewardctl %s%s%s", command->name,
             command->arguments[0] != '\0' ? " " : "", command->arguments);
    return false;
}

bool args_read(struct args *out, int argc, char **argv, const struct command *commands,
               const struct option_spec *common, struct args_problem *why)
{
    memset(out, 0, sizeof *out);
    if (!read_all(out, argc, argv, commands, common, why))
        return false;
    read_help_word(out);
    if (out->count == 0)
        return true;
    int taken = 0;
    out->command = find_command(commands, out->positional, out->count, &taken);
    if (out->command == NULL)
        return problem(why, "unknown command ", out->positional[0], "; `linewardctl --help` lists them");
    out->count -= taken;
    memmove(out->positional, out->positional + taken, (size_t)out->count * sizeof *out->positional);
    return out->help || (check_options(out, common, why) && check_count(out, why));
}

const char *args_option(const struct args *args, const char *name)
{
    const char *value = NULL;
    int at = 0;
    for (const char *next = args_next(args, name, &at); next != NULL; next = args_next(args, name, &at))
        value = next;
    return value;
}

bool args_flag(const struct args *args, const char *name)
{
    return args_option(args, name) != NULL;
}

const char *args_first_of(const struct args *args, const char *const *names)
{
    while (*names != NULL && !args_flag(args, *names))
        names++;
    return *names;
}

const char *args_next(const struct args *args, const char *name, int *at)
{
    while (*at < args->option_count) {
        int i = (*at)++;
        if (strcmp(args->options[i].spec->name, name) == 0)
            return args->options[i].value;
    }
    return NULL;
}

bool args_number(const struct args *args, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = args_option(args, name);
    if (text == NULL)
        return true;
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static int64_t unit_ms(const char **text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t bytes = strlen(units[i].name);
        if (strncmp(*text, units[i].name, bytes) == 0) {
            *text += bytes;
            return units[i].ms;
        }
    }
    return 0;
}

bool duration_parse(const char *text, int64_t *out_ms)
{
    const int64_t max_ms = (int64_t)3650 * 86400000;
    int64_t sum = 0;
    do {
        int64_t number = 0;
        const char *digits = text;
        for (; *text >= '0' && *text <= '9'; text++) {
            number = number * 10 + (*text - '0');
            if (number > max_ms)
                return false;
        }
        int64_t unit = text > digits ? unit_ms(&text) : 0;
        if (unit == 0 || number > max_ms / unit)
            return false;
        sum += number * unit;
    } while (*text != '\0');
    if (sum > max_ms)
        return false;
    *out_ms = sum;
    return true;
}

/* ---- help ---- */

static void print_options(FILE *out, const char *title, const struct option_spec *specs)
{
    if (specs == NULL || specs->name == NULL)
        return;
    fprintf(out, "\n%s\n", title);
    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", spec->name, spec->value != NULL ? " " : "",
                 spec->value != NULL ? spec->value : "");
        fprintf(out, "  %-22s %s\n", left, spec->help);
    }
}

void args_print_help(FILE *out, const struct command *commands, const struct option_spec *common)
{
    fprintf(out, "usage: linewardctl COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (const struct command *command = commands; command->name != NULL; command++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", command->name, command->arguments[0] != '\0' ? " " : "",
                 command->arguments);
        fprintf(out, "  %-28s %s\n", left, command->summary);
    }
    print_options(out, "Options of every command:", common);
    fprintf(out, "\n`linewardctl COMMAND --help` says more. Environment: LINEWARD_ADMIN, LINEWARD_TOKEN, NO_COLOR.\n"
                 "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 can't reach the broker.\n");
}

void args_print_command_help(FILE *out, const struct command *command, const struct option_spec *common)
{
    fprintf(out, "usage: linewardctl %s%s%s [OPTIONS]\n\n%s\n", command->name,
            command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    if (command->details != NULL)
        fprintf(out, "\n%s\n", command->details);
    print_options(out, "Options:", command->options);
    print_options(out, "Options of every command:", common);
}
