/* Greatest common divisor: a library without WASI, for embedding. */
__attribute__((export_name("gcd"))) int gcd(int a, int b) {
    while (b) {
        int remainder = a % b;
        a = b;
        b = remainder;
    }
    return a;
}
