// QK_LANES numbers at a time, 8 or 16 (defined by the includer), in portable C: the compiler makes vectors of whatever
// width the machine has, and the order of every sum is the same on all of them. Widths of rows are multiples of it.
#ifndef QK_LANES_H
#define QK_LANES_H

#include <stdint.h>

typedef float lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef int32_t int_lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef uint32_t word_lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef int16_t short_lanes __attribute__((vector_size(2 * QK_LANES), aligned(2)));
typedef int8_t byte_lanes __attribute__((vector_size(QK_LANES), aligned(1)));

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
static inline float qk_larger(float a, float b) { return a > b ? a : b; }

/// Sums, or the largest, of all lanes over a tree.
#define SUM_OF_8(v, i) \
  ((((v)[i] + (v)[i + 4]) + ((v)[i + 2] + (v)[i + 6])) + (((v)[i + 1] + (v)[i + 5]) + ((v)[i + 3] + (v)[i + 7])))
#define LARGEST_OF_8(v, i)                                                                              \
  qk_larger(qk_larger(qk_larger((v)[i], (v)[i + 4]), qk_larger((v)[i + 2], (v)[i + 6])),                \
            qk_larger(qk_larger((v)[i + 1], (v)[i + 5]), qk_larger((v)[i + 3], (v)[i + 7])))
#if QK_LANES == 16
#define SUM_OF(v) (SUM_OF_8(v, 0) + SUM_OF_8(v, 8))
#define LARGEST_OF(v) qk_larger(LARGEST_OF_8(v, 0), LARGEST_OF_8(v, 8))
#else
#define SUM_OF(v) SUM_OF_8(v, 0)
#define LARGEST_OF(v) LARGEST_OF_8(v, 0)
#endif

#endif
