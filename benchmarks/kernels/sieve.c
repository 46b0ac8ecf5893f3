/* Counts the primes below two million by the sieve of Eratosthenes, n times. */
#include "kernel.h"

enum { LIMIT = 2000000 };

static u8 composite[LIMIT];

EXPORT i64 run(i32 n) {
    i64 sum = 0;
    for (i32 round = 0; round < n; round++) {
        for (i32 i = 0; i < LIMIT; i++)
            composite[i] = 0;
        for (i32 i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            sum += i ^ round;
            if (i < 1500)
                for (i32 multiple = i * i; multiple < LIMIT; multiple += i)
                    composite[multiple] = 1;
        }
    }
    return sum;
}
