/* Huffman coding of text with canonical codes, as in the second half of deflate, and decoding with a table, n times. */
#include "text.h"

enum { SIZE = 1 << 17, SYMBOLS = 256, LONGEST_CODE = 15 };

static u8 text[SIZE], packed[SIZE * 2 + 16], unpacked[SIZE];
static u32 codes[SYMBOLS];
static u8 lengths[SYMBOLS];
static unsigned short table[1 << LONGEST_CODE];

/* Lengths of the codes: the two rarest trees are joined again and again; false if one becomes too long. */
static i32 find_lengths(const u32 counts[SYMBOLS]) {
    static u32 weights[2 * SYMBOLS], parents[2 * SYMBOLS], heap[SYMBOLS + 1];
    u32 size = 0, nodes = SYMBOLS;
    for (u32 i = 0; i < SYMBOLS; i++) {
        lengths[i] = 0;
        weights[i] = counts[i];
        if (counts[i])
            heap[size++] = i;
    }
    for (u32 i = 1; i < size; i++) { /* a sorted list does for so few */
        u32 node = heap[i], j = i;
        for (; j && weights[heap[j - 1]] < weights[node]; j--)
            heap[j] = heap[j - 1];
        heap[j] = node;
    }
    while (size > 1) {
        u32 first = heap[--size], second = heap[--size], node = nodes++, j = size++;
        weights[node] = weights[first] + weights[second];
        parents[first] = parents[second] = node;
        for (; j && weights[heap[j - 1]] < weights[node]; j--)
            heap[j] = heap[j - 1];
        heap[j] = node;
    }
    for (u32 i = 0; i < SYMBOLS; i++)
        if (counts[i]) {
            for (u32 node = i; node != nodes - 1; node = parents[node])
                lengths[i]++;
            if (lengths[i] > LONGEST_CODE)
                return 0;
        }
    return 1;
}

static u32 reversed(u32 code, u32 length) {
    u32 result = 0;
    for (u32 i = 0; i < length; i++)
        result = result << 1 | (code >> i & 1);
    return result;
}

static void make_codes(void) {
    u32 next[LONGEST_CODE + 2] = {0}, per_length[LONGEST_CODE + 1] = {0};
    for (u32 i = 0; i < SYMBOLS; i++)
        per_length[lengths[i]]++;
    per_length[0] = 0;
    for (u32 length = 1; length <= LONGEST_CODE; length++)
        next[length + 1] = (next[length] + per_length[length]) << 1;
    for (u32 i = 0; i < SYMBOLS; i++)
        if (lengths[i]) {
            codes[i] = reversed(next[lengths[i]]++, lengths[i]);
            for (u32 at = codes[i]; at < 1 << LONGEST_CODE; at += 1u << lengths[i])
                table[at] = (unsigned short)(i << 4 | lengths[i]);
        }
}

static u32 encode(void) {
    u64 bits = 0;
    u32 count = 0, size = 0;
    for (u32 i = 0; i < SIZE; i++) {
        bits |= (u64)codes[text[i]] << count;
        for (count += lengths[text[i]]; count >= 8; count -= 8, bits >>= 8)
            packed[size++] = (u8)bits;
    }
    packed[size++] = (u8)bits;
    return size;
}

static void decode(void) {
    u64 bits = 0;
    u32 count = 0, at = 0;
    for (u32 i = 0; i < SIZE; i++) {
        for (; count < LONGEST_CODE; count += 8)
            bits |= (u64)packed[at++] << count;
        u32 entry = table[bits & ((1 << LONGEST_CODE) - 1)];
        unpacked[i] = (u8)(entry >> 4);
        bits >>= entry & 15;
        count -= entry & 15;
    }
}

EXPORT i64 run(i32 n) {
    u64 result = 0;
    for (i32 i = 0; i < n; i++) {
        u32 counts[SYMBOLS] = {0};
        if (i % 16 == 0)
            make_text(text, SIZE, 43 + (u64)i);
        for (u32 j = 0; j < SIZE; j++)
            counts[text[j]]++;
        if (!find_lengths(counts))
            return -1;
        make_codes();
        result = result * 31 + encode();
        decode();
        text[(u32)i * 7919 % SIZE] = (u8)('A' + i % 26);
    }
    return (i64)(result ^ digest(unpacked, SIZE));
}
