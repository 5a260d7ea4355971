/* fleet.h — the workers: each is the real worker in a process of its own, killed, stopped, cut off, ended. */
#ifndef TESTS_SIM_FLEET_H
#define TESTS_SIM_FLEET_H

#include "tests/sim/fiber.h"
#include "tests/sim/ground.h"

void fleet_begin(void);
void fleet_mishap(struct stream *stream);
void fleet_heal(void);
void sender_heal(void); /* sender.c: requests pass and are answered */

#endif
