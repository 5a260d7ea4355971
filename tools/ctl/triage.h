/* triage.h — choosing among the jobs that wait, and adding up what the broker says of them: what the commands
 * `triage …` share. */
#ifndef LINEWARDCTL_TRIAGE_H
#define LINEWARDCTL_TRIAGE_H

#include "ctl.h"
#include "lineward/clock.h"

#define TRIAGE_SAMPLE_MAX 10

struct triage_sum { /* of all answers so far */
    int64_t jobs, recipients, stay;
    cJSON *by_class, *by_reason, *stays, *sample; /* NULL: there was none yet */
    char oldest_at[TIME_TEXT_MAX], next[64], until[32]; /* "": none */
};
void triage_sum_free(struct triage_sum *sum);

/* `base` with the filters that the command line has, one at least; free with free(). Else the exit code. */
int triage_path(const struct ctl *ctl, const struct args *args, const char *base, char **out);
/* One call from sum->next on, which then says where the next one goes on, and adds its answer. */
int triage_call(const struct ctl *ctl, const char *path, const struct json_out *body, bool dry, struct triage_sum *sum);

#endif
