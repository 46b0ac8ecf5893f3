/* Prime numbers up to a limit (default 100) by the sieve of Eratosthenes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    long limit = argc > 1 ? atol(argv[1]) : 100;
    if (limit < 2 || limit > 100000000) {
        fprintf(stderr, "sieve: the limit must be between 2 and 100000000\n");
        return 2;
    }
    char *composite = calloc((size_t)limit + 1, 1);
    if (!composite) {
        fprintf(stderr, "sieve: out of memory\n");
        return 1;
    }
    long count = 0;
    for (long candidate = 2; candidate <= limit; candidate++) {
        if (composite[candidate])
            continue;
        count++;
        if (limit <= 1000)
            printf("%ld\n", candidate);
        if (candidate > limit / candidate)
            continue;
        for (long multiple = candidate * candidate; multiple <= limit; multiple += candidate)
            composite[multiple] = 1;
    }
    printf("%ld primes up to %ld\n", count, limit);
    free(composite);
    return 0;
}
