/* child.h — the broker's child, which polls and receives webhooks: the product's own reading of lists, events and
 * signatures, over the product's own socket to the broker. Its clocks are the broker's. */
#ifndef TESTS_SIM_CHILD_H
#define TESTS_SIM_CHILD_H

#include "tests/sim/fiber.h"
#include "tests/sim/hooks.h"

void child_begin(struct machine *machine);
void child_started(int file, struct process *broker);
void child_gone(void);
bool child_is_up(void);
/* A webhook's request has arrived. hooks_answered() comes later, unless it is lost. */
void child_post(struct hook *hook);
/* The broker has written to it. */
void child_poke(void);
void child_heal(void);

#endif
