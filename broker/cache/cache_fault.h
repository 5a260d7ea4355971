/* cache_fault.h — what Redis's errors mean for who runs the script, and what would help. Pure. */
#ifndef LINEWARD_CACHE_FAULT_H
#define LINEWARD_CACHE_FAULT_H

#include <stddef.h>

enum cache_fault {
    CACHE_FAULT_FACT,   /* this one could not be taken; others may: the connection stays */
    CACHE_FAULT_SCRIPT, /* it has forgotten the script: to be loaded again */
    CACHE_FAULT_PLACE   /* nothing more is to be had here: connect anew, and see whether it takes what is written then */
};
enum cache_fault cache_fault_of(const char *error);
/* A sentence for people: the error, shortened, and what would help, if that is known. */
void cache_fault_text(const char *what, const char *error, char *out, size_t room);

#endif
