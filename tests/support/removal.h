/* removal.h — a test's folder goes with the test. */
#ifndef TESTS_SUPPORT_REMOVAL_H
#define TESTS_SUPPORT_REMOVAL_H

/* The folder and all in it; follows no link. 0, or what nftw() returned, with errno. */
int folder_remove(const char *folder);

#endif
