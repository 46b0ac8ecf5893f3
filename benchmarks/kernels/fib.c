/* The n-th Fibonacci number by the plain recursion. */
#include "kernel.h"

__attribute__((noinline)) static i32 fib(i32 n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

EXPORT i64 run(i32 n) {
    return fib(n);
}
