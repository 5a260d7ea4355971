/* cmd_top.c — `linewardctl top`: looks at the broker again and again and draws that on the whole terminal; anywhere else,
 * or with --once, two looks and one page. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"
#include "http.h"
#include "lineward/clock.h"
#include "lineward/json.h"
#include "top.h"

#define EVERY_MS       2000
#define FIRST_EVERY_MS 500 /* how fast things go is known after a second look: soon */
#define PAGES_MAX      5   /* of 1,000 lines */
#define HEIGHT_PLAIN   INT_MAX
#define SCREEN_BEGIN   "\033[?1049h\033[?25l"
#define SCREEN_END     "\033[?25h\033[?1049l"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- looking ---- */

/* Moves a page's lines to the list; the next page's name, or NULL. */
static char *take_lines(struct top_look *look, cJSON *page)
{
    cJSON *rows = cJSON_GetObjectItemCaseSensitive(page, "lines");
    const char *next = json_string(page, "next");
    while (rows != NULL && rows->child != NULL)
        cJSON_AddItemToArray(look->lines, cJSON_DetachItemFromArray(rows, 0));
    return next == NULL ? NULL : strdup(next);
}

static int ask_lines(const struct ctl *ctl, struct top_look *look)
{
    int code = EXIT_DONE;
    char *after = NULL;
    look->lines = cJSON_CreateArray();
    for (int page = 0; page < PAGES_MAX && code == EXIT_DONE && (page == 0 || after != NULL); page++) {
        struct http_answer answer = {0};
        char *path = strdup("/v1/lines");
        if (path == NULL || !http_query(&path, "limit", "1000") || !http_query(&path, "after", after))
            code = ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
        else
            code = http_ask(ctl, "GET", path, NULL, &answer);
        free(path);
        free(after);
        after = code == EXIT_DONE ? take_lines(look, answer.json) : NULL;
        http_answer_free(&answer);
    }
    look->more = after != NULL;
    free(after);
    return code;
}

static int look_at(const struct ctl *ctl, struct top *top)
{
    struct http_answer answer = {0};
    struct top_look look = {0};
    int code = http_ask(ctl, "GET", "/v1/status", NULL, &answer);
    if (code == EXIT_DONE) {
        look.status = answer.json;
        answer.json = NULL;
        http_answer_free(&answer);
        code = ask_lines(ctl, &look);
        look.mono_ms = clock_read().mono_ms;
    }
    if (code == EXIT_DONE) {
        top_take(top, &look);
    } else {
        cJSON_Delete(look.status);
        cJSON_Delete(look.lines);
    }
    return code;
}

/* ---- the terminal ---- */

struct view {
    const struct ctl *ctl;
    struct top top;
    struct termios before;
    int from, rows;
    bool still, over;
    char problem[256]; /* of the last look; "": none */
};

/* On the whole screen, each line over what stood there before. */
static void draw(struct view *view)
{
    char notice[320], *text = NULL;
    size_t bytes = 0;
    struct winsize size = {.ws_row = 24};
    FILE *out = view->ctl->out, *page = open_memstream(&text, &bytes);
    ioctl(fileno(out), TIOCGWINSZ, &size);
    if (page == NULL)
        return;
    snprintf(notice, sizeof notice, "%s%sby %s; q ends, s sorts, arrows move, space %s", view->problem,
             view->problem[0] != '\0' ? "; " : "", top_order_names[view->top.order], view->still ? "goes on" : "stands still");
    struct screen screen = screen_of(out, clock_read().wall_ms);
    view->rows = top_draw(&view->top, page, &screen, size.ws_row - 1, view->from, notice);
    fclose(page);
    fputs("\033[H", out);
    for (const char *line = text; *line != '\0';) {
        int wide = (int)strcspn(line, "\n");
        fprintf(out, "%.*s\033[K\n", wide, line);
        line += wide + (line[wide] == '\n');
    }
    fputs("\033[J", out);
    fflush(out);
    free(text);
}

static void scroll(struct view *view, int by)
{
    view->from += by;
    if (view->from > view->rows - 1)
        view->from = view->rows - 1;
    if (view->from < 0)
        view->from = 0;
}

static void on_keys(struct view *view, const char *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool arrow = i + 2 < count && keys[i] == '\033' && keys[i + 1] == '[';
        if (arrow && (keys[i + 2] == 'A' || keys[i + 2] == 'B'))
            scroll(view, keys[i + 2] == 'A' ? -1 : 1);
        else if (arrow && (keys[i + 2] == '5' || keys[i + 2] == '6'))
            scroll(view, keys[i + 2] == '5' ? -20 : 20);
        if (arrow)
            i += 2;
        else if (keys[i] == 'q')
            view->over = true;
        else if (keys[i] == 's')
            view->top.order = (view->top.order + 1) % TOP_ORDER_COUNT;
        else if (keys[i] == ' ')
            view->still = !view->still;
    }
}

/* Until it is time to look again. */
static void wait_for_keys(struct view *view, int64_t until_ms)
{
    while (!view->over && !interrupted) {
        int64_t left = until_ms - clock_read().mono_ms;
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        char keys[32];
        if (left <= 0 || poll(&in, 1, (int)left) == 0)
            return;
        ssize_t got = (in.revents & (POLLIN | POLLHUP)) != 0 ? read(STDIN_FILENO, keys, sizeof keys) : -1;
        if (got == 0)
            view->over = true;
        if (got > 0)
            on_keys(view, keys, (size_t)got);
        draw(view);
    }
}

/* What goes wrong later is told in the picture, and tried again. */
static void look_again(struct view *view)
{
    char *said = NULL;
    size_t bytes = 0;
    struct ctl quiet = *view->ctl;
    quiet.interrupted = &interrupted;
    quiet.err = open_memstream(&said, &bytes);
    if (quiet.err == NULL)
        return;
    int code = look_at(&quiet, &view->top);
    fclose(quiet.err);
    said[strcspn(said, "\n")] = '\0';
    snprintf(view->problem, sizeof view->problem, "%s", code == EXIT_DONE ? "" : said);
    free(said);
}

static void watch(struct view *view, int64_t every_ms)
{
    int64_t next_ms = clock_read().mono_ms + (every_ms < FIRST_EVERY_MS ? every_ms : FIRST_EVERY_MS);
    while (!view->over && !interrupted) {
        draw(view);
        wait_for_keys(view, next_ms);
        next_ms = clock_read().mono_ms + every_ms;
        if (!view->still && !view->over && !interrupted)
            look_again(view);
    }
}

static int watch_on_terminal(struct view *view, int64_t every_ms)
{
    static const int ends[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    struct termios raw;
    struct sigaction action = {.sa_handler = on_signal};
    tcgetattr(STDIN_FILENO, &view->before);
    raw = view->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* the shell would find the terminal so */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        sigaction(ends[i], &action, NULL);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs(SCREEN_BEGIN, view->ctl->out);
    watch(view, every_ms);
    fputs(SCREEN_END, view->ctl->out);
    tcsetattr(STDIN_FILENO, TCSANOW, &view->before);
    return EXIT_DONE;
}

/* Two looks, so that it is known how fast things go. */
static int print_once(struct view *view, int64_t every_ms)
{
    poll(NULL, 0, (int)(every_ms < FIRST_EVERY_MS ? every_ms : FIRST_EVERY_MS));
    int code = look_at(view->ctl, &view->top);
    if (code == EXIT_DONE)
        top_draw(&view->top, view->ctl->out, &view->ctl->view, HEIGHT_PLAIN, 0, NULL);
    return code;
}

int command_top(const struct ctl *ctl, const struct args *args)
{
    struct view view = {.ctl = ctl};
    int64_t every_ms = EVERY_MS;
    const char *every = args_option(args, "every"), *sort = args_option(args, "sort");
    if (ctl->json)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "top is for people: status and lines answer in JSON");
    if (every != NULL && (!duration_parse(every, &every_ms) || every_ms < 100 || every_ms > 3600000))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--every is a span from 100ms to 1h, not %s", every);
    if (sort != NULL && !top_order_parse(sort, &view.top.order))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--sort is held, rate, eta or line, not %s", sort);
    int code = look_at(ctl, &view.top);
    bool live = !args_flag(args, "once") && fileno(ctl->out) >= 0 && isatty(fileno(ctl->out)) && isatty(STDIN_FILENO);
    if (code == EXIT_DONE)
        code = live ? watch_on_terminal(&view, every_ms) : print_once(&view, every_ms);
    top_free(&view.top);
    return code;
}
