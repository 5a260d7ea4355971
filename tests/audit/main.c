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

int main(int argc, char **argv)
{
    static const struct option options[] = {{"log", required_argument, NULL, 'l'},
                                            {"acked", required_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"grace-ms", required_argument, NULL, 'g'},
                                            {"holds-min", required_argument, NULL, 'o'},
                                            {"allow-moves", no_argument, NULL, 'm'},
                                            {"allow-partial", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *log = NULL, *acked = NULL;
    struct audit_rules rules = {.grace_ms = 1000};
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            log = optarg;
            break;
        case 'a':
            acked = optarg;
            break;
        case 'j':
            json = true;
            break;
        case 'g':
            rules.grace_ms = strtoll(optarg, NULL, 10);
            break;
        case 'o':
            rules.holds_min = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            rules.allow_moves = true;
            break;
        case 'p':
            rules.allow_partial = true;
            break;
        default:
            fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (log == NULL || acked == NULL || optind < argc) {
        fputs(help, stderr);
        return 2;
    }
    struct audit *audit = audit_new();
    struct audit_report report = {0};
    bool read = file_read(audit, log, rules.allow_partial, audit_read_log) &&
                file_read(audit, acked, false, audit_read_acked);
    if (read) {
        audit_judge(audit, &rules, &report);
        if (json)
            audit_print_json(&report, stdout);
        else
            audit_print_table(&report, stdout);
    }
    audit_free(&audit);
    return !read ? 2 : report.good ? 0 : 1;
}
