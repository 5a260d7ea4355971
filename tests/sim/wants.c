/* wants.c — see wants.h. */
#include "tests/sim/wants.h"

#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/house.h"
#include "tests/sim/provider.h"
#include "tests/sim/whereabouts.h"
#include "tests/sim/witness_lines.h"

#define SURELY_US (30 * US_S) /* from the grant to the JOB it takes less */
#define NO_HOME   (-1)

static const struct zone {
    const char *name;
    int east_min; /* all year */
} zones[] = {{"Asia/Tokyo", 540}, {"Asia/Kolkata", 330}, {"America/Phoenix", -420}, {"Africa/Lagos", 60}, {"UTC", 0}};
#define ZONES (sizeof zones / sizeof *zones)

static struct {
    char quiet_hours[96];
    bool quiet, own_zones; /* each recipient has one, else all have zones[0]'s night */
    int from_min, to_min;
    size_t zone_of[CAST_CONVERSATIONS]; /* ZONES: none is named */
    size_t night; /* the zone where it gets dark while things go wrong */
    bool may_fail;
    bool http[8];
    int home[CAST_CONVERSATIONS];
    bool named[CAST_CONVERSATIONS];
    bool imported[CAST_CONVERSATIONS]; /* surely: before any job of it was given out */
    bool given[CAST_ALL];
} wants;

static void draw_night(void)
{
    struct stream luck = stream_of("nights");
    wants.quiet = chance(&luck, 250);
    wants.own_zones = chance(&luck, 600);
    wants.night = draw(&luck, ZONES);
    int noon_min = (600 + zones[wants.night].east_min + 1440) % 1440; /* there, when the world begins */
    wants.from_min = (noon_min + (int)draw(&luck, 4)) % 1440;
    wants.to_min = (wants.from_min + 2 + (int)draw(&luck, 5)) % 1440;
    for (int c = 0; c < CAST_CONVERSATIONS; c++)
        wants.zone_of[c] = chance(&luck, 600) ? wants.night : draw(&luck, ZONES + 1);
    if (wants.quiet)
        snprintf(wants.quiet_hours, sizeof wants.quiet_hours,
                 ", quiet_hours: {from: \"%02d:%02d\", to: \"%02d:%02d\", zone: %s}", wants.from_min / 60,
                 wants.from_min % 60, wants.to_min / 60, wants.to_min % 60,
                 wants.own_zones ? "recipient" : zones[wants.night].name);
}

static void draw_homes(void)
{
    struct stream luck = stream_of("chats of before");
    bool some_named = chance(&luck, 300), some_imported = chance(&luck, 300);
    for (int c = 0; c < CAST_CONVERSATIONS; c++) {
        int line = cast_pool_of(c) == 0 ? (int)draw(&luck, 4) : 4 + (int)draw(&luck, 2);
        bool named = chance(&luck, 200), imported = chance(&luck, 200);
        wants.named[c] = some_named && named;
        wants.home[c] = wants.named[c] || (some_imported && imported) ? line : NO_HOME;
    }
}

void wants_begin(void)
{
    struct stream fail = stream_of("fail if held"), http = stream_of("over HTTP");
    struct stream second = stream_of("second account");
    cast_has_second = chance(&second, 350);
    if (cast_has_second)
        fault(FAULT_SECOND_ACCOUNT);
    draw_night();
    draw_homes();
    wants.may_fail = chance(&fail, 400);
    for (int i = 0; i < 8; i++)
        wants.http[i] = chance(&http, 150);
}

const char *wants_quiet_hours(void)
{
    return wants.quiet_hours;
}

void wants_of_job(int job)
{
    struct cast_job *known = &cast_jobs[job];
    struct stream luck = stream_nth("wants of a job", (uint64_t)job);
    known->fails_if_held = wants.may_fail && chance(&luck, 150);
    if (wants.home[known->conversation] >= 0 && wants.named[known->conversation])
        known->pinned = wants.home[known->conversation];
}

const char *wants_zone(int conversation)
{
    size_t zone = wants.zone_of[cast_base(conversation)];
    return !wants.quiet || zone == ZONES ? NULL : zones[zone].name;
}

bool wants_http(unsigned producer)
{
    return wants.http[producer];
}

int wants_home(int conversation)
{
    return conversation < CAST_CONVERSATIONS ? wants.home[conversation] : NO_HOME;
}

bool wants_named_home(int conversation)
{
    return wants_home(conversation) >= 0 && wants.named[conversation];
}

void wants_chat_id(int conversation, char out[64])
{
    snprintf(out, 64, "chat-%d-%d-0", conversation, wants.home[conversation]);
}

void wants_imported(int conversation, bool taken)
{
    wants.imported[conversation] = taken && !wants.given[conversation];
}

/* ---- the witness ---- */

static bool is_night(int conversation, int64_t wall_ms)
{
    size_t zone = wants.own_zones ? wants.zone_of[cast_base(conversation)] : wants.night;
    if (!wants.quiet || zone == ZONES)
        return false;
    int64_t minute = (wall_ms / 60000 + zones[zone].east_min) % 1440;
    int64_t since_min = (minute - wants.from_min + 1440) % 1440;
    return since_min < (wants.to_min - wants.from_min + 1440) % 1440;
}

bool wants_may_be_night(int conversation, int64_t since_us)
{
    int64_t wall_ms = machine_wall_us(house_machine()) / US_MS;
    int64_t from_ms = wall_ms - (now_us() - since_us + SURELY_US) / US_MS;
    if (wants.quiet && wants.own_zones && wants.zone_of[cast_base(conversation)] == ZONES) /* the number's own zone's */
        return true;
    if (lines_jumped_us() >= 0 && lines_jumped_us() > since_us - SURELY_US) /* it was another time of day */
        return true;
    for (int64_t at_ms = from_ms; at_ms < wall_ms + SURELY_US / US_MS; at_ms += SURELY_US / US_MS)
        if (is_night(conversation, at_ms))
            return true;
    return is_night(conversation, wall_ms + SURELY_US / US_MS);
}

static void check_night(int job, bool unsettled)
{
    const struct cast_job *known = &cast_jobs[job];
    int64_t wall_ms = machine_wall_us(house_machine()) / US_MS;
    bool jumped = lines_jumped_us() >= 0 && lines_jumped_us() > now_us() - SURELY_US;
    if (known->class == CLASS_REPLY || unsettled || jumped || !is_night(known->conversation, wall_ms) ||
        !is_night(known->conversation, wall_ms - SURELY_US / US_MS))
        return;
    breach("P7", about_job(job), "job %d is given out in its recipient's night", job);
}

/* A chat of before is gone on with, where it is. */
static void check_home(int job, int line, bool has_chat)
{
    int conversation = cast_jobs[job].conversation;
    bool sure = wants_home(conversation) >= 0 && (wants.named[conversation] || wants.imported[conversation]) &&
                !whereabouts_may_have_left(conversation);
    if (!sure)
        return;
    struct about about = {job, conversation, line};
    if (line != wants.home[conversation])
        breach("P2", about, "job %d is given out on line %d, and the chat of its conversation is on %d", job, line,
               wants.home[conversation]);
    if (!has_chat && !provider_ever_lost_chat(conversation))
        breach("P5", about, "job %d begins a chat anew, and there is one on line %d", job, line);
}

void wants_given(int job, int line, bool has_chat, bool unsettled)
{
    const struct cast_job *known = &cast_jobs[job];
    wants.given[known->conversation] = true;
    if (known->forgiven)
        return;
    if (known->pinned >= 0 && known->pinned != line)
        breach("P2", ((struct about){job, known->conversation, line}), "job %d is given out on line %d, and names line %d",
               job, line, known->pinned);
    check_night(job, unsettled);
    check_home(job, line, has_chat);
}

void wants_acked(int job, const cJSON *result)
{
    const char *state = json_string(result, "state"), *reason = json_string(result, "reason");
    bool held = state != NULL && strcmp(state, "held") == 0;
    if (cast_jobs[job].fails_if_held && !cast_jobs[job].forgiven &&
        (held || (reason != NULL && strcmp(reason, "no_healthy_line") == 0)))
        breach("P10", about_job(job), "job %d is taken and held (%s), and would rather have failed", job,
               reason == NULL ? "-" : reason);
}

void wants_refused(int job, const char *code)
{
    if (strcmp(code, "held") != 0)
        return;
    fault(FAULT_HELD_REFUSED);
    if (!cast_jobs[job].fails_if_held)
        breach("P10", about_job(job), "job %d is refused as held, and would have waited", job);
}
