/* import_sources.h — where conversations are imported from. Each returns the exit code. */
#ifndef LINEWARDCTL_IMPORT_SOURCES_H
#define LINEWARDCTL_IMPORT_SOURCES_H

#include "ctl.h"

extern const char *const import_csv_columns[]; /* in the order of a file without a header; NULL ends them */

int import_from_csv(const struct ctl *ctl, const struct args *args, const char *path);
int import_from_provider(const struct ctl *ctl, const struct args *args);

#endif
