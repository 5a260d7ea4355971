/* json_scan.h — inside lib/: the strict grammar check that json_parse() makes before cJSON sees a byte. */
#ifndef LINEWARD_JSON_SCAN_H
#define LINEWARD_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Is text[0..bytes) one JSON document (RFC 8259), whole, UTF-8, at most JSON_DEPTH_MAX deep, with no \u0000, no
 * half surrogate pair and no number that overflows a double? NULL: yes; else a sentence of static lifetime. */
const char *json_scan_fault(const char *text, size_t bytes);
const char *json_scan_answer_fault(const char *text, size_t bytes); /* at most JSON_ANSWER_DEPTH_MAX deep */
/* Makes each escape that names no character to us (\u0000, half a surrogate pair) one of U+FFFD, in place. */
void json_replace_no_characters(char *text, size_t bytes);
/* The faults of values that JSON allows and we do not take. */
extern const char json_fault_nul[], json_fault_digits[], json_fault_range[];

/* Bytes of the UTF-8 sequence at `at` (before `end`), 0 if it is none. Shortest forms only, no surrogates. */
size_t json_utf8_length(const char *at, const char *end);

/* How many bytes from `at` on need neither escaping nor a closer look: ASCII but quote, backslash and controls. */
size_t json_plain_run(const char *at, const char *end);

/* Scanning a document that json_scan_fault() took. */
const char *json_skip_blanks(const char *at, const char *end);
/* `at` is on a string's opening quote; the place behind the closing one. */
const char *json_skip_string(const char *at);
/* The place behind the value that begins at `at`. */
const char *json_skip_value(const char *at, const char *end);

#endif
