/* bench.c — clock, giving up, and the 400-byte job. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lineward/ids.h"

#define MARK             "bench-job "
#define NUMBER_DIGITS    19
#define RECIPIENT_DIGITS 7
#define RECIPIENT_STRIDE 7919u /* a prime: visits every recipient, neighbours far apart */

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void wait_until_ns(int64_t when_ns)
{
    struct timespec when = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        ;
}

void die(const char *format, ...)
{
    int why = errno;
    size_t bytes = strlen(format);
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (bytes > 0 && format[bytes - 1] == ':')
        fprintf(stderr, " %s", strerror(why));
    fputc('\n', stderr);
    _Exit(1); /* other threads may be at work: no destructors under their feet */
}

int64_t number_argument(const char *text, const char *name, int64_t min, int64_t max)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        die("%s: '%s' is no number from %lld to %lld", name, text, (long long)min, (long long)max);
    return value;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t quantile(int64_t *values, size_t count, double share)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare);
    size_t index = (size_t)(share * (double)count);
    return values[index < count ? index : count - 1];
}

void document_form_init(struct document_form *form, const char *from)
{
    static const char end[] = "\"}]}}";
    static const char zeros[NUMBER_DIGITS + 1] = "0000000000000000000";
    char *text = form->document.text;
    char pin[E164_MAX_BYTES + 16] = "";
    if (from != NULL)
        snprintf(pin, sizeof pin, "\"from\":\"%s\",", from);
    int bytes = snprintf(text, DOCUMENT_BYTES, "{\"id\":\"bench-%08x-%s\",%s\"to\":\"+1202%.*s\",",
                         (unsigned)getpid(), zeros, pin, RECIPIENT_DIGITS, zeros);
    size_t head = (size_t)bytes;
    form->id_at = sizeof "{\"id\":\"bench-00000000-" - 1;
    form->to_at = head - RECIPIENT_DIGITS - 2;
    bytes = snprintf(text + head, DOCUMENT_BYTES - head,
                     "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"" MARK "%s %s ", zeros, zeros);
    head += (size_t)bytes;
    form->written_at = head - NUMBER_DIGITS - 1;
    form->number_at = form->written_at - NUMBER_DIGITS - 1;
    memset(text + head, 'x', DOCUMENT_BYTES - head);
    memcpy(text + DOCUMENT_BYTES - (sizeof end - 1), end, sizeof end - 1);
}

static void write_digits(char *out, size_t digits, uint64_t value)
{
    for (; digits > 0; value /= 10)
        out[--digits] = (char)('0' + value % 10);
}

void document_write(struct document *out, const struct document_form *form, uint64_t number, uint64_t recipient,
                    int64_t written_ns)
{
    *out = form->document;
    write_digits(out->text + form->id_at, NUMBER_DIGITS, number);
    write_digits(out->text + form->to_at, RECIPIENT_DIGITS, recipient);
    write_digits(out->text + form->number_at, NUMBER_DIGITS, number);
    write_digits(out->text + form->written_at, NUMBER_DIGITS, (uint64_t)written_ns);
}

bool document_read(const char *text, size_t bytes, uint64_t *number, int64_t *written_ns)
{
    const char *mark = memmem(text, bytes, MARK, sizeof MARK - 1);
    if (mark == NULL)
        return false;
    const char *first = mark + sizeof MARK - 1;
    if ((size_t)(text + bytes - first) < 2 * (NUMBER_DIGITS + 1))
        return false;
    *number = strtoull(first, NULL, 10); /* ends at the blank, which is within */
    *written_ns = strtoll(first + NUMBER_DIGITS + 1, NULL, 10);
    return true;
}

uint64_t recipient_of(uint64_t number, uint64_t recipients)
{
    return number * RECIPIENT_STRIDE % recipients;
}
