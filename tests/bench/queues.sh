# queues.sh — starting and stopping what is measured; sourced by tests/bench/run.
#
# Each start is a fresh store in a folder of its own, on the disk that the build is on; sockets lie in a short path,
# because a socket's name has room for 107 bytes. Everything started leaves its process number in $pids/NAME.
#
# Needs: $build (programs), $tools (drivers), $disk, $sockets, $pids, $logs (folders), and the ports and secrets that
# the configuration below names.

# How each queue is addressed: producers workers.
address_of()
{
    case $1 in
    lineward) echo "ipc://$sockets/producers ipc://$sockets/workers" ;;
    shared) echo "ipc://$sockets/shared-producers ipc://$sockets/shared-workers" ;;
    redis) echo "$sockets/redis -" ;;
    esac
}

# start_queue NAME fresh|again: prints how many ms it took until it answered.
start_queue()
{
    if [ "$2" = fresh ]; then
        rm -rf "${disk:?}/$1"
        mkdir "$disk/$1"
    fi
    # shellcheck disable=SC2046 # words
    set -- "$1" $(address_of "$1")
    case $1 in
    lineward)
        write_config
        "$tools/start" lineward "$2" 60 "$pids/lineward" "$logs/broker.log" \
            "$build/lineward-broker" --config "$disk/lineward/lineward.yaml" >"$logs/ready"
        ;;
    shared)
        write_shared_config
        "$tools/start" lineward "$2" 60 "$pids/shared" "$logs/shared.log" \
            "$build/lineward-broker" --config "$disk/shared/lineward.yaml" >"$logs/ready"
        ;;
    redis)
        # Each command is flushed before it is answered. No snapshots beside that, and no rewriting of the log while
        # something is measured: both in Redis's favour.
        "$tools/start" redis "$sockets/redis" 60 "$pids/redis" "$logs/redis.out" \
            redis-server --port 0 --unixsocket "$sockets/redis" --dir "$disk/redis" --appendonly yes \
            --appendfsync always --save '' --auto-aof-rewrite-percentage 0 --logfile "$logs/redis.log" >"$logs/ready"
        ;;
    esac
    sed -n 's/^ready_ms //p' "$logs/ready"
}

# A policy without limits: what is measured is the router, not how politely it waits. Recovering takes the shortest
# ramp there is.
write_config()
{
    cat >"$disk/lineward/lineward.yaml" <<EOF
broker:
  producers: ipc://$sockets/producers
  workers: ipc://$sockets/workers
  events: ipc://$sockets/events
  webhooks: 127.0.0.1:$port_webhooks
  admin: 127.0.0.1:$port_admin
accounts:
  default:
    base_url: http://127.0.0.1:$port_provider
    api_key_file: provider.key
    webhook_secrets_file: webhook.secrets
    poll_interval_ms: $poll_interval_ms
policies:
  default:
    pace_per_min: 0
    ramp_percent: [100]
    ramp_step_ms: 10
    daily_messages: 0
    new_conversations_per_day: 0
    distinct_recipients_per_hour: 0
    pair_per_min: 0
    daily_growth_factor: 0
    growth_floor: 0
    cadence_ms: []
worker:
  broker: ["ipc://$sockets/workers"]
  slots: 64
EOF
    echo "$api_key" >"$disk/lineward/provider.key"
    echo "$webhook_secret" >"$disk/lineward/webhook.secrets"
    chmod 600 "$disk/lineward/provider.key" "$disk/lineward/webhook.secrets"
}

# The same beside it, but what is known of lines is in a Redis of its own.
write_shared_config()
{
    sed -e "s|$sockets/|$sockets/shared-|" -e "s|:$port_webhooks\$|:$port_shared_webhooks|" \
        -e "s|:$port_admin\$|:$port_shared_admin|" "$disk/lineward/lineward.yaml" >"$disk/shared/lineward.yaml"
    printf 'cache:\n  kind: redis\n  redis: redis+unix://%s\n' "$sockets/cache" >>"$disk/shared/lineward.yaml"
    cp -p "$disk/lineward/provider.key" "$disk/lineward/webhook.secrets" "$disk/shared/"
}

start_cache()
{
    mkdir -p "$disk/cache"
    run_beside cache redis-server --port 0 --unixsocket "$sockets/cache" --dir "$disk/cache" --appendonly yes \
        --appendfsync everysec --save ''
}

# The lines are known: from here on jobs find one.
await_lines()
{
    "$tools/http_ask" await "http://127.0.0.1:${1:-$port_admin}/readyz" 20
}

pid_of()
{
    cat "$pids/$1"
}

# A zombie is gone: whoever inherited it may never ask. But not while other threads of it end a write to the disk: they
# hold its store and its ports some milliseconds longer.
is_gone()
{
    [ ! -d "/proc/$1" ] || { grep -q '^State:.Z' "/proc/$1/status" && [ ! -e "$(other_thread_of "$1")" ]; } 2>/dev/null
}

other_thread_of()
{
    for thread in "/proc/$1/task"/*; do
        [ "${thread##*/}" = "$1" ] || echo "$thread"
    done | head -n 1
}

# stop_program NAME [SIGNAL]: returns when it is gone.
stop_program()
{
    [ -f "$pids/$1" ] || return 0
    pid=$(pid_of "$1")
    kill -"${2:-KILL}" "$pid" 2>/dev/null || true
    until is_gone "$pid"; do
        sleep 0.02
    done
    rm -f "$pids/$1"
}

stop_all()
{
    for file in "$pids"/*; do
        [ -f "$file" ] && stop_program "${file##*/}"
    done
}

# run_beside NAME COMMAND...: a program in the background, its number in $pids/NAME.
run_beside()
{
    name=$1
    shift
    "$@" >>"$logs/$name.log" 2>&1 &
    echo $! >"$pids/$name"
}

# The provider whose lines all jobs go through; it also takes the messages when the real worker sends.
start_sandbox()
{
    lines=
    for line in $line_numbers; do
        lines="$lines --line $line"
    done
    # shellcheck disable=SC2086 # words
    run_beside sandbox "$build/lineward-sandbox" --listen "127.0.0.1:$port_provider" \
        --control "127.0.0.1:$port_control" --webhook-url "http://127.0.0.1:$port_webhooks/webhooks/linq" \
        --webhook-secret "$webhook_secret" --webhook-events status --pair-limit 0 --log "$disk/sandbox.jsonl" \
        --latency-ms "${1:-0}" $lines
    "$tools/http_ask" await "http://127.0.0.1:$port_control/stats" 20
}

start_worker()
{
    run_beside worker "$build/lineward-worker" --config "$disk/lineward/lineward.yaml"
}

# ---- what the kernel knows of a program: the process and its children ----

family_of()
{
    pid=$(pid_of "$1")
    echo "$pid"
    awk -v parent="$pid" '{ sub(/^.*\) /, ""); if ($2 == parent) { split(FILENAME, part, "/"); print part[3] } }' \
        /proc/[0-9]*/stat 2>/dev/null
}

rss_kb()
{
    for member in $(family_of "$1"); do
        cat "/proc/$member/status"
    done | awk '/^VmRSS:/ { sum += $2 } END { print sum + 0 }'
}

# Pages that several processes share count once.
pss_kb()
{
    for member in $(family_of "$1"); do
        cat "/proc/$member/smaps_rollup"
    done | awk '/^Pss:/ { sum += $2 } END { print sum + 0 }'
}

# Times any of its threads was given the processor, all in.
wakeups_of()
{
    for member in $(family_of "$1"); do
        cat "/proc/$member"/task/*/status 2>/dev/null
    done | awk '/ctxt_switches:/ { sum += $2 } END { print sum + 0 }'
}

# Microseconds of processor, of all threads.
cpu_us()
{
    for member in $(family_of "$1"); do
        cat "/proc/$member"/task/*/schedstat 2>/dev/null
    done | awk '{ sum += $1 } END { printf "%.0f\n", sum / 1000 }'
}
