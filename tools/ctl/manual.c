/* manual.c — see manual.h. */
#include "manual.h"

#include <string.h>

#include "lineward/version.h"

/* As text: no dash becomes a hyphen, no line a request. */
static void put(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool begins = at == text || at[-1] == '\n';
        if (begins && (*at == '.' || *at == '\''))
            fputs("\\&", out);
        if (*at == '\\')
            fputs("\\e", out);
        else if (*at == '-')
            fputs("\\-", out);
        else
            fputc(*at, out);
    }
}

static void put_line(FILE *out, const char *text)
{
    put(out, text);
    fputc('\n', out);
}

static void put_option(FILE *out, const struct option_spec *option)
{
    fputs(".TP\n\\fB\\-\\-", out);
    put(out, option->name);
    fputs("\\fR", out);
    if (option->value != NULL) {
        fputs(" \\fI", out);
        put(out, option->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_line(out, option->help);
}

static void put_options(FILE *out, const struct option_spec *options)
{
    for (; options->name != NULL; options++)
        put_option(out, options);
}

static void put_command(FILE *out, const struct command *command)
{
    fputs(".SS \"", out);
    put(out, command->name);
    fputs(command->arguments[0] != '\0' ? " " : "", out);
    put(out, command->arguments);
    fputs("\"\n", out);
    put_line(out, command->summary);
    if (command->details != NULL) {
        fputs(".PP\n", out);
        put_line(out, command->details);
    }
    put_options(out, command->options);
}

void manual_print(FILE *out, const struct command *commands, const struct option_spec *common)
{
    fprintf(out,
            ".TH LINEWARDCTL 1 \"\" \"Lineward %s\" \"Lineward\"\n"
            ".SH NAME\nlinewardctl \\- operate a Lineward broker\n"
            ".SH SYNOPSIS\n.B linewardctl\n.I COMMAND\n.RI [ ARGUMENTS ]\n.RI [ OPTIONS ]\n"
            ".SH DESCRIPTION\nAsks and tells a broker through its admin API: what waits and why, holds, drains, dead "
            "letters,\nconversations, suppressions, events. Some commands work on files: configuration, keys, tokens, a "
            "stopped\nbroker\\(aqs store. On a terminal tables fit its width; with\n.B \\-\\-json\nan answer is what the API "
            "answered, for programs.\n.SH COMMANDS\n",
            LINEWARD_VERSION);
    for (; commands->name != NULL; commands++)
        put_command(out, commands);
    fputs(".SH \"OPTIONS OF EVERY COMMAND\"\n", out);
    put_options(out, common);
    fputs(".SH ENVIRONMENT\n"
          ".TP\n.B LINEWARD_ADMIN\nURL of the admin API, if\n.B \\-\\-admin\nis not given.\n"
          ".TP\n.B LINEWARD_TOKEN\nthe token, if\n.B \\-\\-token\\-file\nis not given.\n"
          ".TP\n.B NO_COLOR\nno colours, also on a terminal.\n"
          ".SH \"EXIT STATUS\"\n0 done, 1 refused or failed, 2 wrong usage, 3 can\\(aqt reach the broker.\n"
          ".SH \"SEE ALSO\"\n.BR lineward\\-broker (8),\n.BR lineward\\-worker (8)\n",
          out);
}

/* ---- completion ---- */

static void put_option_names(FILE *out, const struct option_spec *options)
{
    for (; options->name != NULL; options++)
        fprintf(out, " --%s", options->name);
}

/* Does no command before it begin with the same word? "drain" and "conversations move" have one and two. */
static bool begins_word(const struct command *commands, const struct command *command)
{
    size_t bytes = strcspn(command->name, " ");
    for (const struct command *c = commands; c != command; c++)
        if (strcspn(c->name, " ") == bytes && strncmp(c->name, command->name, bytes) == 0)
            return false;
    return true;
}

static void put_first_words(FILE *out, const struct command *commands)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (begins_word(commands, c))
            fprintf(out, " %.*s", (int)strcspn(c->name, " "), c->name);
}

static void put_second_words(FILE *out, const struct command *commands)
{
    for (const struct command *first = commands; first->name != NULL; first++) {
        size_t bytes = strcspn(first->name, " ");
        if (first->name[bytes] == '\0' || !begins_word(commands, first))
            continue;
        fprintf(out, "        %.*s) words=\"", (int)bytes, first->name);
        for (const struct command *c = first; c->name != NULL; c++)
            if (strncmp(c->name, first->name, bytes + 1) == 0)
                fprintf(out, " %s", c->name + bytes + 1);
        fputs("\" ;;\n", out);
    }
}

/* Is its value a file's name? The shell knows those itself. */
static bool takes_file(const struct option_spec *option)
{
    return option->value != NULL && (strncmp(option->value, "FILE", 4) == 0 || strcmp(option->value, "DIR") == 0);
}

static bool has_file_option(const struct option_spec *options, const char *name)
{
    for (; options->name != NULL; options++)
        if (takes_file(options) && strcmp(options->name, name) == 0)
            return true;
    return false;
}

/* Each name once, by the first command that has it. */
static void put_file_options(FILE *out, const struct command *commands, const struct option_spec *common)
{
    for (const struct option_spec *option = common; option->name != NULL; option++)
        if (takes_file(option))
            fprintf(out, "|--%s", option->name);
    for (const struct command *c = commands; c->name != NULL; c++)
        for (const struct option_spec *option = c->options; option->name != NULL; option++) {
            bool known = !takes_file(option) || has_file_option(common, option->name);
            for (const struct command *earlier = commands; earlier != c && !known; earlier++)
                known = has_file_option(earlier->options, option->name);
            if (!known)
                fprintf(out, "|--%s", option->name);
        }
}

void completion_print(FILE *out, const struct command *commands, const struct option_spec *common)
{
    fprintf(out, "# bash completion for linewardctl %s, made by `linewardctl completion`\n"
                 "_linewardctl()\n{\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= given=\n"
                 "    case $before in\n        ''",
            LINEWARD_VERSION);
    put_file_options(out, commands, common);
    fputs(") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n    esac\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"",
          out);
    put_first_words(out, commands);
    fputs("\" -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", out);
    put_second_words(out, commands);
    fputs("    esac\n"
          "    if [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$words\" ] && [ \"${word#-}\" = \"$word\" ]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n        return\n    fi\n"
          "    given=${COMP_WORDS[1]}\n    [ -n \"$words\" ] && given=\"$given ${COMP_WORDS[2]}\"\n"
          "    case $given in\n",
          out);
    for (const struct command *c = commands; c->name != NULL; c++) {
        fprintf(out, "        '%s') words=\"", c->name);
        put_option_names(out, c->options);
        fputs("\" ;;\n", out);
    }
    fputs("        *) words= ;;\n    esac\n    case $word in\n        -*) COMPREPLY=($(compgen -W \"$words", out);
    put_option_names(out, common);
    fputs("\" -- \"$word\")) ;;\n        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\n"
          "complete -F _linewardctl linewardctl\n",
          out);
}
