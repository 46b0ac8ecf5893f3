/* All placements of n queens (default 8) on an n by n board: prints the first one and their number. */
#include <stdio.h>
#include <stdlib.h>

static int size;
static int column_of[16];
static long solutions;

static void print_board(void) {
    for (int row = 0; row < size; row++) {
        for (int column = 0; column < size; column++)
            fputs(column_of[row] == column ? " Q" : " .", stdout);
        putchar('\n');
    }
}

static void place(int row, unsigned columns, unsigned left, unsigned right) {
    if (row == size) {
        if (solutions++ == 0)
            print_board();
        return;
    }
    unsigned free_columns = ~(columns | left | right) & ((1u << size) - 1);
    while (free_columns) {
        unsigned bit = free_columns & -free_columns;
        free_columns ^= bit;
        column_of[row] = __builtin_ctz(bit);
        place(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
}

int main(int argc, char **argv) {
    size = argc > 1 ? atoi(argv[1]) : 8;
    if (size < 1 || size > 14) {
        fprintf(stderr, "queens: the size must be between 1 and 14\n");
        return 2;
    }
    place(0, 0, 0, 0);
    printf("%ld solutions for %d queens\n", solutions, size);
    return 0;
}
