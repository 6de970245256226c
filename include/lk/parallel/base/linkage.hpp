// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// Where the library's functions are compiled. By themselves all are inline and compiled wherever they are used. With
// LK_PARALLEL_COMPILED defined, functions declared as LK_PARALLEL_FUNCTION are declared only, in all translation units
// but the one of a program that includes <lk/parallel/definitions.hpp>; all others compile several times faster then.
// The last lines of a header that declares such functions name the header that defines them. Definitions are weak, so
// that the targets of a program may each have them, and whoever needs more of the library than its front may include
// the defining headers all the same.

#ifdef LK_PARALLEL_COMPILED
#define LK_PARALLEL_FUNCTION
#define LK_PARALLEL_DEFINITION [[gnu::weak]]
#else
#define LK_PARALLEL_FUNCTION inline
#define LK_PARALLEL_DEFINITION inline
#endif
