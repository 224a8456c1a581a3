// A kernel: the sum of the squares of a number's digits. Build it with Zig (pip install ziglang has it too):
//
//   zig cc -target wasm32-freestanding -nostdlib -Wl,--no-entry -Wl,--export=run -Wl,-z,stack-size=65536 -O2 -s -o kernel.wasm kernel.c
//
// or with clang and lld:
//
//   clang --target=wasm32 -nostdlib -Wl,--no-entry -Wl,--export=run -Wl,-z,stack-size=65536 -O2 -s -o kernel.wasm kernel.c
//
// The less memory an instance has, the sooner it is made: a stack of 64 KiB is enough for most kernels.
//
// This is the numbers form: up to 8 parameters, each int, long long, float or double, and one result of
// these. A long long is given whole numbers up to 2^53 - 1.
//
// For other inputs and results there is the JSON form. It exports two functions instead, so -Wl,--export=alloc too:
//
//   char *alloc(int len)                   room for the input
//   char *run(const char *input, int len)  reads the input as JSON, such as {"n":1234}
//
// run returns a pointer to the result's length (4 bytes, little endian) and, behind it, as many bytes of JSON. 0 is
// no result. If the length's highest bit is set, the bytes are the words of an error.

long long run(long long n) {
  unsigned long long rest = n < 0 ? -(unsigned long long)n : (unsigned long long)n;
  long long sum = 0;
  for (; rest > 0; rest /= 10) {
    long long digit = rest % 10;
    sum += digit * digit;
  }
  return sum;
}
