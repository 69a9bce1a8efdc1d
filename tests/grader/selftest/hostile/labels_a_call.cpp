// A label goes into the compiler's text as it is, and this one brings an end with code 0: no `asm` statement is seen.
extern "C" int labelled asm("stdout(%rip), %eax\n\tmovl $60, %eax\n\txorl %edi, %edi\n\tsyscall\n\tmovl stdout");
static volatile bool done = [] { return labelled != 0; }();
