/* conf_table.h — inside lib/: every configuration key, once: where it goes, its default, its bounds. */
#ifndef LINEWARD_CONF_TABLE_H
#define LINEWARD_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum conf_type {                 /* field */
                 TYPE_INT,       /* int64_t */
                 TYPE_REAL,      /* double */
                 TYPE_BOOL,      /* bool */
                 TYPE_WORD,      /* char *, one of `choices` */
                 TYPE_ON_CLOSED, /* enum on_closed, its number in `choices` */
                 TYPE_LINKS,     /* bool, its number in `choices` */
                 TYPE_NAME,      /* char *, as name_is_valid() */
                 TYPE_PATH,      /* char *, made absolute */
                 TYPE_LISTENER,  /* char *, tcp:// or ipc://, to listen at */
                 TYPE_ADDRESS,   /* char *, the same to connect to: no `*`, no port 0 */
                 TYPE_HOST_PORT, /* char * */
                 TYPE_BASE_URL,  /* char *, https, or http to loopback; no slash at its end */
                 TYPE_REDIS_URL, /* char * */
                 TYPE_ACCOUNT,
                 TYPE_POLICY,        /* size_t, index of the one with that name */
                 TYPE_INT_LIST,      /* int64_t[items_max] and size_t at count_offset */
                 TYPE_RISING_LIST,   /* the same, each above the one before, at least one */
                 TYPE_ENDPOINT_LIST, /* char *[items_max] and size_t at count_offset, at least one */
                 TYPE_OUTCOME_HOSTS, /* likewise, entries of outcome_target.h; may be empty */
                 TYPE_TOPICS,        /* likewise, prefixes of topics, at least one */
                 TYPE_OUTCOME_URL,   /* char *, https, or http */
                 TYPE_LINES,         /* struct conf_pool's lines */
                 TYPE_QUIET_HOURS,   /* struct conf_policy's quiet hours */
};

struct conf_key {
    const char *path; /* "policies.burst": for the list of idle keys */
    const char *name; /* "burst" */
    enum conf_type type;
    size_t offset;        /* in the section's struct */
    const char *fallback; /* the default, as YAML text; NULL: not set */
    double min, max;      /* numbers, and each number of a list */
    const char *choices;  /* words, separated by '|' */
    const char *idle;     /* accepted, but does nothing yet: "" whatever it says, else only with this value */
    bool is_required;     /* marked * in the contract */
    size_t count_offset, items_max;
};

struct conf_section {
    const char *name;
    const struct conf_key *keys;
    size_t key_count;
    size_t offset;       /* in struct conf: of the struct, or of the pointer to the entries */
    bool is_named;       /* entries with names of their own */
    size_t count_offset; /* named: in struct conf */
    size_t entry_bytes;  /* named: of one entry, which begins with its name */
    size_t entries_max;
};

enum { CONF_SECTION_COUNT = 7, CONF_KEYS_MAX = 32 };

/* In the order in which they must be read: pools name accounts and policies. */
extern const struct conf_section conf_sections[CONF_SECTION_COUNT];

/* NULL: there is none of that name. */
const struct conf_section *conf_section_find(const char *name);
const struct conf_key *conf_key_find(const struct conf_section *section, const char *name);

/* The word of `words` nearest to `text`, NULL if none is near enough to be meant. */
const char *conf_nearest(const char *text, const char *const *words, size_t count);

#endif
