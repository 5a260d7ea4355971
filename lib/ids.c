/* ids.c — the shapes of names, numbers and keys. Pure, and independent of the locale. */
#include "lineward/ids.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool name_is_valid(const char *text)
{
    size_t bytes = 0;
    for (; text != NULL && text[bytes] != '\0'; bytes++) {
        char c = text[bytes];
        if (bytes == NAME_MAX_BYTES || (!is_letter(c) && !is_digit(c) && c != '_' && c != '.' && c != '-'))
            return false;
    }
    return bytes > 0;
}

bool producer_id_is_valid(const char *text)
{
    size_t bytes = 0;
    for (; text != NULL && text[bytes] != '\0'; bytes++) {
        if (bytes == PRODUCER_ID_MAX_BYTES || text[bytes] < 0x20 || text[bytes] > 0x7e)
            return false;
    }
    return bytes > 0 && strncmp(text, "j_", 2) != 0;
}

bool e164_is_valid(const char *text)
{
    if (text == NULL || text[0] != '+' || text[1] < '1' || text[1] > '9')
        return false;
    size_t bytes = 2;
    while (bytes < E164_MAX_BYTES && is_digit(text[bytes]))
        bytes++;
    return bytes > 2 && text[bytes] == '\0';
}

/* No comma: recipients of a group are joined by commas in paths and keys. */
static bool email_is_valid(const char *text)
{
    size_t bytes = 0;
    size_t at_signs = 0;
    for (; text[bytes] != '\0'; bytes++) {
        char c = text[bytes];
        if (bytes == HANDLE_MAX_BYTES || c <= 0x20 || c > 0x7e || c == ',')
            return false;
        at_signs += c == '@';
    }
    return at_signs == 1 && text[0] != '@' && text[bytes - 1] != '@';
}

bool handle_normalize(const char *text, char out[HANDLE_MAX_BYTES + 1])
{
    if (text == NULL || (!e164_is_valid(text) && !email_is_valid(text)))
        return false;
    size_t i = 0;
    for (; text[i] != '\0'; i++)
        out[i] = lower(text[i]);
    out[i] = '\0';
    return true;
}

static void mask_number(const char *number, char *out)
{
    size_t bytes = strlen(number);
    bool is_short = bytes < 10; /* of these, five and two would be nearly all */
    size_t head = is_short ? 2 : 5;
    size_t tail = is_short ? 0 : 2;
    memset(out, '*', bytes);
    memcpy(out, number, head);
    memcpy(out + bytes - tail, number + bytes - tail, tail);
    out[bytes] = '\0';
}

void handle_mask(const char *handle, char out[HANDLE_MAX_BYTES + 1])
{
    if (handle != NULL && e164_is_valid(handle)) {
        mask_number(handle, out);
        return;
    }
    if (handle != NULL && email_is_valid(handle)) {
        static const char rest[] = "***@***";
        out[0] = handle[0];
        memcpy(out + 1, rest, sizeof rest);
        return;
    }
    memcpy(out, "***", 4);
}

/* Prefix of two characters, then base 36. `out` has room for 2 + 13 + 1. */
static void base36_format(const char *prefix, uint64_t number, char *out)
{
    char reversed[16];
    size_t digits = 0;
    do {
        reversed[digits++] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
        number /= 36;
    } while (number != 0);
    memcpy(out, prefix, 2);
    for (size_t i = 0; i < digits; i++)
        out[2 + i] = reversed[digits - 1 - i];
    out[2 + digits] = '\0';
}

/* Reads what base36_format wrote, and only that, up to `end`; NULL: it is not that. */
static const char *base36_take(const char *prefix, const char *text, char end, uint64_t *out)
{
    if (text == NULL || strncmp(text, prefix, 2) != 0)
        return NULL;
    const char *first = text + 2;
    const char *at = first;
    uint64_t number = 0;
    for (; *at != end; at++) {
        unsigned digit = 0;
        if (is_digit(*at))
            digit = (unsigned)(*at - '0');
        else if (*at >= 'a' && *at <= 'z')
            digit = (unsigned)(*at - 'a') + 10;
        else
            return NULL;
        if (number > (UINT64_MAX - digit) / 36)
            return NULL;
        number = number * 36 + digit;
    }
    if (at == first || (*first == '0' && at != first + 1))
        return NULL;
    *out = number;
    return at;
}

void job_number_format(uint64_t number, char out[JOB_NUMBER_TEXT_MAX])
{
    base36_format("j_", number, out);
}

bool job_number_parse(const char *text, uint64_t *out)
{
    return base36_take("j_", text, '\0', out) != NULL;
}

void lease_format(uint64_t lease, char out[LEASE_TEXT_MAX])
{
    base36_format("l_", lease, out);
}

bool lease_parse(const char *text, uint64_t *out)
{
    return base36_take("l_", text, '\0', out) != NULL;
}

void idempotency_key_format(uint64_t number, const uint8_t random[KEY_RANDOM_BYTES],
                            char out[IDEMPOTENCY_KEY_TEXT_MAX])
{
    base36_format("j_", number, out);
    char *at = out + strlen(out);
    *at++ = '-';
    for (size_t i = 0; i < KEY_RANDOM_BYTES; i++) {
        *at++ = "0123456789abcdef"[random[i] >> 4];
        *at++ = "0123456789abcdef"[random[i] & 15];
    }
    *at = '\0';
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool idempotency_key_parse(const char *text, uint64_t *number, uint8_t random[KEY_RANDOM_BYTES])
{
    uint64_t job = 0;
    uint8_t bytes[KEY_RANDOM_BYTES];
    const char *at = base36_take("j_", text, '-', &job);
    if (at == NULL || strlen(++at) != 2 * KEY_RANDOM_BYTES)
        return false;
    for (size_t i = 0; i < KEY_RANDOM_BYTES; i++) {
        int high = hex_digit(at[2 * i]);
        int low = hex_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *number = job;
    memcpy(random, bytes, sizeof bytes);
    return true;
}
