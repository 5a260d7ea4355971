/* reword.c — texts that are kept for people, gone through and changed where they lie: an erasure hides names in them, or
 * they would be written anew, with the name, whenever their segment is cleaned. */
#include "broker/core/operate.h"
#include "broker/core/pause.h"
#include "broker/core/suppression.h"

#define LOOK_MAX    2048 /* suppressions or lines looked at in a slice */
#define PAUSE_LOOKS 32   /* a pause's name has so many recipients */
#define SAY_MAX     (SUPPRESSION_CHANGES / 2)

static bool reword_line(struct core *core, uint32_t line, bool (*mask)(void *self, char *text), void *self,
                        struct instant now, struct effects *out)
{
    bool reworded = mask(self, core->orders[line].change.word_reason);
    if (reworded)
        orders_record(core, line, now, out);
    return reworded;
}

bool core_reword(struct core *core, struct core_rewording *at, bool (*mask)(void *self, char *text), void *self,
                 struct instant now, struct effects *out)
{
    unsigned said = 0;
    for (unsigned looked = 0; looked < LOOK_MAX && said < SAY_MAX && effects_have_room(out); looked++) {
        if (at->pause + 1 < core->pauses_end) {
            said += pause_reword(core, ++at->pause, mask, self, now, out);
            looked += PAUSE_LOOKS;
        } else if (at->suppression < core->suppressed_used) {
            said += suppression_reword(core, ++at->suppression, mask, self, now, out);
        } else if (at->line < core->line_count) {
            said += reword_line(core, at->line++, mask, self, now, out);
        } else {
            return false;
        }
    }
    return true;
}
