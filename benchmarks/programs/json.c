/* JSON: makes a document of many records, then parses it into a tree, walks over that and writes it again, n times. */
#include "text.h"

enum { ROOM = 1 << 19, NODES = 1 << 16, RECORDS = 1500 };
enum kind { NIL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

struct node {
    enum kind kind;
    u32 start, length; /* a string or key in the document */
    u32 key_start, key_length;
    double number;
    struct node *child, *next;
};

static u8 document[ROOM], written[ROOM];
static struct node nodes[NODES];
static u32 used, at, failed;
static u8 *out;

static void put(const char *text) {
    while (*text)
        *out++ = (u8)*text++;
}

static void put_number(u64 number) {
    u8 digits[20];
    u32 count = 0;
    do
        digits[count++] = (u8)('0' + number % 10);
    while (number /= 10);
    while (count)
        *out++ = digits[--count];
}

static void put_words(u64 *random, u32 count) {
    put("\"");
    while (count--) {
        u32 word = pick_word(random);
        for (u32 j = 0; j < word_lengths[word]; j++)
            *out++ = word_letters[word][j];
        put(count == 1 ? "\\n" : count ? " " : "");
    }
    put("\"");
}

static u32 make_document(u64 seed) {
    u64 random = seed;
    make_words(&random);
    out = document;
    put("[");
    for (u32 i = 0; i < RECORDS; i++) {
        put(i ? ",\n  {\"id\": " : "\n  {\"id\": ");
        put_number(i);
        put(", \"name\": ");
        put_words(&random, 2);
        put(", \"note\": ");
        put_words(&random, 4 + i % 8);
        put(i % 3 ? ", \"active\": true, \"score\": -" : ", \"active\": false, \"score\": ");
        put_number(next_random(&random) >> 44);
        put(".");
        put_number(next_random(&random) >> 54);
        put(", \"tags\": [");
        for (u32 j = 0; j < i % 5; j++) {
            put(j ? ", " : "");
            put_words(&random, 1);
        }
        put(i % 7 ? "]}" : "], \"extra\": {\"parent\": null, \"weight\": 1e3}}");
    }
    put("\n]\n");
    return (u32)(out - document);
}

static void skip_blanks(void) {
    while (document[at] == ' ' || document[at] == '\n' || document[at] == '\t' || document[at] == '\r')
        at++;
}

static i32 accept(u8 character) {
    skip_blanks();
    if (document[at] != character)
        return 0;
    at++;
    return 1;
}

static void expect(const char *text) {
    while (*text)
        failed |= document[at++] != (u8)*text++;
}

static void parse_string(u32 *start, u32 *length) {
    failed |= !accept('"');
    *start = at;
    while (document[at] != '"' && document[at])
        at += document[at] == '\\' ? 2 : 1;
    *length = at++ - *start;
}

static double parse_number(void) {
    double sign = 1, value = 0, scale = 1;
    i32 exponent = 0;
    if (document[at] == '-')
        sign = -1, at++;
    while (document[at] >= '0' && document[at] <= '9')
        value = value * 10 + (document[at++] - '0');
    if (document[at] == '.')
        for (at++; document[at] >= '0' && document[at] <= '9'; scale *= 10)
            value = value * 10 + (document[at++] - '0');
    if (document[at] == 'e')
        for (at++; document[at] >= '0' && document[at] <= '9';)
            exponent = exponent * 10 + (document[at++] - '0');
    for (value /= scale; exponent; exponent--)
        value *= 10;
    return sign * value;
}

static struct node *parse_value(void);

static void parse_members(struct node *parent, u8 closing) {
    struct node **link = &parent->child;
    at++;
    if (accept(closing))
        return;
    do {
        u32 start = 0, length = 0;
        if (closing == '}') {
            parse_string(&start, &length);
            failed |= !accept(':');
        }
        struct node *child = parse_value();
        child->key_start = start, child->key_length = length;
        *link = child, link = &child->next;
    } while (!failed && accept(','));
    failed |= !accept(closing);
}

static struct node *parse_value(void) {
    struct node *node = &nodes[used++ % NODES];
    skip_blanks();
    node->child = node->next = 0;
    switch (document[at]) {
    case '{': node->kind = OBJECT, parse_members(node, '}'); break;
    case '[': node->kind = ARRAY, parse_members(node, ']'); break;
    case '"': node->kind = STRING, parse_string(&node->start, &node->length); break;
    case 't': node->kind = TRUE, expect("true"); break;
    case 'f': node->kind = FALSE, expect("false"); break;
    case 'n': node->kind = NIL, expect("null"); break;
    default: node->kind = NUMBER, node->number = parse_number(); break;
    }
    return node;
}

static double sum_of(const struct node *node) {
    double sum = node->kind == NUMBER ? node->number : node->kind == STRING ? node->length : node->kind;
    for (const struct node *child = node->child; child; child = child->next)
        sum += sum_of(child);
    return sum;
}

static void copy(u32 start, u32 length) {
    put("\"");
    for (u32 i = 0; i < length; i++)
        *out++ = document[start + i];
    put("\"");
}

static void write_value(const struct node *node) {
    switch (node->kind) {
    case NIL: put("null"); return;
    case FALSE: put("false"); return;
    case TRUE: put("true"); return;
    case STRING: copy(node->start, node->length); return;
    case NUMBER:
        put(node->number < 0 ? "-" : "");
        put_number((u64)(i64)(node->number < 0 ? -node->number : node->number));
        return;
    default: break;
    }
    put(node->kind == OBJECT ? "{" : "[");
    for (const struct node *child = node->child; child; child = child->next) {
        if (node->kind == OBJECT) {
            copy(child->key_start, child->key_length);
            put(":");
        }
        write_value(child);
        put(child->next ? "," : "");
    }
    put(node->kind == OBJECT ? "}" : "]");
}

EXPORT i64 run(i32 n) {
    double sum = 0;
    u32 size = make_document(45);
    for (i32 i = 0; i < n; i++) {
        used = at = 0;
        document[size] = 0;
        struct node *root = parse_value();
        if (failed)
            return -1;
        sum += sum_of(root) / (i + 1);
        out = written;
        write_value(root);
    }
    return (i64)sum ^ (i64)digest(written, (u32)(out - written));
}
