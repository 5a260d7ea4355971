/* codes.h — the provider's error codes (linq-api.md 4.2), each with the HTTP status it comes with. Pure. */
#ifndef SANDBOX_CODES_H
#define SANDBOX_CODES_H

#include <stdbool.h>

bool code_is_known(int code);
/* 500 for a code that is not in the table. */
int code_status(int code);
const char *code_message(int code); /* never NULL */

#endif
