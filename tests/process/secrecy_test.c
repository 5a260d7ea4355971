/* secrecy_test.c — that the search at the end of every test of processes (secrets.h) finds what is planted, and that
 * a crash leaves no core. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "locked.h"
#include "secrets.h"

static struct locked locked;

static void must_find(const char *what, const char *text, bool found, bool may_hold_messages)
{
    const char *is = secrets_found(&locked.rig, text, strlen(text), may_hold_messages);
    MUST((is != NULL) == found, "%s: found %s", what, is == NULL ? "nothing" : is);
}

START_TEST(the_search_finds_each_kind_of_secret)
{
    char text[512];
    locked_open(&locked, NULL);
    rig_start(&locked.rig, 1);
    const char *const secrets[] = {locked.broker.secret, locked.rig.token, RIG_SECRET, "process-test-key"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        snprintf(text, sizeof text, "event=oops reason=\"%s\"", secrets[i]);
        must_find(secrets[i], text, true, true);
    }
    must_find("a number", "line=+12025550101", true, false);
    must_find("a masked number", "line=+1202*****01", false, false);
    must_find("a message", "text=hello", true, false);
    must_find("a message where it may be", "text=hello +14155550100", false, true);
    must_find("a public key", locked.broker.public, false, false);
    locked_close(&locked); /* with the search itself, beside real keys */
}
END_TEST

static void must_leave_no_core(struct program *program)
{
    program_signal(program, SIGABRT);
    int code = program_wait(program, LIMIT_MS);
    MUST(code == -SIGABRT, "%s ended with %d", program->name, code);
    MUST(!program->dumped, "%s left a core", program->name);
}

START_TEST(a_crash_leaves_no_core)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit before;
    struct producer producer;
    char number[JOB_NUMBER_TEXT_MAX];
    getrlimit(RLIMIT_CORE, &before);
    setrlimit(RLIMIT_CORE, &unlimited); /* where that is allowed */
    rig_open(&locked.rig, NULL);
    rig_start(&locked.rig, 1);
    producer_open(&producer, &locked.rig, locked.rig.port.producers, ZMQ_DEALER);
    producer_enqueue(
        &producer,
        "{\"id\":\"a\",\"to\":\"+14155550100\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
        number, NULL);
    must_leave_no_core(&locked.rig.worker[0]);
    must_leave_no_core(&locked.rig.broker);
    must_leave_no_core(&locked.rig.sandbox);
    producer_close(&producer);
    rig_close(&locked.rig);
    setrlimit(RLIMIT_CORE, &before);
}
END_TEST

/* Options may be shortened as long as it is clear which is meant. */
START_TEST(a_sandbox_blanks_the_secrets_of_shortened_options_too)
{
    rig_open(&locked.rig, NULL);
    locked.rig.sandbox_options[0] = "--api-k";
    locked.rig.sandbox_options[1] = "process-test-key";
    locked.rig.sandbox_options[2] = "--webhook-s=" RIG_SECRET;
    rig_start(&locked.rig, 1);
    rig_close(&locked.rig); /* with the search of its arguments */
}
END_TEST

int main(void)
{
    return RUN_TESTS("secrecy", 60, the_search_finds_each_kind_of_secret, a_crash_leaves_no_core,
                     a_sandbox_blanks_the_secrets_of_shortened_options_too);
}
