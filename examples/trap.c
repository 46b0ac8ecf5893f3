/* Goes wrong in the way its argument names, three calls deep, to show a backtrace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile int zero = 0;
volatile unsigned far_away = 0xfffffff0u;

__attribute__((noinline)) static int divide(int value) {
    return value / zero;
}

__attribute__((noinline)) static int read_far_away(int value) {
    return *(volatile int *)(far_away + (unsigned)value);
}

__attribute__((noinline)) static int recurse(int value) {
    volatile int here = value;
    return zero ? value : recurse(value + 1) + here;
}

__attribute__((noinline)) static int give_up(int value) {
    if (value >= 0)
        __builtin_trap();
    return value;
}

__attribute__((noinline)) static int call_wrong_type(int value) {
    double (*volatile wrong)(double, double) = (double (*)(double, double))(void *)divide;
    return (int)wrong(value, value);
}

__attribute__((noinline)) static int to_integer(int value) {
    volatile double huge = 1e300 * value;
    int result;
    __asm__ volatile("local.get %1\n\ti32.trunc_f64_s\n\tlocal.set %0" : "=r"(result) : "r"(huge));
    return result;
}

static const struct {
    const char *name;
    int (*run)(int);
} ways[] = {{"divide", divide},         {"memory", read_far_away},       {"stack", recurse},
            {"unreachable", give_up}, {"type", call_wrong_type}, {"convert", to_integer}};

__attribute__((noinline)) static int go_wrong(const char *name) {
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i].name, name) == 0)
            return ways[i].run(1);
    printf("trap: one of divide, memory, stack, unreachable, type, convert\n");
    return 2;
}

int main(int argc, char **argv) {
    return go_wrong(argc > 1 ? argv[1] : "");
}
