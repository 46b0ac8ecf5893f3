/* Heat on a square plate: each point becomes the mean of its four neighbours and itself. */
#include "kernel.h"

enum { SIZE = 512 };

static float plates[2][SIZE][SIZE];

static void step(float (*restrict to)[SIZE], float (*restrict from)[SIZE]) {
    for (i32 i = 1; i < SIZE - 1; i++)
        for (i32 j = 1; j < SIZE - 1; j++)
            to[i][j] = 0.2f * (from[i][j] + from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
}

EXPORT double run(i32 n) {
    for (i32 i = 0; i < SIZE; i++)
        for (i32 j = 0; j < SIZE; j++)
            plates[0][i][j] = plates[1][i][j] = (float)((i * 7 + j * 13) % 100);
    for (i32 round = 0; round < n; round++)
        step(plates[(round + 1) & 1], plates[round & 1]);
    double sum = 0;
    for (i32 i = 0; i < SIZE; i++)
        for (i32 j = 0; j < SIZE; j++)
            sum += plates[n & 1][i][j];
    return sum;
}
