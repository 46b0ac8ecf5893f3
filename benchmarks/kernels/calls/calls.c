/* What calls.py calls: an addition, and a loop that calls the embedder. */
#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(name)))
__attribute__((import_module("env"), import_name("host"))) int host(int a, int b);
#else
#define EXPORT(name) __attribute__((visibility("default")))
static int host(int a, int b) { return a + b; }
#endif

EXPORT("add") int add(int a, int b) {
    return (int)((unsigned)a + (unsigned)b);
}

EXPORT("loop") int loop(int number) {
    int total = 0;
    for (; number > 0; number--)
        total = host(total, 1);
    return total;
}
