/* Compression of text by matches with what came before (LZ77, in the manner of LZ4), and decompression, n times. */
#include "text.h"

enum { SIZE = 1 << 18, HASH_BITS = 14, SHORTEST = 4, FARTHEST = 65535 };

static u8 text[SIZE], packed[SIZE + SIZE / 128 + 64], unpacked[SIZE];
static u32 heads[1 << HASH_BITS];

static u32 load32(const u8 *from) {
    u32 value;
    __builtin_memcpy(&value, from, 4);
    return value;
}

static u8 *put_length(u8 *out, u32 length) {
    for (; length >= 255; length -= 255)
        *out++ = 255;
    *out++ = (u8)length;
    return out;
}

/* A token with two lengths of four bits, more of the first, literals, two bytes of distance, more of the second. */
static u8 *put_sequence(u8 *out, const u8 *literals, u32 count, u32 distance, u32 match) {
    u8 *token = out++;
    *token = (u8)((count < 15 ? count : 15) << 4);
    if (count >= 15)
        out = put_length(out, count - 15);
    for (u32 i = 0; i < count; i++)
        *out++ = literals[i];
    if (match) {
        u32 more = match - SHORTEST;
        *out++ = (u8)distance, *out++ = (u8)(distance >> 8);
        *token |= (u8)(more < 15 ? more : 15);
        if (more >= 15)
            out = put_length(out, more - 15);
    }
    return out;
}

static u32 compress(const u8 *in, u32 size, u8 *to) {
    u8 *out = to;
    u32 at = 0, anchor = 0;
    for (u32 i = 0; i < 1 << HASH_BITS; i++)
        heads[i] = 0;
    while (at + 12 < size) {
        u32 *head = &heads[load32(in + at) * 2654435761u >> (32 - HASH_BITS)], candidate = *head;
        *head = at + 1;
        if (!candidate || at + 1 - candidate > FARTHEST || load32(in + candidate - 1) != load32(in + at)) {
            at += 1 + ((at - anchor) >> 6);
            continue;
        }
        u32 match = SHORTEST, from = candidate - 1;
        while (at + match + 5 < size && in[from + match] == in[at + match])
            match++;
        out = put_sequence(out, in + anchor, at - anchor, at - from, match);
        anchor = at += match;
    }
    return (u32)(put_sequence(out, in + anchor, size - anchor, 0, 0) - to);
}

static u32 get_length(const u8 **in, u32 length) {
    u8 byte = 255;
    for (; length >= 15 && byte == 255; length += byte)
        byte = *(*in)++;
    return length;
}

static u32 decompress(const u8 *in, u32 size, u8 *to) {
    const u8 *end = in + size;
    u8 *out = to;
    while (in < end) {
        u32 token = *in++, count = get_length(&in, token >> 4);
        for (u32 i = 0; i < count; i++)
            *out++ = *in++;
        if (in >= end)
            break;
        u32 distance = in[0] | (u32)in[1] << 8;
        in += 2;
        u32 match = get_length(&in, token & 15) + SHORTEST;
        for (const u8 *from = out - distance; match; match--)
            *out++ = *from++;
    }
    return (u32)(out - to);
}

EXPORT i64 run(i32 n) {
    u64 result = 0;
    make_text(text, SIZE, 42);
    for (i32 i = 0; i < n; i++) {
        text[(u32)i * 7919 % SIZE] = (u8)i;
        u32 size = compress(text, SIZE, packed);
        if (decompress(packed, size, unpacked) != SIZE)
            return -1;
        result = result * 31 + size;
    }
    return (i64)(digest(text, SIZE) == digest(unpacked, SIZE) ? result : 0);
}
