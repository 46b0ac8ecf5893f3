/* A calculator: one expression a line from standard input, `name = expression` keeps a value, `quit` ends. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *cursor;
static const char *error;
static double variables[26];

static double expression(void);

static int accept(char wanted) {
    while (*cursor == ' ' || *cursor == '\t')
        cursor++;
    if (*cursor != wanted)
        return 0;
    cursor++;
    return 1;
}

static double fail(const char *message) {
    if (!error)
        error = message;
    return 0;
}

static double function(const char *name, size_t length, double argument) {
    static const struct {
        const char *name;
        double (*call)(double);
    } functions[] = {{"sqrt", sqrt}, {"sin", sin}, {"cos", cos}, {"exp", exp}, {"log", log}, {"abs", fabs}, {"floor", floor}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].name) == length && strncmp(functions[i].name, name, length) == 0)
            return functions[i].call(argument);
    return fail("unknown function");
}

static double factor(void) {
    if (accept('-'))
        return -factor();
    if (accept('(')) {
        double value = expression();
        return accept(')') ? value : fail("`)` expected");
    }
    if (isalpha((unsigned char)*cursor)) {
        const char *name = cursor;
        while (isalpha((unsigned char)*cursor))
            cursor++;
        size_t length = (size_t)(cursor - name);
        if (accept('(')) {
            double argument = expression();
            return accept(')') ? function(name, length, argument) : fail("`)` expected");
        }
        return length == 1 && islower((unsigned char)*name) ? variables[*name - 'a'] : fail("variables are single letters");
    }
    char *end;
    double value = strtod(cursor, &end);
    if (end == cursor)
        return fail("number expected");
    cursor = end;
    return value;
}

static double power(void) {
    double base = factor();
    return accept('^') ? pow(base, power()) : base;
}

static double term(void) {
    double value = power();
    for (;;) {
        if (accept('*'))
            value *= power();
        else if (accept('/'))
            value /= power();
        else if (accept('%'))
            value = fmod(value, power());
        else
            return value;
    }
}

static double expression(void) {
    double value = term();
    for (;;) {
        if (accept('+'))
            value += term();
        else if (accept('-'))
            value -= term();
        else
            return value;
    }
}

static void evaluate(const char *line) {
    cursor = line;
    error = NULL;
    while (*cursor == ' ')
        cursor++;
    char name = 0;
    if (islower((unsigned char)cursor[0])) {
        const char *start = cursor++;
        if (accept('='))
            name = *start;
        else
            cursor = start;
    }
    double value = expression();
    while (*cursor == ' ')
        cursor++;
    if (!error && *cursor)
        error = "operator expected";
    if (error) {
        printf("error: %s at column %d\n", error, (int)(cursor - line) + 1);
        return;
    }
    if (name)
        variables[name - 'a'] = value;
    printf("%.15g\n", value);
}

int main(void) {
    char line[256];
    variables['p' - 'a'] = acos(-1);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (strcmp(line, "quit") == 0)
            break;
        if (*line)
            evaluate(line);
    }
    return 0;
}
