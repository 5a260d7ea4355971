# shellcheck shell=sh
# What the code's own tables say there is, a name a line; read by tests/check-docs and tests/check-rules/coverage, from
# the project's root.

# The members of a job.
job_fields()
{
    sed -n 's/^    \[MEMBER_[A-Z_]*\] = "\([a-z_]*\)",$/\1/p' broker/edge/job_parse.c
}

# words_of LIST: the words of one list of words.h, but for those that stand for nothing.
words_of()
{
    sed -n "/#define $1_LIST/,/^\$/p" include/lineward/words.h | sed -n 's/.*X([A-Z_]*, "\([^"]*\)".*/\1/p' | grep -vx none
}

admin_calls()
{
    sed -n 's/^    {"\([A-Z]*\)", "\([^"]*\)",.*/\1 \2/p' broker/edge/admin_route.c
}

# Configuration keys as SECTION FIELD.
conf_keys()
{
    sed -n 's/^    {*\(OTHER\|INT\|KEY\)(\([a-z]*\), \(.*\)/\1 \2 \3/p' lib/conf_table.c | tr -d ',' |
        awk '$1 == "INT" {field = $4} $1 == "OTHER" {field = $5} $1 == "KEY" {field = $4}
             $2 != "section" {print $2, field} # else: the macros themselves'
}
