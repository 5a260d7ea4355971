/* alloc.c — a malloc for tests (LD_PRELOAD) that fails once, or from then on.
 *
 *   ALLOC_FAIL_AT=N     the Nth allocation fails (0: none); ALLOC_FAIL_COUNT=M: and the M - 1 behind it (default 1)
 *   ALLOC_FAIL_IN=TEXT  only in a process whose first argument is TEXT ("": any other)
 *   ALLOC_LOG=FILE      a line at the end: how many there were, and at which addresses of the program failures fell
 *
 * What libzmq asks for never fails, nor what the loader and the C library's name service do: these abort the process or
 * crash when memory is out, which is not ours to mend. The allocation behind it fails instead. What was allocated before
 * main() does not count. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

#define RANGES_MAX 32
#define FRAMES_MAX 64

static struct {
    uintptr_t from, to;
} exempt[RANGES_MAX];
static unsigned exempt_count;
static bool counting;
static unsigned long fail_from;
static atomic_long left; /* to fail */
static atomic_ulong count;
static atomic_bool done;
static __thread bool within; /* what follows may allocate */
static char log_path[256];

static int look_at(struct dl_phdr_info *info, size_t bytes, void *self)
{
    static const char *const names[] = {"libzmq", "libstdc++", "libpgm", "ld-linux"};
    (void)bytes;
    (void)self;
    for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
        if (strstr(info->dlpi_name, names[n]) == NULL)
            continue;
        for (int i = 0; i < info->dlpi_phnum && exempt_count < RANGES_MAX; i++) {
            if (info->dlpi_phdr[i].p_type != PT_LOAD)
                continue;
            exempt[exempt_count].from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            exempt[exempt_count].to = exempt[exempt_count].from + info->dlpi_phdr[i].p_memsz;
            exempt_count++;
        }
    }
    return 0;
}

/* A function of a library, and whatever it calls. */
static void add_function(const char *name)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *at = dlsym(RTLD_NEXT, name);
    if (at == NULL || exempt_count == RANGES_MAX ||
        dladdr1(at, &info, (void **)(uintptr_t)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        return;
    exempt[exempt_count].from = (uintptr_t)at;
    exempt[exempt_count++].to = (uintptr_t)at + symbol->st_size;
}

static unsigned long number_of(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text == NULL ? fallback : strtoul(text, NULL, 10);
}

/* The process's first argument, "" if it has none that names a part of it. */
static void first_argument(char *out, size_t room)
{
    char text[512] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    size_t name = strlen(text) + 1;
    snprintf(out, room, "%s", (ssize_t)name < got ? text + name : "");
}

__attribute__((constructor)) static void begin(void)
{
    char argument[64];
    const char *wanted = getenv("ALLOC_FAIL_IN");
    const char *path = getenv("ALLOC_LOG");
    first_argument(argument, sizeof argument);
    if (wanted == NULL || strcmp(argument, wanted) != 0)
        return;
    void *frames[2];
    backtrace(frames, 2); /* its first call allocates */
    dl_iterate_phdr(look_at, NULL);
    add_function("getaddrinfo");
    add_function("getifaddrs");
    fail_from = number_of("ALLOC_FAIL_AT", 0);
    atomic_store(&left, (long)number_of("ALLOC_FAIL_COUNT", 1));
    snprintf(log_path, sizeof log_path, "%s", path == NULL ? "" : path);
    counting = true;
}

__attribute__((destructor)) static void end(void)
{
    char line[64];
    int fd = counting && log_path[0] != '\0' ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    int bytes = snprintf(line, sizeof line, "count %lu\n", atomic_load(&count));
    if (fd >= 0 && write(fd, line, (size_t)bytes) == bytes)
        close(fd);
}

static void tell(uintptr_t caller)
{
    Dl_info info = {0};
    char line[512];
    int fd = log_path[0] != '\0' ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    dladdr((const void *)caller, &info);
    int bytes = snprintf(line, sizeof line, "failed in %s at 0x%lx %s\n", info.dli_fname == NULL ? "?" : info.dli_fname,
                         (unsigned long)(caller - (uintptr_t)info.dli_fbase), info.dli_sname == NULL ? "" : info.dli_sname);
    if (fd >= 0 && write(fd, line, (size_t)bytes) == bytes)
        close(fd);
}

static bool is_exempt(void)
{
    void *frames[FRAMES_MAX];
    int depth = backtrace(frames, FRAMES_MAX);
    for (int f = 2; f < depth; f++)
        for (unsigned i = 0; i < exempt_count; i++)
            if ((uintptr_t)frames[f] >= exempt[i].from && (uintptr_t)frames[f] < exempt[i].to)
                return true;
    return false;
}

static bool fails(uintptr_t caller)
{
    if (!counting || within)
        return false;
    unsigned long number = atomic_fetch_add(&count, 1) + 1;
    if (fail_from == 0 || number < fail_from || atomic_load(&left) == 0)
        return false;
    within = true;
    bool failing = !is_exempt() && atomic_fetch_sub(&left, 1) > 0;
    if (failing && !atomic_exchange(&done, true))
        tell(caller);
    within = false;
    if (failing)
        errno = ENOMEM;
    return failing;
}

#define FAILS fails((uintptr_t)__builtin_return_address(0))

void *malloc(size_t bytes)
{
    return FAILS ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t items, size_t bytes)
{
    return FAILS ? NULL : __libc_calloc(items, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return FAILS ? NULL : __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    return FAILS ? NULL : __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return FAILS ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *memory = FAILS ? NULL : __libc_memalign(alignment, bytes);
    if (memory == NULL)
        return ENOMEM;
    *out = memory;
    return 0;
}
