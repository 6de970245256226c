// lk-parallel | SPDX-License-Identifier: MIT
// expect: the promised sentence
static_assert(sizeof(char) == 2, "the promised sentence; in full");
int main() { return 0; }
