/* Lines, words and bytes of files, or of standard input where no file or `-` is named. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct counts {
    unsigned long lines, words, bytes;
};

static struct counts count(FILE *file) {
    struct counts result = {0, 0, 0};
    int inside_word = 0, character;
    while ((character = getc(file)) != EOF) {
        result.bytes++;
        result.lines += character == '\n';
        if (isspace(character)) {
            inside_word = 0;
        } else if (!inside_word) {
            inside_word = 1;
            result.words++;
        }
    }
    return result;
}

static void print(struct counts counts, const char *name) {
    printf("%7lu %7lu %7lu %s\n", counts.lines, counts.words, counts.bytes, name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print(count(stdin), "-");
        return 0;
    }
    struct counts total = {0, 0, 0};
    int status = 0;
    for (int i = 1; i < argc; i++) {
        int is_stdin = strcmp(argv[i], "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(argv[i], "rb");
        if (!file) {
            fprintf(stderr, "wordcount: %s: %s\n", argv[i], strerror(errno));
            status = 1;
            continue;
        }
        struct counts counts = count(file);
        if (!is_stdin)
            fclose(file);
        print(counts, argv[i]);
        total.lines += counts.lines;
        total.words += counts.words;
        total.bytes += counts.bytes;
    }
    if (argc > 2)
        print(total, "total");
    return status;
}
