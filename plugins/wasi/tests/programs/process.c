/* Arguments, environment, standard streams, clocks, random bytes, poll and the exit code. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    for (char **variable = environ; *variable; variable++)
        printf("variable: %s\n", *variable);
    char line[100];
    while (fgets(line, sizeof line, stdin))
        printf("input: %s", line);
    struct timespec before, after, resolution;
    clock_gettime(CLOCK_MONOTONIC, &before);
    struct timespec pause = {0, 20000000};
    printf("nanosleep %d\n", nanosleep(&pause, NULL));
    clock_gettime(CLOCK_MONOTONIC, &after);
    long elapsed = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    printf("slept enough: %d\n", elapsed >= 20000000);
    printf("getres %d %d\n", clock_getres(CLOCK_REALTIME, &resolution), resolution.tv_nsec > 0);
    printf("year is plausible: %d\n", time(NULL) > 1600000000);
    unsigned char random[256] = {0};
    printf("getentropy %d", getentropy(random, sizeof random));
    int nonzero = 0;
    for (int i = 0; i < 256; i++)
        nonzero += random[i] != 0;
    printf(" random: %d\n", nonzero > 200);
    struct pollfd wait = {1, POLLOUT, 0};
    printf("poll %d ready %d\n", poll(&wait, 1, 1000), (wait.revents & POLLOUT) != 0);
    printf("isatty %d\n", isatty(1));
    fprintf(stderr, "to stderr\n");
    fflush(stdout);
    exit(argc > 1 ? atoi(argv[1]) : 0);
}
