/* whereabouts.h — on which lines each conversation may have lived, and whether it may have left one: only by what an
 * operator did to just that conversation or line, by a policy for a line that cannot send, or by an erasure. The
 * witness judges all others by where they surely are. */
#ifndef TESTS_SIM_WHEREABOUTS_H
#define TESTS_SIM_WHEREABOUTS_H

#include <stdbool.h>

void whereabouts_seen(int conversation, int line); /* a job of it is given out there, or told to be there */
/* An operator moves it. */
void whereabouts_moved(int conversation);
/* An operator has what lives on the line leave it. */
void whereabouts_drained(int line);
void whereabouts_deceived(void); /* nobody knows where anything is */

bool whereabouts_may_have_left(int conversation);

#endif
