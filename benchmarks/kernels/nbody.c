/* Five bodies under gravity for n steps of symplectic Euler; the result is the energy. */
#include "kernel.h"

enum { BODIES = 5 };

struct body {
    double position[3], velocity[3], mass;
};

static struct body bodies[BODIES];

static void advance(double dt) {
    for (i32 i = 0; i < BODIES; i++)
        for (i32 j = i + 1; j < BODIES; j++) {
            struct body *first = &bodies[i], *second = &bodies[j];
            double difference[3], square = 1e-3;
            for (i32 axis = 0; axis < 3; axis++) {
                difference[axis] = first->position[axis] - second->position[axis];
                square += difference[axis] * difference[axis];
            }
            double strength = dt / (square * __builtin_sqrt(square));
            for (i32 axis = 0; axis < 3; axis++) {
                first->velocity[axis] -= difference[axis] * second->mass * strength;
                second->velocity[axis] += difference[axis] * first->mass * strength;
            }
        }
    for (i32 i = 0; i < BODIES; i++)
        for (i32 axis = 0; axis < 3; axis++)
            bodies[i].position[axis] += dt * bodies[i].velocity[axis];
}

EXPORT double run(i32 n) {
    for (i32 i = 0; i < BODIES; i++) {
        bodies[i].mass = i == 0 ? 40 : 0.1 * i;
        for (i32 axis = 0; axis < 3; axis++) {
            bodies[i].position[axis] = i * (axis + 1) * 0.7;
            bodies[i].velocity[axis] = i * (axis - 1) * 0.9;
        }
    }
    for (i32 step = 0; step < n; step++)
        advance(0.001);
    double energy = 0;
    for (i32 i = 0; i < BODIES; i++)
        for (i32 axis = 0; axis < 3; axis++)
            energy += 0.5 * bodies[i].mass * bodies[i].velocity[axis] * bodies[i].velocity[axis];
    return energy;
}
