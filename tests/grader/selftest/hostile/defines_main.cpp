// Defines main, which belongs to the tests.
int main() { return 0; }
