/* secrets.h — the search that every test of processes ends with: what must be nowhere but where it has to be. */
#ifndef PROCESS_SECRETS_H
#define PROCESS_SECRETS_H

#include "rig.h"

/* While they run: arguments and environment of all programs, metrics, status and error answers. */
void secrets_search_running(struct rig *rig);
/* When they have ended: their logs hold no key, token, secret, message or whole number; the store no key, token or
 * secret. Keys are what the files of the rig's folder hold that are named *.secret, *.secrets, *.key and *.first. */
void secrets_search_left(struct rig *rig);
/* What was found, in words; NULL: nothing. For the test that plants something. */
const char *secrets_found(const struct rig *rig, const char *bytes, size_t count, bool may_hold_messages);

#endif
