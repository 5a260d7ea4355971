/* platform.h — a platform that receives outcome webhooks: a real HTTP server in a process of its own, which can be told to
 * fail, to hang and to say that it is gone, and which can be killed. What it takes it writes down before it answers. */
#ifndef PROCESS_PLATFORM_H
#define PROCESS_PLATFORM_H

#include "rig.h"

enum platform_mood {
    PLATFORM_GOOD,  /* 200 */
    PLATFORM_ROUGH, /* by chance one of the others, or 200 */
    PLATFORM_FAILS, /* 500 */
    PLATFORM_BUSY,  /* 503, Retry-After: 7 */
    PLATFORM_HANGS, /* no answer */
    PLATFORM_CUTS,  /* takes it, and ends the connection without an answer */
    PLATFORM_GONE,  /* 410 */
    PLATFORM_ELSEWHERE, /* 307, to the address `elsewhere` */
    PLATFORM_TALKS, /* 200, and a megabyte of answer */
    PLATFORM_STOPS, /* takes it and says 200, but the answer's body never comes whole */
};

struct platform_shared { /* with the process */
    _Atomic int mood;
    _Atomic int requests, at_once, at_once_max;
};

struct platform {
    struct program program;
    struct platform_shared *shared;
    const char *elsewhere;
    const char *secret; /* whsec_...; a request that is not signed with it is answered 401 and not taken */
    char taken[PROGRAM_PATH_MAX];
    uint16_t port;
};

/* A port, and a file NAME.taken in the rig's folder; it does not run yet. */
void platform_open(struct platform *platform, const struct rig *rig, const char *name, const char *secret);
void platform_start(struct platform *platform);
void platform_kill(struct platform *platform);

/* ---- what it took, in the order in which it did ---- */
struct taken {
    uint64_t seq;
    char id[64], job[40], topic[32];
    char own[64]; /* the job's id, that its producer gave it; "-": it says none */
};
/* The caller's, free(). */
struct taken *platform_taken(const struct platform *platform, size_t *count);
size_t platform_count(const struct platform *platform);
/* Did it take this event? */
bool platform_has(const struct taken *taken, size_t count, uint64_t seq);

#endif
