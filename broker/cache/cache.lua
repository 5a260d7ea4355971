-- cache.lua — the reputation cache's rules, decided inside Redis in one step: what merge.c does for one broker, for all
-- brokers of an account (DESIGN section 3, "The reputation cache"; traps 7 and 11). The two must not differ:
-- tests/process/cache_rules_test holds them against each other.
--
--   KEYS[1]  hash: a line's number -> what is known of it, as JSON
--   KEYS[2]  hash: "clock" (ms, only ever forward), "set_back" (by so much Redis's own was), "version" (of the newest change),
--            "owners" (brokers, by nonce, as JSON)
--   KEYS[3]  sorted set: the ids of events that were told, by when
--   KEYS[4]  string: the nonce of the broker that polls
--   KEYS[5]  hash: a recipient's id (cache_seal.h) -> why they must not be sent to, as JSON
--   KEYS[6]  sorted set: those ids, by version
--   KEYS[7]  sorted set: the ids of those that may be sent to again, by when; forgotten later
--   ARGV[1]  what is stated, as JSON (below)
--   ARGV[2]  channel on which changes are told
--
-- {"what":"told","number":…,"event":…,"reputation":…,"service":…,"changed_at":…,"wall":…}   a webhook; absent members are absent
-- {"what":"polled","nonce":…,"begun":…,"cached":…,"interval":…,"lines":[[number,reputation,service],…],"missed":[…]}
--                                              lines of a good list, and known ones that it does not have
-- {"what":"flagged","number":…,"at":…}         a try was refused for the line's sake, then
-- {"what":"lifted","number":…,"at":…}          ... and a probe of such a line went through
-- {"what":"known","lines":[…]}                 what a broker knows of lines, and this Redis perhaps no more: the worse counts
-- {"what":"hold","nonce":…,"ms":…,"version":…,"rules":…}   may this broker poll, for so long? And what it runs
-- {"what":"own","nonce":…,"ms":…,"address":…,"admin":…,"pools":[name,…]}   what this broker owns, for so long; or only asks
--                                              (a day longer, until another one says that a pool is its own: see "till")
-- {"what":"trial"}                             nothing: does this Redis take what is written?
-- {"what":"people","told":[{"id","cause","since","sealed"},…]}          must not be sent to from now on
-- {"what":"people","known":[{"id","sealed","since","opted_out",…},…]}   ... as a broker knows; since when, each cause
-- {"what":"people","ended":[{"id","cause","wrote"},{"id","over","told"},…]}  one cause, by what they wrote; by an operator's word
--                                              at `told`: the causes in `over`, as of then (0: the broker does not know)
-- {"what":"people","hide":[id,…]}              nobody is to keep their name
-- {"what":"people","after":version,"limit":…}  who has changed since
-- "wall" with any of them: the time of day at the broker that states it.
--
-- Answers {"clock":…,"refused":…,"event":…,"again":…,"lines":[…],"people":[…]} with each line and recipient that was spoken of, as they are
-- now; to `after`: {"read":[…],"upto":version,"more":…,"epoch":…}; to `hold`:
-- {"brokers":[{"version":…,"rules":…},…]} with the others that were heard of lately.
-- To `own`: {"owners":{nonce:{"address":…,"admin":…,"till":…,"pools":[…]},…}}.

local EVENT_MS = 72 * 3600 * 1000
local AHEAD_MS = 600 * 1000
local EVENTS_AT_ONCE = 100
local NEVER = -1
local POLL_AGAIN = {1000, 2000, 5000}
local BADNESS = {HEALTHY = 0, AT_RISK = 1, UNKNOWN = 1, CRITICAL = 2}

local fact = cjson.decode(ARGV[1])

-- Only ever forward, and on though Redis's own is set back: a clock that stood still until that has caught up would let no
-- list be newer than what was told meanwhile.
local function clock()
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    if fact.now then -- a test's clock
        now = fact.now
    end
    local last = tonumber(redis.call('HGET', KEYS[2], 'clock') or '0')
    local set_back = tonumber(redis.call('HGET', KEYS[2], 'set_back') or '0')
    now = now + set_back
    if now < last then
        redis.call('HSET', KEYS[2], 'set_back', string.format('%.0f', set_back + last - now))
        now = last
    end
    redis.call('HSET', KEYS[2], 'clock', string.format('%.0f', now))
    return now
end

local now = clock()

-- What is still to come for whoever speaks nobody has told yet: it is of a clock that was wrong then, Redis's or a
-- broker's, and orders nothing any more.
local function is_to_come(moment)
    return fact.wall and moment > fact.wall + AHEAD_MS
end

-- For whoever speaks.
local function wall()
    return fact.wall or now
end

local function new_line(number)
    return {number = number, version = 0, heard = false, word = 'UNKNOWN', previous = 'UNKNOWN', proven = 'UNKNOWN',
            source = 'none', service = 'UNKNOWN', service_source = 'none', gone = false, missed = 0, changed_at = 0,
            heard_at = 0, flagged_at = 0, active_at = 0, event_at = 0, event = NEVER, tightened = NEVER, loosen_event = NEVER,
            agreed_begun = NEVER, loosen_tries = 0, poll_in = 0}
end

-- What is no JSON was not written by us, and is as good as lost.
local function decode(text)
    local good, value = pcall(cjson.decode, text or '')
    return good and type(value) == 'table' and value or nil
end

local function read(number)
    local line = decode(redis.call('HGET', KEYS[1], number)) or new_line(number)
    if is_to_come(line.event_at) then
        line.event_at = 0
    end
    return line
end

-- ---- the rules; the names are merge.c's ----

local function forget_proof(line)
    line.loosen_event = NEVER
    line.agreed_begun = NEVER
end

local function set_word(line, word, source, changed_at)
    local news = line.word ~= word or not line.heard
    line.heard = true
    if not news then
        return
    end
    line.previous = line.word
    line.word = word
    line.source = source
    line.changed_at = changed_at
end

local function prove(line)
    line.proven = 'HEALTHY'
    forget_proof(line)
end

local function tighten(line, to)
    line.proven = to
    line.tightened = now
    forget_proof(line)
end

-- Worse, or as bad in other words: at once. True if that was all there is to do.
local function take_if_not_better(line, to)
    if not line.heard then
        line.proven = to
        if to == 'CRITICAL' then
            tighten(line, to)
        end
        return true
    end
    if BADNESS[to] > BADNESS[line.proven] then
        tighten(line, to)
        return true
    end
    if BADNESS[to] < BADNESS[line.proven] then
        return false
    end
    line.proven = to
    forget_proof(line)
    return true
end

-- What does not count of an event that is no later than the newest is taken out.
local function take_out_overtaken(line)
    if fact.changed_at == 0 or fact.changed_at > line.event_at then
        return
    end
    local tie, ahead = fact.changed_at == line.event_at, line.event_at > wall()
    local flags, flagged = fact.service == 'FLAGGED', line.service == 'FLAGGED'
    local in_words = flagged and line.service_source ~= 'error' -- else a probe lifts it
    local worse = fact.reputation and BADNESS[fact.reputation] - BADNESS[line.word]
    if worse and not (tie and worse >= 0 or ahead and worse > 0) then
        fact.reputation = nil
    end
    if not (tie and (flags or not flagged) or ahead and flags and not in_words) then
        fact.service = nil
    end
end

-- Is it older than what counts already, or is nothing left of it?
local function is_overtaken(line)
    local had_some = fact.reputation or fact.service
    local older = fact.changed_at ~= 0 and fact.changed_at < line.event_at
    take_out_overtaken(line)
    if had_some then
        return not fact.reputation and not fact.service
    end
    return older
end

local function told_reputation(line)
    local done = take_if_not_better(line, fact.reputation)
    set_word(line, fact.reputation, 'webhook', fact.changed_at)
    if done then
        return
    end
    forget_proof(line)
    if fact.reputation ~= 'HEALTHY' then
        return
    end
    line.loosen_event = now
    line.loosen_tries = 0
    line.poll_in = NEVER -- at once
end

local function told_service(line)
    local was_flagged = line.service == 'FLAGGED'
    if fact.service == 'UNKNOWN' then
        return
    end
    if was_flagged and line.service_source == 'error' and fact.service == 'ACTIVE' and fact.changed_at ~= 0 and
        fact.changed_at < line.flagged_at then
        return
    end
    line.service = fact.service
    line.service_source = 'webhook'
    if fact.service == 'ACTIVE' then
        line.active_at = now
    end
    if fact.service == 'FLAGGED' and not was_flagged then
        line.flagged_at = now
    end
end

-- Only a later ACTIVE lifts a flag: what is later goes by the flag's own moment, though the newest lay ahead of it.
local function follow_event(line)
    local has_moment = fact.changed_at ~= 0
    local event_at = has_moment and fact.changed_at or wall()
    if event_at > line.event_at or (fact.service == 'FLAGGED' and has_moment) then
        line.event_at = event_at
    end
end

local function told(line)
    if is_overtaken(line) then
        return false
    end
    line.event = now
    line.heard_at = now
    if fact.reputation then
        told_reputation(line)
    end
    if fact.service then
        told_service(line)
    end
    follow_event(line)
    return true
end

local function polled_better(line)
    if fact.cached then
        return
    end
    if line.loosen_event ~= NEVER then
        if fact.begun > line.loosen_event then
            prove(line)
        end
        return
    end
    if fact.begun <= line.tightened then
        return
    end
    if line.agreed_begun == NEVER then
        line.agreed_begun = fact.begun
    elseif fact.begun - line.agreed_begun >= fact.interval then
        prove(line)
    end
end

local function asks_again(line)
    if line.loosen_tries >= #POLL_AGAIN then
        return false
    end
    line.loosen_tries = line.loosen_tries + 1
    line.poll_in = POLL_AGAIN[line.loosen_tries]
    return true
end

local function polled_reputation(line, word)
    local awaited = line.loosen_event ~= NEVER
    if line.event >= fact.begun then
        if awaited and line.event == fact.begun then
            line.poll_in = POLL_AGAIN[1]
        end
        return
    end
    if awaited and word ~= 'HEALTHY' and BADNESS[word] <= BADNESS[line.proven] then
        if asks_again(line) then
            return
        end
        line.loosen_event = NEVER
    end
    local done = take_if_not_better(line, word)
    set_word(line, word, 'poll', now)
    if not done and word == 'HEALTHY' then
        polled_better(line)
    elseif not done then
        line.agreed_begun = NEVER
    end
end

local function polled(line, word, service)
    line.missed = 0
    line.gone = false
    line.heard_at = now
    polled_reputation(line, word)
    if service == 'FLAGGED' and line.service ~= 'FLAGGED' then
        line.service = 'FLAGGED'
        line.service_source = 'poll'
        line.flagged_at = now
    end
end

local function missed(line)
    line.agreed_begun = NEVER
    if line.gone then
        return
    end
    line.missed = line.missed + 1
    line.gone = line.missed >= 2
end

-- ---- what is stated ----

local lines = {}

-- Grows, and goes on growing when a failover has lost the newest ones: with the clock.
local function next_version()
    local last = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')
    local version = last + 1 > now and last + 1 or now
    redis.call('HSET', KEYS[2], 'version', string.format('%.0f', version))
    return version
end

local function keep(line)
    line.version = next_version()
    redis.call('HSET', KEYS[1], line.number, cjson.encode(line))
    table.insert(lines, line)
end

-- A line as it was, or as a fact has left it: `poll_in` is said once and not kept.
local function change(number, rule)
    local line = read(number)
    line.poll_in = 0
    if rule(line) == false then
        table.insert(lines, line)
        return
    end
    local poll_in = line.poll_in
    line.poll_in = nil
    keep(line)
    line.poll_in = poll_in
end

local function is_known_event()
    return fact.event and redis.call('ZSCORE', KEYS[3], fact.event)
end

-- After what it says was taken: what fails half way is told again, and is not a known event then.
local function remember_event()
    if not fact.event then
        return
    end
    local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - EVENT_MS, 'LIMIT', 0, EVENTS_AT_ONCE)
    if #old > 0 then
        redis.call('ZREM', KEYS[3], unpack(old))
    end
    redis.call('ZADD', KEYS[3], string.format('%.0f', now), fact.event)
end

-- What a broker was told and Redis has lost since (or never heard: it was away), without the proof gathered since.
local function learn(line, known)
    local worse = known.heard and (not line.heard or BADNESS[known.proven] > BADNESS[line.proven]) and
                  known.tightened > line.tightened
    local flagged = known.service == 'FLAGGED' and line.service ~= 'FLAGGED' and known.flagged_at > line.flagged_at and
        known.flagged_at > line.active_at
    if worse then
        line.proven = known.proven
        line.tightened = known.tightened
        line.event = math.max(line.event, known.event)
        line.event_at = math.max(line.event_at, known.event_at)
        set_word(line, known.word, known.source, known.changed_at)
        forget_proof(line)
    end
    if flagged then
        line.service = 'FLAGGED'
        line.service_source = known.service_source
        line.flagged_at = known.flagged_at
    end
    return worse or flagged
end

-- ---- who must not be sent to ----

local CAUSES = {'opted_out', 'blocked', 'operator'}
local PEOPLE_MAX = 10000000
local ENDED_MS = 30 * 24 * 3600 * 1000
local ENDED_AT_ONCE = 100

local people = {}
local people_full = false

local function holds(person)
    return person.opted_out or person.blocked or person.operator
end

local function read_person(id)
    return decode(redis.call('HGET', KEYS[5], id)) or {id = id}
end

local function keep_person(person)
    if not person.version and redis.call('HLEN', KEYS[5]) >= PEOPLE_MAX then
        people_full = true
        return
    end
    person.version = next_version()
    redis.call('HSET', KEYS[5], person.id, cjson.encode(person))
    redis.call('ZADD', KEYS[6], string.format('%.0f', person.version), person.id)
    if holds(person) then
        redis.call('ZREM', KEYS[7], person.id)
    else
        redis.call('ZADD', KEYS[7], string.format('%.0f', now), person.id)
    end
    table.insert(people, person)
end

local function unless_to_come(moment)
    return moment and not is_to_come(moment) and moment or 0
end

-- What was written before they let themselves be sent to again comes late.
local function is_overtaken_word(person, cause, since)
    return cause == 'opted_out' and unless_to_come(person.lifted) >= since
end

local function add_cause(person, cause, since)
    local newer = not person[cause] or since > person[cause]
    if newer then
        person[cause] = since
        person.added = now
    end
    return newer
end

-- Just said: whatever was ended before, it holds.
local function told_person(said)
    local person = read_person(said.id)
    if is_overtaken_word(person, said.cause, said.since) then
        table.insert(people, person)
        return
    end
    local news = add_cause(person, said.cause, said.since)
    if said.sealed and (person.hidden or not person.sealed) then
        person.sealed = said.sealed
        person.hidden = nil
        news = true
    end
    if news then
        keep_person(person)
    end
end

-- Is this what was ended, and the broker has not heard of that? By what was ended, not by clocks, which differ. 0: a cause
-- since when the broker does not know.
local function was_ended(person, cause, since)
    local over = unless_to_come(person.over and person.over[cause])
    return is_overtaken_word(person, cause, since) or (over > 0 and since <= over)
end

-- As a broker has it in its store.
local function known_person(said)
    local person = read_person(said.id)
    local news = false
    for _, cause in ipairs(CAUSES) do
        local since = said[cause]
        if since and not was_ended(person, cause, since) and (since > 0 or not person[cause]) then
            news = add_cause(person, cause, since > 0 and since or said.since) or news
        end
    end
    if not person.sealed then
        person.sealed = said.sealed
        news = true
    end
    if news and (holds(person) or person.version) then
        keep_person(person)
    end
end

-- By an operator's word: what the broker knew then, and nothing that was said since. Of a cause since when it does not
-- know, by when it was told here.
local function end_known(person, said)
    person.over = person.over or {}
    for cause, known in pairs(said.over) do
        local since = person[cause]
        local ends = since and (known == 0 and (person.added or 0) <= said.told or since <= known or is_to_come(since))
        local until_then = math.max(unless_to_come(person.over[cause]), known, ends and unless_to_come(since) or 0)
        if until_then > 0 then
            person.over[cause] = until_then
        end
        if ends then
            person[cause] = nil
        end
    end
end

local function end_person(said)
    local person = read_person(said.id)
    if said.cause == 'opted_out' then
        if said.wrote < unless_to_come(person.opted_out) then
            return -- they said it again since
        end
        person.opted_out = nil
        person.lifted = math.max(unless_to_come(person.lifted), said.wrote)
    else
        end_known(person, said)
    end
    keep_person(person)
end

local function hide_person(id)
    local person = read_person(id)
    if person.version and not person.hidden then
        person.hidden = true
        keep_person(person)
    end
end

local function forget_ended()
    local old = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', string.format('%.0f', now - ENDED_MS), 'LIMIT', 0, ENDED_AT_ONCE)
    if #old > 0 then
        redis.call('HDEL', KEYS[5], unpack(old))
        redis.call('ZREM', KEYS[6], unpack(old))
        redis.call('ZREM', KEYS[7], unpack(old))
    end
end

local function read_people(answer)
    local after = string.format('(%.0f', fact.after)
    local ids = redis.call('ZRANGEBYSCORE', KEYS[6], after, '+inf', 'WITHSCORES', 'LIMIT', 0, fact.limit)
    redis.call('HSETNX', KEYS[2], 'epoch', string.format('%.0f', now)) -- another one after everything was lost
    answer.epoch = tonumber(redis.call('HGET', KEYS[2], 'epoch'))
    answer.read = {}
    answer.upto = fact.after
    for at = 1, #ids, 2 do
        table.insert(answer.read, read_person(ids[at]))
        answer.upto = tonumber(ids[at + 1])
    end
    answer.more = #ids / 2 == fact.limit
end

local function state_people()
    forget_ended()
    for _, said in ipairs(fact.ended or {}) do
        end_person(said)
    end
    for _, said in ipairs(fact.told or {}) do
        told_person(said)
    end
    for _, said in ipairs(fact.known or {}) do
        known_person(said)
    end
    for _, id in ipairs(fact.hide or {}) do
        hide_person(id)
    end
end

local BROKER_MS = 120000
local BROKER = 'broker:'

-- Says which brokers there are; those that have not been heard of for a while are forgotten.
local function meet_others()
    local others = {}
    local fields = redis.call('HGETALL', KEYS[2])
    local lately = math.max(BROKER_MS, fact.ms) -- each asks four times within what it asks for
    redis.call('HSET', KEYS[2], BROKER .. fact.nonce, cjson.encode({at = now, version = fact.version, rules = fact.rules}))
    for at = 1, #fields, 2 do
        local nonce = string.sub(fields[at], 1, #BROKER) == BROKER and string.sub(fields[at], #BROKER + 1)
        local other = nonce and decode(fields[at + 1])
        if nonce and (not other or now - (other.at or 0) > lately) then
            redis.call('HDEL', KEYS[2], fields[at])
        elseif nonce and nonce ~= fact.nonce then
            table.insert(others, {version = other.version, rules = other.rules})
        end
    end
    return others
end

local function hold()
    local holder = redis.call('GET', KEYS[4])
    if holder and holder ~= fact.nonce then
        return false
    end
    redis.call('SET', KEYS[4], fact.nonce, 'PX', string.format('%.0f', fact.ms))
    return true
end

-- ---- who owns which pool ----

local OWNER_KEPT_MS = 24 * 3600 * 1000

local function is_owner(owner)
    return type(owner) == 'table' and type(owner.till) == 'number' and type(owner.pools) == 'table'
end

-- A word that has lapsed stands for what nobody else has called their own since.
local function take_over(owner)
    local mine, rest = {}, {}
    for _, pool in ipairs(owner.till <= now and fact.address and fact.pools or {}) do
        mine[pool] = true
    end
    for _, pool in ipairs(owner.pools) do
        if not mine[pool] then
            table.insert(rest, pool)
        end
    end
    owner.pools = rest
    return #rest > 0 and owner or nil
end

-- What each broker says of itself; one that has started anew at an address takes the old one's place.
local function own()
    local owners, known = {}, decode(redis.call('HGET', KEYS[2], 'owners')) or {}
    for by, owner in pairs(known) do
        if is_owner(owner) and owner.till > now - OWNER_KEPT_MS and owner.address ~= fact.address and by ~= fact.nonce then
            owners[by] = take_over(owner)
        end
    end
    if fact.address and #fact.pools > 0 then
        owners[fact.nonce] = {address = fact.address, admin = fact.admin, till = now + fact.ms, pools = fact.pools}
    end
    redis.call('HSET', KEYS[2], 'owners', cjson.encode(owners))
    local mine, was = owners[fact.nonce], known[fact.nonce]
    local same = mine and is_owner(was) and was.address == mine.address and cjson.encode(was.pools) == cjson.encode(mine.pools)
    return owners, mine and not same
end

local refused = false
local again = false
local others = nil
local owners, owns_more = nil, false
if fact.what == 'told' then
    again = is_known_event() and true or false
    change(fact.number, function(line) return not again and told(line) end)
    if not again then
        remember_event()
    end
elseif fact.what == 'polled' then
    if redis.call('GET', KEYS[4]) ~= fact.nonce then
        refused = true
    else
        for _, said in ipairs(fact.lines) do
            change(said[1], function(line) polled(line, said[2], said[3]) end)
        end
        for _, number in ipairs(fact.missed) do
            change(number, missed)
        end
    end
elseif fact.what == 'flagged' then
    change(fact.number, function(line)
        if line.active_at > fact.at then
            return false -- it is told late
        end
        if line.service ~= 'FLAGGED' then
            line.service_source = 'error'
        end
        line.service = 'FLAGGED'
        line.flagged_at = now
    end)
elseif fact.what == 'lifted' then
    change(fact.number, function(line)
        if line.service ~= 'FLAGGED' or line.service_source ~= 'error' or line.flagged_at > fact.at then
            return false
        end
        line.service = 'ACTIVE'
    end)
end

if fact.what == 'known' then
    for _, known in ipairs(fact.lines) do
        change(known.number, function(line) return learn(line, known) end)
    end
elseif fact.what == 'hold' then
    others = meet_others()
    refused = not hold()
elseif fact.what == 'people' then
    state_people()
elseif fact.what == 'own' then
    owners, owns_more = own()
end

local answer = {clock = now, refused = refused, event = fact.event, again = again, brokers = others, lines = lines, people = people,
                people_full = people_full, owners = owners}
if (#lines > 0 or #people > 0 or owns_more) and not refused then
    redis.call('PUBLISH', ARGV[2], cjson.encode(answer))
end
if fact.after then
    read_people(answer)
end
return cjson.encode(answer)
