/* audit.h — the broker's own books, counted after: after every turn what costs little, now and then all of it. */
#ifndef TESTS_SIM_AUDIT_H
#define TESTS_SIM_AUDIT_H

void audit_begin(void);
/* The broker waits for work: its turn is over. */
void audit_turn(void);
/* At the end, when all that may go has gone. */
void audit_settle(void);

#endif
