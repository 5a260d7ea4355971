/* Paths of the admin API, and the recipients and job names in them: a method and a path a line. */
#include "broker/edge/admin_route.h"
#include "broker/edge/lookup.h"
#include "broker/edge/recipients.h"
#include "fuzz.h"

static void check_part(const char *part)
{
    struct recipients to;
    struct job_ref ref;
    if (recipients_split(part, &to))
        fuzz_check(to.count >= 1 && to.count <= WIRE_RECIPIENTS_MAX);
    if (job_ref_parse(part, &ref))
        fuzz_check(ref.number != 0 || (name_is_valid(ref.pool) && ref.id[0] != '\0'));
    (void)name_in_list(part, "default");
    (void)name_in_list("default,eu.1", part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    while (input.left > 0) {
        char *line = input_text(input_line(&input));
        char *path = strchr(line, ' ');
        if (path == NULL)
            path = line + strlen(line);
        else
            *path++ = '\0';
        struct route_match match = route_find(line, path);
        for (size_t i = 0; i < ROUTE_PARTS_MAX && match.parts[i] != NULL; i++) {
            fuzz_check(match.route != NULL && match.parts[i][0] != '\0');
            check_part(match.parts[i]);
        }
        fuzz_check(match.route == NULL || match.allow[0] == '\0');
        fuzz_forget();
    }
    return 0;
}
