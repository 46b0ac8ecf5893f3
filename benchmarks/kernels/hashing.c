/* FNV-1a and the main loop of xxHash64 over n KiB. */
#include "kernel.h"

enum { SIZE = 16384 };
static const u64 PRIME_1 = 11400714785074694791ull, PRIME_2 = 14029467366897019727ull;

static u64 words[SIZE / 8];

static u64 rotate(u64 value, i32 count) {
    return value << count | value >> (64 - count);
}

static u64 fnv(const u8 *bytes, i32 length) {
    u64 hash = 14695981039346656037ull;
    for (i32 i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
}

static u64 xx(const u64 *input, i32 length) {
    u64 lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1};
    for (i32 i = 0; i < length; i += 4)
        for (i32 lane = 0; lane < 4; lane++)
            lanes[lane] = rotate(lanes[lane] + input[i + lane] * PRIME_2, 31) * PRIME_1;
    return rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
}

EXPORT i64 run(i32 n) {
    u64 random = 7, checksum = 0;
    for (i32 i = 0; i < SIZE / 8; i++)
        words[i] = next_random(&random);
    for (i32 done = 0; done < n; done += SIZE / 1024) {
        checksum = rotate(checksum, 5) ^ fnv((const u8 *)words, SIZE / 2);
        for (i32 round = 0; round < 8; round++) {
            checksum ^= xx(words, SIZE / 8);
            words[checksum % (SIZE / 8)] ^= checksum;
        }
    }
    return (i64)checksum;
}
