/* replay.c — drives one fuzz target without libFuzzer: every file that is named (of a folder, every file in it) is given
 * to it as it is, then a fixed number of inputs drawn from them. The same files and the same seed give the same inputs.
 *
 *   build/sanitized/tests/fuzz/NAME [-runs=N] [-seed=N] [-artifact_prefix=PATH] FILE|FOLDER...
 *
 * When the target dies its input is written to PATHcrash, to be given to it again. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096
#define INPUT_MAX (1024 * 1024)
#define EDITS_MAX 6

struct item {
    char *path;
    uint8_t *data;
    size_t bytes;
};

static struct item items[FILES_MAX];
static size_t item_count;
static uint64_t random_state;
static uint8_t buffer[INPUT_MAX];
static const uint8_t *current;
static size_t current_bytes;
static const char *artifact_prefix = "";

/* ---- when the target dies ---- */

static void keep_input(void)
{
    char path[512];
    snprintf(path, sizeof path, "%scrash", artifact_prefix);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (current == NULL || fd < 0 || write(fd, current, current_bytes) != (ssize_t)current_bytes)
        return;
    dprintf(STDERR_FILENO, "the input is kept in %s\n", path);
}

static void on_abort(int signal)
{
    keep_input();
    _exit(1);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* ---- files ---- */

static void add_file(const char *path)
{
    fuzz_check(item_count < FILES_MAX);
    struct item *item = &items[item_count++];
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(2);
    }
    item->bytes = fread(buffer, 1, sizeof buffer, file);
    item->path = strdup(path);
    item->data = malloc(item->bytes + 1);
    fuzz_check(item->path != NULL && item->data != NULL);
    memcpy(item->data, buffer, item->bytes);
    fclose(file);
}

static void add(const char *path)
{
    struct stat what;
    struct dirent **names = NULL;
    if (stat(path, &what) != 0 || !S_ISDIR(what.st_mode)) {
        add_file(path);
        return;
    }
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inside[1024];
        snprintf(inside, sizeof inside, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            add(inside);
        free(names[i]);
    }
    free(names);
}

/* ---- inputs ---- */

static size_t draw(size_t below)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t x = random_state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return below > 0 ? (size_t)((x ^ x >> 31) % below) : 0;
}

static size_t insert(size_t bytes, size_t at, const uint8_t *data, size_t count)
{
    if (count == 0 || bytes + count > sizeof buffer)
        return bytes;
    memmove(buffer + at + count, buffer + at, bytes - at);
    memcpy(buffer + at, data, count);
    return bytes + count;
}

static size_t edit(size_t bytes)
{
    static const uint8_t telling[] = {0, 1, 9, 10, 13, 32, 34, 44, 45, 48, 57, 91, 92, 93, 123, 125, 127, 128, 192, 255};
    static uint8_t piece[256];
    size_t at = draw(bytes), count = 1 + draw(16);
    const struct item *other = &items[draw(item_count)];
    switch (draw(6)) {
    case 0: /* a bit */
        if (bytes > 0)
            buffer[at] ^= (uint8_t)(1u << draw(8));
        return bytes;
    case 1: /* a byte that means something somewhere */
        if (bytes > 0)
            buffer[at] = telling[draw(sizeof telling)];
        return bytes;
    case 2: /* some bytes less */
        count = count < bytes - at ? count : bytes - at;
        memmove(buffer + at, buffer + at + count, bytes - at - count);
        return bytes - count;
    case 3: /* all from here on */
        return draw(4) == 0 ? at : bytes;
    case 4: /* a piece of its own once more */
        count = count < bytes - at ? count : bytes - at;
        memcpy(piece, buffer + at, count);
        return insert(bytes, draw(bytes + 1), piece, count);
    default: /* a piece of another one */
        at = draw(other->bytes);
        count = 1 + draw(sizeof piece - 1);
        count = count < other->bytes - at ? count : other->bytes - at;
        return insert(bytes, draw(bytes + 1), other->data + at, count);
    }
}

static void run(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes);
    fuzz_check(exact != NULL || bytes == 0);
    if (bytes > 0)
        memcpy(exact, data, bytes);
    current = exact;
    current_bytes = bytes;
    LLVMFuzzerTestOneInput(exact, bytes);
    current = NULL;
    free(exact);
}

static void run_drawn(void)
{
    size_t bytes = 0;
    if (item_count > 0) {
        const struct item *item = &items[draw(item_count)];
        memcpy(buffer, item->data, bytes = item->bytes);
    }
    for (size_t edits = 1 + draw(EDITS_MAX); edits > 0; edits--)
        bytes = edit(bytes);
    run(buffer, bytes);
}

int main(int argc, char **argv)
{
    unsigned long runs = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0)
            runs = strtoul(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            random_state = strtoull(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-artifact_prefix=", 17) == 0)
            artifact_prefix = argv[i] + 17;
        else
            add(argv[i]);
    }
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(keep_input);
    run(NULL, 0);
    for (size_t i = 0; i < item_count; i++)
        run(items[i].data, items[i].bytes);
    for (unsigned long i = 0; i < runs; i++)
        run_drawn();
    printf("%zu inputs replayed, %lu drawn from them\n", item_count, runs);
    for (size_t i = 0; i < item_count; i++) {
        free(items[i].path);
        free(items[i].data);
    }
    return 0;
}
