/* witness_explain.c — what the core says of a job and of the lines, for whoever has to find out why. */
#include <inttypes.h>

#include "broker/broker_part.h"
#include "tests/sim/house.h"
#include "tests/sim/witness.h"

void witness_explain(int job)
{
    struct broker *broker = house_broker();
    struct job_view view;
    if (broker == NULL || !core_job_view(broker->core, cast_jobs[job].number, broker->now, &view)) {
        note(about_job(job), "the core does not know job %d", job);
        return;
    }
    note(about_job(job), "now %" PRId64 "/%" PRId64 ": job %d %s %s line %" PRIu64 " due %" PRId64 " attempts %u ahead %u",
         broker->now.wall_ms - BEGIN_MS, broker->now.mono_ms, job, job_state_name(view.state), reason_name(view.reason),
         view.line, view.due_ms == 0 ? 0 : view.due_ms - BEGIN_MS, view.attempts, view.ahead);
    note(about_job(job), "its chat %s since %" PRId64 ", %u unanswered, last out %" PRId64 " in %" PRId64 ", release %" PRId64,
         chat_health_name(view.chat.health), view.chat.health_at_ms - BEGIN_MS, view.chat.unanswered,
         view.chat.last_out_ms - BEGIN_MS, view.chat.last_in_ms - BEGIN_MS, view.release_at_ms - BEGIN_MS);
    for (size_t l = 0; l < core_line_count(broker->core); l++) {
        struct line_view line;
        if (!core_line_view(broker->core, l, broker->now, &line))
            continue;
        note(about_job(job), "line %" PRIu64 " %s/%s %s gate %s %s heard %" PRId64 " ramp %u pace %.1f", line.number % 10,
             reputation_name(line.status), reputation_name(line.proven), service_name(line.service),
             gate_name(line.gate), reason_name(line.reason), line.heard_at_ms - BEGIN_MS, line.ramp_percent,
             line.pace_per_min);
    }
}
