// lk-parallel | SPDX-License-Identifier: MIT
// expect: no such sentence
int main() { return 0; }
