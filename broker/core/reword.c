/* reword.c — texts that are kept for people, gone through and changed where they lie: an erasure hides names in them, or
 * they would be written anew, with the name, whenever their segment is cleaned. */
#include <string.h>

#include "broker/core/operate.h"
#include "broker/core/pause.h"
#include "broker/core/suppression.h"

#define LOOK_MAX    2048 /* suppressions or lines looked at in a slice */
#define PAUSE_LOOKS 32   /* a pause's name has so many recipients */
#define SAY_MAX     (SUPPRESSION_CHANGES / 2)
#define TEXT_MAX    8192 /* bytes gone through in a slice: each number in them may be theirs in several ways */

struct masking { /* the shell's, and how much it was shown */
    bool (*mask)(void *self, char *text);
    void *self;
    size_t bytes;
};

static bool mask_counted(void *self, char *text)
{
    struct masking *masking = self;
    masking->bytes += strlen(text);
    return masking->mask(masking->self, text);
}

static bool reword_line(struct core *core, uint32_t line, struct masking *masking, struct instant now, struct effects *out)
{
    bool reworded = mask_counted(masking, core->orders[line].change.word_reason);
    if (reworded)
        orders_record(core, line, now, out);
    return reworded;
}

bool core_reword(struct core *core, struct core_rewording *at, bool (*mask)(void *self, char *text), void *self,
                 struct instant now, struct effects *out)
{
    struct masking masking = {.mask = mask, .self = self};
    unsigned said = 0;
    for (unsigned looked = 0;
         looked < LOOK_MAX && masking.bytes < TEXT_MAX && said < SAY_MAX && effects_have_room(out); looked++) {
        if (at->pause + 1 < core->pauses_end) {
            said += pause_reword(core, ++at->pause, mask_counted, &masking, now, out);
            looked += PAUSE_LOOKS;
        } else if (at->suppression < core->suppressed_used) {
            said += suppression_reword(core, ++at->suppression, mask_counted, &masking, now, out);
        } else if (at->line < core->line_count) {
            said += reword_line(core, at->line++, &masking, now, out);
        } else {
            return false;
        }
    }
    return true;
}
