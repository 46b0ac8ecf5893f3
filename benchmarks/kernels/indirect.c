/* Calls one of eight functions through a table of pointers, chosen by the data, n thousand times. */
#include "kernel.h"

static u32 add(u32 a, u32 b) { return a + b; }
static u32 subtract(u32 a, u32 b) { return a - b; }
static u32 multiply(u32 a, u32 b) { return a * (b | 1); }
static u32 both(u32 a, u32 b) { return a & (b | 0xffff); }
static u32 either(u32 a, u32 b) { return a | (b & 0xff); }
static u32 differ(u32 a, u32 b) { return a ^ b; }
static u32 turn(u32 a, u32 b) { return a << (b & 31) | a >> (-b & 31); }
static u32 mix(u32 a, u32 b) { return (a ^ a >> 15) * 2246822519u + b; }

static u32 (*operations[])(u32, u32) = {add, subtract, multiply, both, either, differ, turn, mix};

EXPORT i64 run(i32 n) {
    u32 value = 1;
    u64 sum = 0;
    for (i32 i = 0; i < n; i++) {
        for (u32 j = 0; j < 1000; j++)
            value = operations[(j * 5 + (j >> 3)) & 7](value, j);
        operations[i & 7] = operations[value & 7];
        operations[value & 7] = (i & 1) ? mix : add;
        sum = sum * 31 + value;
    }
    return (i64)sum;
}
