/* Integer division traps on a zero divisor and on the one quotient that does not fit. */
__attribute__((export_name("divide"))) int divide(int a, int b) {
    return a / b;
}
