/* folder.h — a store's folder as files: unpacked, changed, compared. */
#ifndef PROCESS_FOLDER_H
#define PROCESS_FOLDER_H

#include "program.h"

/* Unpacks a .tar.gz into a folder. */
void folder_unpack(const char *archive, const char *folder);
/* In this file, which holds it once, `was` becomes `is`, as long as it. */
void folder_replace(const char *folder, const char *name, const char *was, const char *is);
/* A sum over names and contents of all its files, but for `lock`, which whoever looks must open. */
uint64_t folder_sum(const char *folder);

#endif
