/* Shows the arguments and the environment that the program was given; the first argument is the exit code. */
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    for (char **variable = environ; *variable; variable++)
        printf("environment: %s\n", *variable);
    return argc > 1 ? atoi(argv[1]) : 0;
}
