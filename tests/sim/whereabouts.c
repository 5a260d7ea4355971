/* whereabouts.c — see whereabouts.h. */
#include "tests/sim/whereabouts.h"

#include "tests/sim/cast.h"
#include "tests/sim/erasures.h"
#include "tests/sim/house.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness_lines.h"

static struct {
    bool on[CAST_ALL][CAST_LINES];
    bool moved[CAST_ALL];
    bool drained[CAST_LINES];
} whereabouts;

void whereabouts_seen(int conversation, int line)
{
    if (line >= 0)
        whereabouts.on[conversation][line] = true;
}

void whereabouts_moved(int conversation)
{
    whereabouts.moved[conversation] = true;
}

void whereabouts_drained(int line)
{
    whereabouts.drained[line] = true;
}

void whereabouts_deceived(void)
{
    for (int conversation = 0; conversation < CAST_ALL; conversation++)
        whereabouts.moved[conversation] = true;
}

/* Once is enough: it may take a while, and a restart later, until it comes into effect. */
static bool lets_go(int line)
{
    bool by_policy = house_moves_by_policy(cast_pool_of_line(line)) &&
                     (lines_was_ever_flagged(line) || lines_was_ever_missing(line));
    return whereabouts.drained[line] || by_policy;
}

bool whereabouts_may_have_left(int conversation)
{
    if (whereabouts.moved[conversation] || erasures_may_have_forgotten(conversation))
        return true;
    for (int line = 0; line < CAST_LINES; line++)
        if ((whereabouts.on[conversation][line] || wants_home(conversation) == line) && lets_go(line))
            return true;
    return false;
}
