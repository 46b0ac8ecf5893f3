/* n thousand dependent reads and writes at random places of 16 MiB. */
#include "kernel.h"

enum { ENTRIES = 1 << 22 };

static u32 entries[ENTRIES];

EXPORT i64 run(i32 n) {
    for (i32 i = 0; i < ENTRIES; i++)
        entries[i] = (u32)i * 2654435761u;
    u32 position = 1, sum = 0;
    for (i32 round = 0; round < n; round++)
        for (i32 i = 0; i < 1000; i++) {
            u32 value = entries[position];
            entries[position] = value + sum;
            sum += value >> 7;
            position = (value ^ position * 5) % ENTRIES;
        }
    return (i64)((u64)sum << 32 | position);
}
