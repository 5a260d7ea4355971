/* What a program asks of the system for itself. */
#include "lineward/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"

/* 0, or the step that was wrong. */
static int begin_without_standard_files(void)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    process_hold_standard();
    int file = open("/dev/zero", O_RDWR | O_CLOEXEC);
    char byte = 'x';
    if (file <= STDERR_FILENO)
        return 1;
    if (read(STDIN_FILENO, &byte, 1) != 0)
        return 2;
    if (write(STDOUT_FILENO, &byte, 1) >= 0 || errno != EBADF)
        return 3;
    return write(STDERR_FILENO, &byte, 1) >= 0 || errno != EBADF ? 4 : 0;
}

START_TEST(what_was_closed_at_the_start_is_no_file_of_ours_later)
{
    int status = -1;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(begin_without_standard_files());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(what_is_open_stays_what_it_is)
{
    int ends[2];
    char byte = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        process_hold_standard();
        _exit(write(STDOUT_FILENO, "x", 1) == 1 ? 0 : 1);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");
    tcase_add_test(tests, what_was_closed_at_the_start_is_no_file_of_ours_later);
    tcase_add_test(tests, what_is_open_stays_what_it_is);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
