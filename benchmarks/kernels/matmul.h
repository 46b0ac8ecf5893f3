/* Matrix product, n times over, of matrices of NUMBER; the inner loop runs along rows. */
#include "kernel.h"

enum { SIZE = 192 };

static NUMBER a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

EXPORT double run(i32 n) {
    for (i32 i = 0; i < SIZE; i++)
        for (i32 j = 0; j < SIZE; j++) {
            a[i][j] = (NUMBER)(i * 3 + j) / SIZE;
            b[i][j] = (NUMBER)(i - j * 2) / SIZE;
        }
    for (i32 round = 0; round < n; round++) {
        for (i32 i = 0; i < SIZE; i++) {
            for (i32 j = 0; j < SIZE; j++)
                c[i][j] = 0;
            for (i32 k = 0; k < SIZE; k++) {
                NUMBER factor = a[i][k];
                for (i32 j = 0; j < SIZE; j++)
                    c[i][j] += factor * b[k][j];
            }
        }
        a[round % SIZE][0] = c[SIZE - 1][round % SIZE] / SIZE;
    }
    double sum = 0;
    for (i32 i = 0; i < SIZE; i++)
        for (i32 j = 0; j < SIZE; j++)
            sum += c[i][j];
    return sum;
}
