/* linewardctl — the operator's and the producer's command line. */
#include <stdio.h>

#include "ctl.h"

int main(int argc, char **argv)
{
    return ctl_run(argc, argv, stdout, stderr);
}
