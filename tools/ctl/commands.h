/* commands.h — the table of linewardctl's commands: their names, arguments, options and words, each once. The command
 * line is read by it, and --help, the manual page and the completion are printed from it. */
#ifndef LINEWARDCTL_COMMANDS_H
#define LINEWARDCTL_COMMANDS_H

#include "args.h"

/* An entry without a name ends each. An option of one name takes a value, or none, in all commands alike. */
extern const struct command commands[];
extern const struct option_spec common_options[];

#endif
