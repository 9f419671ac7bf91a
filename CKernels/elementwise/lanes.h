// Eight numbers at a time in portable C: the compiler makes vectors of whatever width the machine has, and the order of
// every sum is the same on all of them. Widths of rows are multiples of 8.
#ifndef QK_LANES_H
#define QK_LANES_H

#include <stdint.h>

#define QK_LANES 8

// Clones for AVX-512, AVX2 and any other CPU, chosen by the loader.
#if defined(__x86_64__) && defined(__linux__)
#define QK_PASS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define QK_PASS
#endif

typedef float lanes __attribute__((vector_size(32), aligned(4)));
typedef int32_t int_lanes __attribute__((vector_size(32), aligned(4)));
typedef uint32_t word_lanes __attribute__((vector_size(32), aligned(4)));
typedef int16_t short_lanes __attribute__((vector_size(16), aligned(2)));
typedef int8_t byte_lanes __attribute__((vector_size(8), aligned(1)));

// Macros, because vectors as arguments of functions are another convention on every instruction set.
#define LOAD(place) (*(const lanes *)(place))
#define STORE(place, value) (*(lanes *)(place) = (value))
#define LOAD_INTS(place) (*(const int_lanes *)(place))
#define LOAD_BYTES(place) __builtin_convertvector(*(const byte_lanes *)(place), int_lanes)
#define STORE_BYTES(place, ints) (*(byte_lanes *)(place) = __builtin_convertvector((ints), byte_lanes))
#define TO_FLOATS(ints) __builtin_convertvector((ints), lanes)
#define TO_INTS(floats) __builtin_convertvector((floats), int_lanes)
/// a where the mask is all ones, b where it is 0.
#define CHOOSE(mask, a, b) ((lanes)(((int_lanes)(mask) & (int_lanes)(a)) | (~(int_lanes)(mask) & (int_lanes)(b))))
#define CHOOSE_INTS(mask, a, b) (((int_lanes)(mask) & (a)) | (~(int_lanes)(mask) & (b)))
#define ROUND(v) __builtin_elementwise_rint(v)
#define CLAMP(v, lo, hi) __builtin_elementwise_min(__builtin_elementwise_max((v), (lo)), (hi))
#define MAGNITUDE(v) __builtin_elementwise_abs(v)
#define LARGER(a, b) __builtin_elementwise_max((a), (b))
#define ALL(scalar) ((lanes){ 0 } + (scalar))
/// Sums, or the largest, of eight lanes over a tree.
#define SUM_OF(v) ((((v)[0] + (v)[4]) + ((v)[2] + (v)[6])) + (((v)[1] + (v)[5]) + ((v)[3] + (v)[7])))

static inline float qk_larger(float a, float b) { return a > b ? a : b; }
#define LARGEST_OF(v) \
  qk_larger(qk_larger(qk_larger((v)[0], (v)[4]), qk_larger((v)[2], (v)[6])), \
            qk_larger(qk_larger((v)[1], (v)[5]), qk_larger((v)[3], (v)[7])))

#endif
