/* Calls a function of the embedder for every number of a Collatz sequence and returns how many there were. */
__attribute__((import_module("env"), import_name("visit"))) void visit(int number);

__attribute__((export_name("collatz"))) int collatz(int number) {
    int steps = 0;
    visit(number);
    while (number != 1) {
        number = number % 2 ? 3 * number + 1 : number / 2;
        visit(number);
        steps++;
    }
    return steps;
}
