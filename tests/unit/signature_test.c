/* Webhook signatures: every vector of the fixtures judged at its own clock, and what hostile headers hold. */
#include "lineward/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/support/suite.h"

#define SIGNED       "tests/fixtures/linq/signed/"
#define SECRET       "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_SECRET "whsec_//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s: run from the project's root", path);
    char *text = malloc(1 << 20);
    *bytes = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

static struct webhook_secret secret_of(const char *text)
{
    struct webhook_secret secret;
    ck_assert_msg(webhook_secret_parse(text, &secret), "%s", text);
    return secret;
}

static enum signature_verdict judge(const char *id, const char *timestamp, const char *signatures, int64_t now_s)
{
    struct webhook_secret secret = secret_of(SECRET);
    return signature_verify(&secret, 1, id, timestamp, signatures, "{}", 2, now_s);
}

START_TEST(every_vector_is_judged_as_the_reference_library_judges_it)
{
    size_t bytes = 0;
    char *text = read_file(SIGNED "vectors.json", &bytes);
    cJSON *document = json_parse(text, bytes, NULL);
    const cJSON *vectors = json_get(document, "vectors");
    ck_assert_int_eq(cJSON_GetArraySize(vectors), 32);
    const cJSON *vector = NULL;
    cJSON_ArrayForEach(vector, vectors)
    {
        char path[256];
        const cJSON *headers = json_get(vector, "headers");
        int64_t now_s = 0;
        ck_assert(json_int(vector, "now", &now_s));
        snprintf(path, sizeof path, SIGNED "%s", json_string(vector, "body_file"));
        size_t body_bytes = 0;
        char *body = read_file(path, &body_bytes);
        struct webhook_secret secret = secret_of(json_string(vector, "secret"));
        enum signature_verdict verdict = signature_verify(
            &secret, 1, json_string(headers, "webhook-id"), json_string(headers, "webhook-timestamp"),
            json_string(headers, "webhook-signature"), body, body_bytes, now_s);
        ck_assert_msg((verdict == SIGNATURE_GOOD) == json_bool(vector, "accept", false), "%s: %d",
                      json_string(vector, "name"), (int)verdict);
        free(body);
    }
    cJSON_Delete(document);
    free(text);
}
END_TEST

START_TEST(what_we_sign_is_what_we_accept)
{
    struct webhook_secret secret = secret_of(SECRET);
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secret, "msg_1", "1000", "{}", 2, signature);
    ck_assert_int_eq(strncmp(signature, "v1,", 3), 0);
    ck_assert_int_eq(judge("msg_1", "1000", signature, 1000), SIGNATURE_GOOD);
    ck_assert_int_eq(judge("msg_1", "01000", signature, 1000), SIGNATURE_BAD); /* the header's own digits */
    ck_assert_int_eq(judge("msg_2", "1000", signature, 1000), SIGNATURE_BAD);
}
END_TEST

/* The example of the Standard Webhooks specification's own libraries. */
START_TEST(a_signature_is_what_the_specifications_libraries_make)
{
    struct webhook_secret secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    static const char body[] = "{\"test\": 2432232314}";
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body, sizeof body - 1, signature);
    ck_assert_str_eq(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
END_TEST

START_TEST(while_secrets_are_rotated_each_signs_in_their_order)
{
    struct webhook_secret secrets[SIGNATURE_SECRETS_MAX + 1];
    char all[SIGNATURES_TEXT_MAX], one[SIGNATURE_TEXT_MAX];
    secrets[0] = secret_of(SECRET);
    secrets[1] = secret_of(OTHER_SECRET);
    signature_make_all(secrets, 2, "msg_1", "1000", "{}", 2, all);
    signature_make(&secrets[0], "msg_1", "1000", "{}", 2, one);
    size_t bytes = strlen(one);
    ck_assert_int_eq(strncmp(all, one, bytes), 0);
    ck_assert_int_eq(all[bytes], ' ');
    signature_make(&secrets[1], "msg_1", "1000", "{}", 2, one);
    ck_assert_str_eq(all + bytes + 1, one);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(signature_verify(&secrets[i], 1, "msg_1", "1000", all, "{}", 2, 1000), SIGNATURE_GOOD);
    for (size_t i = 2; i < SIGNATURE_SECRETS_MAX + 1; i++)
        secrets[i] = secrets[i % 2];
    signature_make_all(secrets, SIGNATURE_SECRETS_MAX + 1, "msg_1", "1000", "{}", 2, all); /* no more than fit */
    ck_assert_uint_eq(strlen(all), SIGNATURE_SECRETS_MAX * (bytes + 1) - 1);
    signature_make_all(secrets, 0, "msg_1", "1000", "{}", 2, all);
    ck_assert_str_eq(all, "");
}
END_TEST

START_TEST(an_empty_body_can_be_signed)
{
    struct webhook_secret secret = secret_of(SECRET);
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secret, "m", "1000", "", 0, signature);
    ck_assert_int_eq(signature_verify(&secret, 1, "m", "1000", signature, NULL, 0, 1000), SIGNATURE_GOOD);
}
END_TEST

START_TEST(any_of_the_secrets_may_have_signed)
{
    struct webhook_secret secrets[] = {secret_of(OTHER_SECRET), secret_of(SECRET)};
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secrets[1], "m", "1000", "{}", 2, signature);
    ck_assert_int_eq(signature_verify(secrets, 2, "m", "1000", signature, "{}", 2, 1000), SIGNATURE_GOOD);
    ck_assert_int_eq(signature_verify(secrets, 1, "m", "1000", signature, "{}", 2, 1000), SIGNATURE_BAD);
    ck_assert_int_eq(signature_verify(secrets, 0, "m", "1000", signature, "{}", 2, 1000), SIGNATURE_BAD);
}
END_TEST

START_TEST(only_a_true_signature_can_be_stale)
{
    struct webhook_secret secret = secret_of(SECRET);
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secret, "m", "1000", "{}", 2, signature);
    ck_assert_int_eq(judge("m", "1000", signature, 1300), SIGNATURE_GOOD);
    ck_assert_int_eq(judge("m", "1000", signature, 1301), SIGNATURE_STALE);
    ck_assert_int_eq(judge("m", "1000", signature, 700), SIGNATURE_GOOD);
    ck_assert_int_eq(judge("m", "1000", signature, 699), SIGNATURE_STALE);
    signature[10] ^= 1;
    ck_assert_int_eq(judge("m", "1000", signature, 1301), SIGNATURE_BAD);
}
END_TEST

START_TEST(an_absent_or_empty_header_is_missing)
{
    ck_assert_int_eq(judge(NULL, "1", "v1,x", 1), SIGNATURE_MISSING);
    ck_assert_int_eq(judge("m", NULL, "v1,x", 1), SIGNATURE_MISSING);
    ck_assert_int_eq(judge("m", "1", NULL, 1), SIGNATURE_MISSING);
    ck_assert_int_eq(judge("", "1", "v1,x", 1), SIGNATURE_MISSING);
    ck_assert_int_eq(judge("m", "", "v1,x", 1), SIGNATURE_MISSING);
    ck_assert_int_eq(judge("m", "1", "", 1), SIGNATURE_MISSING);
}
END_TEST

START_TEST(a_timestamp_is_digits_and_nothing_else)
{
    static const char *const stamps[] = {"-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "9999999999999999999", "soon"};
    struct webhook_secret secret = secret_of(SECRET);
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        char signature[SIGNATURE_TEXT_MAX];
        signature_make(&secret, "m", stamps[i], "{}", 2, signature);
        ck_assert_msg(judge("m", stamps[i], signature, 1) == SIGNATURE_BAD, "%s", stamps[i]);
    }
    char signature[SIGNATURE_TEXT_MAX];
    signature_make(&secret, "m", "999999999999999999", "{}", 2, signature);
    ck_assert_int_eq(judge("m", "999999999999999999", signature, 1), SIGNATURE_STALE);
}
END_TEST

START_TEST(odd_signature_lists_are_refused_and_odd_blanks_are_not)
{
    struct webhook_secret secret = secret_of(SECRET);
    char good[SIGNATURE_TEXT_MAX], list[4 * SIGNATURE_TEXT_MAX];
    signature_make(&secret, "m", "1", "{}", 2, good);
    static const char *const wrong[] = {"%sx", "x%s", "v1,%s", "%s,", "V1,%s"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *format = wrong[i];
        const char *hole = strstr(format, "%s");
        snprintf(list, sizeof list, "%.*s%s%s", (int)(hole - format), format, good, hole + 2);
        ck_assert_msg(judge("m", "1", list, 1) == SIGNATURE_BAD, "%s", list);
    }
    ck_assert_int_eq(judge("m", "1", " ", 1), SIGNATURE_BAD);
    snprintf(list, sizeof list, "  v0,a  %s   v9 ", good);
    ck_assert_int_eq(judge("m", "1", list, 1), SIGNATURE_GOOD);
}
END_TEST

START_TEST(secrets_are_base64_with_prefix_and_padding_optional)
{
    struct webhook_secret secret;
    ck_assert(webhook_secret_parse("whsec_AAEC", &secret));
    ck_assert_uint_eq(secret.key_bytes, 3);
    ck_assert_uint_eq(secret.key[2], 2);
    ck_assert(webhook_secret_parse("AAECAw==", &secret));
    ck_assert_uint_eq(secret.key_bytes, 4);
    ck_assert(webhook_secret_parse("AAECAw", &secret));
    ck_assert_uint_eq(secret.key_bytes, 4);
}
END_TEST

START_TEST(what_is_no_secret_is_refused_and_touches_nothing)
{
    static const char *const wrong[] = {"", "whsec_", "whsec_!!!!", "AAE C", "AAEC\n", "AAECAw=", "A", "AA-_"};
    struct webhook_secret secret = {.key_bytes = 77};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!webhook_secret_parse(wrong[i], &secret), "%s", wrong[i]);
    ck_assert(!webhook_secret_parse(NULL, &secret));
    char too_long[4 * SIGNATURE_KEY_BYTES_MAX];
    memset(too_long, 'A', sizeof too_long);
    too_long[(SIGNATURE_KEY_BYTES_MAX / 3 + 2) * 4] = '\0';
    ck_assert(!webhook_secret_parse(too_long, &secret));
    ck_assert_uint_eq(secret.key_bytes, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signature");
    TCase *tests = tcase_create("signature");
    tcase_add_test(tests, every_vector_is_judged_as_the_reference_library_judges_it);
    tcase_add_test(tests, what_we_sign_is_what_we_accept);
    tcase_add_test(tests, a_signature_is_what_the_specifications_libraries_make);
    tcase_add_test(tests, while_secrets_are_rotated_each_signs_in_their_order);
    tcase_add_test(tests, an_empty_body_can_be_signed);
    tcase_add_test(tests, any_of_the_secrets_may_have_signed);
    tcase_add_test(tests, only_a_true_signature_can_be_stale);
    tcase_add_test(tests, an_absent_or_empty_header_is_missing);
    tcase_add_test(tests, a_timestamp_is_digits_and_nothing_else);
    tcase_add_test(tests, odd_signature_lists_are_refused_and_odd_blanks_are_not);
    tcase_add_test(tests, secrets_are_base64_with_prefix_and_padding_optional);
    tcase_add_test(tests, what_is_no_secret_is_refused_and_touches_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
