/* fuzz.h — what the fuzz targets share. A target is one file: LLVMFuzzerTestOneInput() gives its bytes to one reader of
 * bytes from outside and checks, beside what the sanitizers see, what that reader promises. It begins each time from the
 * same state, so that an input that fails once fails always.
 *
 * Two mains drive them: libFuzzer's (`make fuzz`), and replay.c (`make check`). */
#ifndef LINEWARD_TESTS_FUZZ_H
#define LINEWARD_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A promise was broken: says which and aborts. */
#define fuzz_check(condition)                                                                                        \
    do {                                                                                                             \
        if (!(condition))                                                                                            \
            fuzz_fail(__FILE__, __LINE__, #condition);                                                               \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* What is left of an input. */
struct input {
    const uint8_t *at;
    size_t left;
};

unsigned input_byte(struct input *input);          /* 0 when nothing is left */
uint64_t input_number(struct input *input, unsigned bytes); /* little-endian, at most 8 bytes */
/* Up to the next line's end, which is taken as well; all that is left if there is none. */
struct input input_line(struct input *input);
struct input input_take(struct input *input, size_t bytes);

/* A copy in memory of exactly that size, so that the sanitizers see one byte too far. Kept until fuzz_forget(). */
char *input_copy(struct input part);
/* The same with a terminator behind it, cut at the first zero byte. */
char *input_text(struct input part);
void fuzz_forget(void);

/* The bytes as a file, for readers that take a path; the same path each time, gone with the process. */
const char *fuzz_file(const void *data, size_t bytes);
const char *fuzz_folder(void); /* where it lies: a folder of this process's own */

#endif
