/* Sorts n random 32-bit numbers: recursive quicksort (Hoare's partition), insertion sort for short ranges. */
#include "kernel.h"

static i32 numbers[1 << 20];

static void sort(i32 low, i32 high) {
    while (high - low > 12) {
        i32 pivot = numbers[low + (high - low) / 2], i = low - 1, j = high + 1;
        for (;;) {
            do
                i++;
            while (numbers[i] < pivot);
            do
                j--;
            while (numbers[j] > pivot);
            if (i >= j)
                break;
            i32 exchanged = numbers[i];
            numbers[i] = numbers[j];
            numbers[j] = exchanged;
        }
        sort(low, j);
        low = j + 1;
    }
    for (i32 i = low + 1; i <= high; i++) {
        i32 number = numbers[i], j = i;
        while (j > low && numbers[j - 1] > number) {
            numbers[j] = numbers[j - 1];
            j--;
        }
        numbers[j] = number;
    }
}

EXPORT i64 run(i32 n) {
    u64 random = 42;
    for (i32 i = 0; i < n; i++)
        numbers[i] = (i32)(next_random(&random) >> 32);
    sort(0, n - 1);
    u64 checksum = 0;
    for (i32 i = 0; i < n; i++)
        checksum = checksum * 31 + (u32)numbers[i];
    return (i64)checksum;
}
