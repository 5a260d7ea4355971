/* config.h — the file of --config: everything that options and controls can say, in YAML. */
#ifndef SANDBOX_CONFIG_H
#define SANDBOX_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lineward/clock.h"

struct sandbox;

/* The file as a tree: scalars that JSON would take as numbers, true, false or null are these (and numbers keep their
 * text in valuestring), all others texts. NULL: *problem says what is wrong, with the line. Free with cJSON_Delete().
 */
cJSON *sandbox_config_read(const char *path, char *problem, size_t room);

/* preload, faults, rules, list, webhook_faults, model: what is no option. */
bool sandbox_config_is_section(const char *key);
/* Does what the sections of the file say. NULL, or what is wrong ("faults.rate_429"), written into `where`. */
const char *sandbox_config_apply(struct sandbox *sandbox, const cJSON *config, struct instant now, char *where,
                                 size_t room);

#endif
