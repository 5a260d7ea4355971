/* err.h — what a function of this project can answer when it could not do what was asked.
 * For the program; the sentence for a person is made where the value is known. */
#ifndef LINEWARD_ERR_H
#define LINEWARD_ERR_H

#define ERR_LIST(X)                                                                                \
    X(NONE, "none")                                                                                \
    X(NO_MEMORY, "no_memory")                                                                      \
    X(FULL, "full")                                                                                \
    X(EXISTS, "exists")                                                                            \
    X(NOT_FOUND, "not_found")                                                                      \
    X(FORBIDDEN_MOVE, "forbidden_move")                                                            \
    X(BAD_INPUT, "bad_input")                                                                      \
    X(BUSY, "busy")                                                                                \
    X(IO, "io")                                                                                    \
    X(DAMAGED, "damaged")                                                                          \
    X(TOO_NEW, "too_new")                                                                          \
    X(GONE, "gone")

enum err {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* The word for `err`, never NULL. */
const char *err_name(enum err err);

#endif
