/* main.c — lineward-audit: reads the sandbox's log and the producers' acks, prints the verdict.
 * Exit codes: 0 all promises held, 1 one did not, 2 wrong usage or input that can't be read. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/audit/audit.h"

static const char help[] = "lineward-audit --log SANDBOX.jsonl --acked ACKED.jsonl\n"
                           "  --json            for programs\n"
                           "  --grace-ms N      after a webhook's 200 (1000)\n"
                           "  --holds-min N     so often must a line have been held (0)\n"
                           "  --pace-per-min N  no line may send faster than this; a send may be late by the grace\n"
                           "  --new-per-line N  no line may begin more conversations in all\n"
                           "  --allow-moves     conversations may change their line\n"
                           "  --allow-partial   the sandbox may be running still, or have been killed\n";

/* `cut_ok`: a last line without its newline is left out instead of refused. */
static bool file_read(struct audit *audit, const char *path, bool cut_ok,
                      const char *(*read_line)(struct audit *, const char *, size_t))
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "lineward-audit: %s: %s\n", path, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    const char *why = NULL;
    unsigned long number = 0;
    while (why == NULL && (bytes = getline(&line, &room, file)) > 0) {
        number++;
        bool whole = line[bytes - 1] == '\n';
        if (!whole && cut_ok)
            break;
        bytes -= whole;
        if (bytes > 0)
            why = read_line(audit, line, (size_t)bytes);
    }
    if (why == NULL && ferror(file))
        why = strerror(errno);
    if (why != NULL)
        fprintf(stderr, "lineward-audit: %s:%lu: %s\n", path, number, why);
    free(line);
    fclose(file);
    return why == NULL;
}

struct asked {
    const char *log, *acked;
    struct audit_rules rules;
    bool json, help;
};

static bool count_read(const char *text, long long *out)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && *out >= 0;
}

static void rule_set(struct audit_rules *rules, int option, long long count)
{
    if (option == 'g')
        rules->grace_ms = count;
    else if (option == 'o')
        rules->holds_min = (uint64_t)count;
    else if (option == 'r')
        rules->pace_per_min = count;
    else
        rules->new_per_line = count;
}

static bool option_follow(struct asked *asked, int option, const char *value)
{
    long long count = 0;
    switch (option) {
    case 'l':
        asked->log = value;
        return true;
    case 'a':
        asked->acked = value;
        return true;
    case 'g':
    case 'o':
    case 'r':
    case 'n':
        if (!count_read(value, &count))
            return false;
        rule_set(&asked->rules, option, count);
        return true;
    case 'j':
        return asked->json = true;
    case 'm':
        return asked->rules.allow_moves = true;
    case 'p':
        return asked->rules.allow_partial = true;
    case 'h':
        return asked->help = true;
    default:
        return false;
    }
}

static bool options_read(struct asked *asked, int argc, char **argv)
{
    static const struct option options[] = {{"log", required_argument, NULL, 'l'},
                                            {"acked", required_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"grace-ms", required_argument, NULL, 'g'},
                                            {"holds-min", required_argument, NULL, 'o'},
                                            {"pace-per-min", required_argument, NULL, 'r'},
                                            {"new-per-line", required_argument, NULL, 'n'},
                                            {"allow-moves", no_argument, NULL, 'm'},
                                            {"allow-partial", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!option_follow(asked, option, optarg))
            return false;
    }
    return asked->help || (asked->log != NULL && asked->acked != NULL && optind == argc);
}

static int audit_run(const struct asked *asked)
{
    struct audit *audit = audit_new();
    struct audit_report report = {0};
    bool read = file_read(audit, asked->log, asked->rules.allow_partial, audit_read_log) &&
                file_read(audit, asked->acked, false, audit_read_acked);
    if (read) {
        audit_judge(audit, &asked->rules, &report);
        if (asked->json)
            audit_print_json(&report, stdout);
        else
            audit_print_table(&report, stdout);
    }
    audit_free(&audit);
    return !read ? 2 : report.good ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct asked asked = {.rules = {.grace_ms = 1000}};
    bool good = options_read(&asked, argc, argv);
    if (!good || asked.help) {
        fputs(help, good ? stdout : stderr);
        return good ? 0 : 2;
    }
    return audit_run(&asked);
}
