// lk-parallel | SPDX-License-Identifier: MIT
// expect: no such sentence
#ifndef LK_CORRECTED
static_assert(sizeof(char) == 2, "another sentence");
#endif
int main() { return 0; }
