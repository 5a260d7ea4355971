/* admin_why.c — why a job would not go on a line: everything that speaks against it. */
#include "broker/edge/admin_calls.h"

void exchange_put_causes(struct exchange *x, const char *name, bool of_line, const struct line_view *line,
                         const struct cause *causes, size_t count)
{
    json_key(&x->answer.text, name);
    json_open(&x->answer.text, '[');
    for (size_t i = 0; i < count; i++)
        view_cause(&x->answer.text, &causes[i], of_line, view_word_until_ms(line));
    json_close(&x->answer.text, ']');
}

/* {"job","state","line","against":[…]} */
static enum admin_step answer(struct exchange *x, const struct lookup_job *job, const struct line_view *line,
                              const struct cause *causes, size_t count)
{
    struct json_out *out = &x->answer.text;
    char number[JOB_NUMBER_TEXT_MAX];
    job_number_format(job->number, number);
    json_open(out, '{');
    json_key(out, "job");
    json_put_string(out, number);
    json_key(out, "state");
    json_put_string(out, view_state(job->view.state, job->view.reason));
    json_key(out, "line");
    json_put_string(out, x->parts[1]);
    exchange_put_causes(x, "against", false, line, causes, count);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_why_not(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_job job;
    struct cause causes[CAUSES_MAX];
    struct line_view view;
    uint64_t line;
    size_t index, count;
    if (x->has_lookup)
        return exchange_answer_job(turn, x);
    exchange_job(turn, x, false, &job);
    if (!job.is_live || !grant_sees_pool(turn, x, job.view.pool))
        return exchange_ask_job(turn, x, LOOKUP_CANCEL); /* not_found, or already_final */
    enum code code = exchange_line(turn, x, x->parts[1], &line);
    if (code != CODE_NONE || !core_line_find(turn->core, line, &index) ||
        !core_line_view(turn->core, index, turn->now, &view))
        return answer_error(x, CODE_UNKNOWN_LINE, NULL, NULL);
    if (!core_job_causes(turn->core, job.number, index, turn->now, causes, &count))
        return answer_error(x, CODE_NOT_FOUND, NULL, NULL);
    return answer(x, &job, &view, causes, count);
}
