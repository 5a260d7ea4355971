/* sibling.h — another broker beside a rig's: for the same account, with ports and a store of its own. */
#ifndef PROCESS_SIBLING_H
#define PROCESS_SIBLING_H

#include "rig.h"

/* Its ports and the name of its store and log; everything else of it is the rig's. Nothing runs yet. */
void sibling_open(struct rig *sibling, const struct rig *rig, const char *name);
void sibling_start(struct rig *sibling, const struct rig *rig); /* does not wait */

#endif
