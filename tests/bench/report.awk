# report.awk — medians, ratios and verdicts from the figures of one run.
#
#   awk -v format=table|json -v facts=FILE -f report.awk targets figures
#
# figures: `key queue value` a line, one for each repetition. facts: `name value...` a line, about machine and run.

function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

function sort_values(n,    i, j, held) { # a handful: insertion will do
    for (i = 2; i <= n; i++) {
        held = sorted[i]
        for (j = i - 1; j >= 1 && sorted[j] > held; j--) sorted[j + 1] = sorted[j]
        sorted[j + 1] = held
    }
}
function load(key, queue,    n, i) { # sorted[1..n]
    n = count[key, queue] + 0
    for (i = 1; i <= n; i++) sorted[i] = value[key, queue, i]
    sort_values(n)
    return n
}
function median(key, queue,    n) {
    n = load(key, queue)
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}
function thousands(text,    sign, whole, rest, at, out) {
    sign = sub(/^-/, "", text) ? "-" : ""
    at = index(text, ".")
    whole = at ? substr(text, 1, at - 1) : text
    rest = at ? substr(text, at) : ""
    while (length(whole) > 3) {
        out = "," substr(whole, length(whole) - 2) out
        whole = substr(whole, 1, length(whole) - 3)
    }
    return sign whole out rest
}
function shown(key, queue) {
    if (!count[key, queue]) return "-"
    return thousands(sprintf("%." digits[key] "f", median(key, queue)))
}
function ratio(key,    peer) {
    if (kind[key] != "peer" || !count[key, "lineward"] || !count[key, "redis"]) return ""
    peer = median(key, "redis")
    return peer > 0 ? median(key, "lineward") / peer : ""
}
function meets(figure, target,    limit) {
    if (target == "" || figure == "") return 0
    limit = substr(target, 3) + 0
    return target ~ /^>=/ ? figure >= limit : figure <= limit
}
function verdict(key,    figure) {
    figure = kind[key] == "peer" ? ratio(key) : count[key, "lineward"] ? median(key, "lineward") : ""
    if (must[key] == "") return ""
    if (figure == "") return "not measured"
    if (stretch[key] != "" && meets(figure, stretch[key])) return "stretch"
    return meets(figure, must[key]) ? "must" : "below"
}
function asked(key, target) {
    if (target == "") return ""
    return substr(target, 1, 2) " " thousands(substr(target, 3)) (kind[key] == "peer" ? "x" : "")
}
function spread(key, queue,    n) {
    n = load(key, queue)
    if (n < 2 || sorted[n] == 0) return ""
    return sprintf("%.0f%%", (sorted[n] - sorted[1]) * 100 / sorted[n])
}
function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }

function json_runs(key, queue,    n, i, out) {
    n = load(key, queue)
    if (n == 0) return "null"
    out = "{\"median\":" median(key, queue) ",\"min\":" sorted[1] ",\"max\":" sorted[n] ",\"runs\":["
    for (i = 1; i <= n; i++) out = out (i > 1 ? "," : "") value[key, queue, i]
    return out "]}"
}
function print_json(    i, key, line, name, first) {
    printf "{"
    while (facts != "" && (getline line < facts) > 0) {
        name = line
        sub(/ .*/, "", name)
        sub(/^[^ ]* /, "", line)
        printf "%s:%s,", quoted(name), quoted(line)
    }
    printf "\"measures\":["
    for (i = 1; i <= keys; i++) {
        key = order[i]
        if (!count[key, "lineward"] && !count[key, "redis"]) continue
        printf "%s\n{\"key\":%s,\"what\":%s,\"unit\":%s,\"lineward\":%s,\"redis\":%s,\"ratio\":%s,", first++ ? "," : "",
            quoted(key), quoted(what[key]), quoted(unit[key]), json_runs(key, "lineward"), json_runs(key, "redis"),
            ratio(key) == "" ? "null" : sprintf("%.3f", ratio(key))
        printf "\"must\":%s,\"stretch\":%s,\"verdict\":%s}", quoted(must[key]), quoted(stretch[key]),
            quoted(verdict(key))
    }
    print "\n]}"
}
function print_table(    i, key, r) {
    printf "%-53s %12s %12s %8s %10s %10s  %-7s %s\n", "", "Lineward", "Redis", "ratio", "must", "stretch", "", "spread"
    for (i = 1; i <= keys; i++) {
        key = order[i]
        if (!count[key, "lineward"] && !count[key, "redis"]) continue
        r = ratio(key)
        printf "%-53s %12s %12s %8s %10s %10s  %-7s %s\n", what[key] (unit[key] == "" ? "" : ", " unit[key]),
            shown(key, "lineward"), shown(key, "redis"), r == "" ? "" : sprintf("%.2fx", r), asked(key, must[key]),
            asked(key, stretch[key]), verdict(key), spread(key, "lineward")
    }
}

BEGIN { CONVFMT = "%.12g" }
FNR == 1 { files++ }
files == 1 && !/^#/ && NF > 0 {
    split($0, part, "|")
    key = trim(part[1])
    order[++keys] = key
    what[key] = trim(part[2]); unit[key] = trim(part[3]); digits[key] = trim(part[4]) + 0
    kind[key] = trim(part[5]); must[key] = trim(part[6]); stretch[key] = trim(part[7])
}
files == 2 && NF == 3 { value[$1, $2, ++count[$1, $2]] = $3 + 0 }
END { if (format == "json") print_json(); else print_table() }
