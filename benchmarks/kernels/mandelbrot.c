/* The sum of iteration counts of the Mandelbrot set on an n by n grid. */
#include "kernel.h"

EXPORT i64 run(i32 n) {
    i64 sum = 0;
    for (i32 row = 0; row < n; row++)
        for (i32 column = 0; column < n; column++) {
            double c_x = 3.0 * column / n - 2.0, c_y = 2.0 * row / n - 1.0, x = 0, y = 0;
            i32 count = 0;
            while (count < 200 && x * x + y * y <= 4) {
                double next = x * x - y * y + c_x;
                y = 2 * x * y + c_y;
                x = next;
                count++;
            }
            sum += count;
        }
    return sum;
}
