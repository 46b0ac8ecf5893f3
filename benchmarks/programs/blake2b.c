/* BLAKE2b (RFC 7693) of n KiB of text, which are one message. */
#include "text.h"

enum { SIZE = 1 << 16, BLOCK = 128 };

static u8 text[SIZE];
static const u64 INITIAL[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                               0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const u8 ORDER[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static u64 rotate(u64 value, i32 count) {
    return value >> count | value << (64 - count);
}

static void mix(u64 v[16], u32 a, u32 b, u32 c, u32 d, u64 x, u64 y) {
    v[a] += v[b] + x, v[d] = rotate(v[d] ^ v[a], 32), v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y, v[d] = rotate(v[d] ^ v[a], 16), v[c] += v[d], v[b] = rotate(v[b] ^ v[c], 63);
}

static void compress(u64 state[8], const u8 *block, u64 length, i32 last) {
    u64 v[16], m[16];
    __builtin_memcpy(m, block, BLOCK);
    for (u32 i = 0; i < 8; i++)
        v[i] = state[i], v[i + 8] = INITIAL[i];
    v[12] ^= length;
    if (last)
        v[14] = ~v[14];
    for (u32 round = 0; round < 12; round++) {
        const u8 *order = ORDER[round % 10];
        for (u32 i = 0; i < 4; i++)
            mix(v, i, i + 4, i + 8, i + 12, m[order[2 * i]], m[order[2 * i + 1]]);
        for (u32 i = 0; i < 4; i++)
            mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[order[2 * i + 8]], m[order[2 * i + 9]]);
    }
    for (u32 i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

EXPORT i64 run(i32 n) {
    u64 state[8], length = 0;
    make_text(text, SIZE, 44);
    for (u32 i = 0; i < 8; i++)
        state[i] = INITIAL[i];
    state[0] ^= 0x01010040;
    for (u64 end = (u64)n * 1024; length < end;) {
        const u8 *block = text + length % SIZE;
        length += BLOCK;
        compress(state, block, length, length == end);
    }
    return (i64)state[0];
}
