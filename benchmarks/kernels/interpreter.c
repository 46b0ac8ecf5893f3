/* A register machine interpreted by one switch: its program runs a linear congruential generator for n steps. */
#include "kernel.h"

enum operation { LOAD, MOVE, ADD, MULTIPLY, XOR, SHIFT, STORE, FETCH, LESS, JUMP_IF, JUMP, HALT };

struct instruction {
    u8 operation, target, left, right;
    i32 immediate;
};

static const struct instruction program[] = {
    {LOAD, 0, 0, 0, 0},     /*  0: i = 0 */
    {LOAD, 1, 0, 0, 12345}, /*  1: value = 12345 */
    {LOAD, 2, 0, 0, 1103515245},
    {LOAD, 3, 0, 0, 12345},
    {LOAD, 4, 0, 0, 1},
    {LOAD, 6, 0, 0, 0},     /*  5: sum = 0 */
    {MULTIPLY, 1, 1, 2, 0}, /*  6: the loop */
    {ADD, 1, 1, 3, 0},
    {SHIFT, 5, 1, 0, 16},
    {STORE, 0, 1, 5, 0}, /*  9: memory[value >> 16] = value */
    {FETCH, 8, 0, 0, 0}, /* 10: memory[i] */
    {XOR, 6, 6, 8, 0},
    {ADD, 6, 6, 5, 0},
    {ADD, 0, 0, 4, 0},
    {LESS, 9, 0, 7, 0},
    {JUMP_IF, 0, 9, 0, 6},
    {HALT, 0, 6, 0, 0},
};

static u32 memory[256];

static u32 interpret(const struct instruction *code, u32 limit) {
    u32 registers[16] = {0};
    registers[7] = limit;
    for (const struct instruction *next = code;;) {
        const struct instruction *now = next++;
        switch (now->operation) {
        case LOAD: registers[now->target] = (u32)now->immediate; break;
        case MOVE: registers[now->target] = registers[now->left]; break;
        case ADD: registers[now->target] = registers[now->left] + registers[now->right]; break;
        case MULTIPLY: registers[now->target] = registers[now->left] * registers[now->right]; break;
        case XOR: registers[now->target] = registers[now->left] ^ registers[now->right]; break;
        case SHIFT: registers[now->target] = registers[now->left] >> now->immediate; break;
        case STORE: memory[registers[now->right] & 255] = registers[now->left]; break;
        case FETCH: registers[now->target] = memory[registers[now->left] & 255]; break;
        case LESS: registers[now->target] = registers[now->left] < registers[now->right]; break;
        case JUMP_IF:
            if (registers[now->left])
                next = code + now->immediate;
            break;
        case JUMP: next = code + now->immediate; break;
        case HALT: return registers[now->left];
        }
    }
}

EXPORT i64 run(i32 n) {
    for (i32 i = 0; i < 256; i++)
        memory[i] = 0;
    return interpret(program, (u32)n);
}
