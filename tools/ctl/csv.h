/* csv.h — rows of comma-separated values (RFC 4180, one row a line): read in place, and written. */
#ifndef LINEWARDCTL_CSV_H
#define LINEWARDCTL_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CSV_FIELDS_MAX 16

/* Splits a row, given with a terminator and without its end, into fields that point into it; quotes are taken off, blanks
 * at the ends cut. Returns how many; 0: *why says what is wrong with it. */
size_t csv_split(char *row, char *fields[CSV_FIELDS_MAX], const char **why);

/* One field, quoted if need be. A value that a spreadsheet would take for a formula is no different from any other: the
 * file is data. */
void csv_put(FILE *out, const char *text, bool first);

#endif
