/* version.h — the version of all programs of this tree, as `--version`, PONG and the status page say it. */
#ifndef LINEWARD_VERSION_H
#define LINEWARD_VERSION_H

#define LINEWARD_VERSION "0.1.0"

#endif
