/* fuzz.c — see fuzz.h. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/removal.h"

#define COPIES_MAX 8192

static void *copies[COPIES_MAX];
static size_t copy_count;
static char folder[64], file[80];

_Noreturn void fuzz_fail(const char *where, int line, const char *what)
{
    fprintf(stderr, "%s:%d: broken promise: %s\n", where, line, what);
    abort();
}

unsigned input_byte(struct input *input)
{
    return (unsigned)input_number(input, 1);
}

uint64_t input_number(struct input *input, unsigned bytes)
{
    uint64_t number = 0;
    struct input part = input_take(input, bytes);
    for (size_t i = part.left; i-- > 0;)
        number = number << 8 | part.at[i];
    return number;
}

struct input input_line(struct input *input)
{
    const uint8_t *end = input->left > 0 ? memchr(input->at, '\n', input->left) : NULL;
    struct input line = input_take(input, end == NULL ? input->left : (size_t)(end - input->at));
    input_take(input, 1);
    return line;
}

struct input input_take(struct input *input, size_t bytes)
{
    struct input part = {input->at, bytes < input->left ? bytes : input->left};
    input->left -= part.left;
    if (part.left > 0)
        input->at += part.left;
    return part;
}

static char *keep(size_t bytes)
{
    fuzz_check(copy_count < COPIES_MAX);
    char *copy = malloc(bytes);
    fuzz_check(copy != NULL || bytes == 0);
    copies[copy_count++] = copy;
    return copy;
}

char *input_copy(struct input part)
{
    char *copy = keep(part.left);
    if (part.left > 0)
        memcpy(copy, part.at, part.left);
    return copy;
}

char *input_text(struct input part)
{
    size_t bytes = part.left > 0 ? strnlen((const char *)part.at, part.left) : 0;
    char *copy = keep(bytes + 1);
    if (bytes > 0)
        memcpy(copy, part.at, bytes);
    copy[bytes] = '\0';
    return copy;
}

void fuzz_forget(void)
{
    while (copy_count > 0)
        free(copies[--copy_count]);
}

static void remove_folder(void)
{
    folder_remove(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0] != '\0')
        return folder;
    snprintf(folder, sizeof folder, "%s/lineward-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fuzz_check(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return folder;
}

const char *fuzz_file(const void *data, size_t bytes)
{
    snprintf(file, sizeof file, "%s/input.key", fuzz_folder());
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0);
    fuzz_check(bytes == 0 || write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
    return file;
}
