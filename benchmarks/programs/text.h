/* Text that looks written: words of a made-up language, some far more frequent than others. */
#include "../kernels/kernel.h"

enum { WORDS = 512, LONGEST = 12 };

static u8 word_letters[WORDS][LONGEST];
static u32 word_lengths[WORDS];

static inline void make_words(u64 *random) {
    for (u32 i = 0; i < WORDS; i++) {
        word_lengths[i] = 2 + (u32)(next_random(random) >> 32) % (LONGEST - 2);
        for (u32 j = 0; j < word_lengths[i]; j++) {
            u32 number = (u32)(next_random(random) >> 32);
            word_letters[i][j] = (u8)(j & 1 ? "aeiou"[number % 5] : "bcdfghklmnprstvwz"[number % 17]);
        }
    }
}

/* Low numbers are likely: the product of two random numbers. */
static u32 pick_word(u64 *random) {
    u64 number = next_random(random);
    return (u32)(((number >> 40) * (number & 0xffffff) >> 24) * WORDS >> 24);
}

static inline void make_text(u8 *text, u32 size, u64 seed) {
    u64 random = seed;
    make_words(&random);
    for (u32 at = 0; at < size;) {
        u32 word = pick_word(&random);
        for (u32 j = 0; j < word_lengths[word] && at < size; j++)
            text[at++] = word_letters[word][j];
        if (at < size)
            text[at++] = next_random(&random) >> 60 ? ' ' : '\n';
    }
}

/* FNV-1a. */
static inline u64 digest(const u8 *data, u32 size) {
    u64 hash = 0xcbf29ce484222325ull;
    for (u32 i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3ull;
    return hash;
}
