/* What the service manager is told, and that nobody else is. */
#include "lineward/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"

static int manager;
static char name[64];

static void listen_at(bool abstract)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static unsigned count;
    snprintf(name, sizeof name, "%s/tmp/lineward-notify-%ld-%u", abstract ? "@" : "", (long)getpid(), ++count);
    memcpy(at.sun_path, name, strlen(name));
    if (abstract)
        at.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&at, (socklen_t)(sizeof at.sun_family + strlen(name))), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open();
}

static void end(void)
{
    notify_close();
    close(manager);
    unlink(name);
}

/* The next datagram; "" if there is none. */
static const char *heard(void)
{
    static char text[256];
    ssize_t bytes = recv(manager, text, sizeof text - 1, MSG_DONTWAIT);
    text[bytes < 0 ? 0 : bytes] = '\0';
    return text;
}

START_TEST(without_a_manager_nothing_happens)
{
    unsetenv("NOTIFY_SOCKET");
    notify_open();
    notify_ready();
    notify_turn(1000);
    ck_assert_int_eq(notify_next_mono_ms(), TIME_NEVER);
    setenv("NOTIFY_SOCKET", "nonsense", 1);
    notify_open();
    notify_ready();
    notify_close();
}
END_TEST

START_TEST(each_step_of_a_life_is_told)
{
    for (int abstract = 0; abstract < 2; abstract++) {
        listen_at(abstract);
        notify_starting(30000);
        ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=30000000");
        notify_ready();
        ck_assert_str_eq(heard(), "READY=1");
        notify_reloading();
        ck_assert_int_eq(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
        notify_stopping();
        ck_assert_str_eq(heard(), "STOPPING=1");
        notify_turn(1);
        ck_assert_str_eq(heard(), ""); /* nobody asked for it */
        end();
    }
}
END_TEST

START_TEST(a_watchdog_is_fed_twice_as_often_as_it_asks)
{
    setenv("WATCHDOG_USEC", "10000000", 1);
    listen_at(true);
    notify_turn(1000);
    ck_assert_str_eq(heard(), "WATCHDOG=1");
    ck_assert_int_eq(notify_next_mono_ms(), 6000);
    notify_turn(5999);
    ck_assert_str_eq(heard(), "");
    notify_turn(6000);
    ck_assert_str_eq(heard(), "WATCHDOG=1");
    end();
}
END_TEST

START_TEST(the_watchdog_of_another_process_is_not_ours)
{
    setenv("WATCHDOG_USEC", "10000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    listen_at(true);
    ck_assert_int_eq(notify_next_mono_ms(), TIME_NEVER);
    end();
}
END_TEST

START_TEST(children_do_not_inherit_it)
{
    setenv("WATCHDOG_USEC", "10000000", 1);
    listen_at(true);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tests = tcase_create("notify");
    tcase_add_test(tests, without_a_manager_nothing_happens);
    tcase_add_test(tests, each_step_of_a_life_is_told);
    tcase_add_test(tests, a_watchdog_is_fed_twice_as_often_as_it_asks);
    tcase_add_test(tests, the_watchdog_of_another_process_is_not_ours);
    tcase_add_test(tests, children_do_not_inherit_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
