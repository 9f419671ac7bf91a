// QK_LANES numbers at a time, 8 or 16 (defined by the includer), in portable C. The compiler makes vectors of whatever
// width the machine has, and the order of every sum is the same on all machines. Widths of rows are multiples of
// QK_LANES.
#ifndef QK_LANES_H
#define QK_LANES_H

#include <stdint.h>

typedef float lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef int32_t int_lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef uint32_t word_lanes __attribute__((vector_size(4 * QK_LANES), aligned(4)));
typedef int16_t short_lanes __attribute__((vector_size(2 * QK_LANES), aligned(2)));
typedef int8_t byte_lanes __attribute__((vector_size(QK_LANES), aligned(1)));
typedef uint8_t unsigned_byte_lanes __attribute__((vector_size(QK_LANES), aligned(1)));

// Macros, because vectors as function arguments follow another convention on every instruction set.
#define LOAD(place) (*(const lanes *)(place))
#define STORE(place, value) (*(lanes *)(place) = (value))
#define LOAD_INTS(place) (*(const int_lanes *)(place))
#define LOAD_BYTES(place) __builtin_convertvector(*(const byte_lanes *)(place), int_lanes)
#define LOAD_UNSIGNED(place) __builtin_convertvector(*(const unsigned_byte_lanes *)(place), int_lanes)
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
/// For numbers that are not negative: their bits have their order, and comparing integers takes one instruction.
#define LARGER_MAGNITUDE(a, b) ((lanes)__builtin_elementwise_max((int_lanes)(a), (int_lanes)(b)))
#define ALL(scalar) ((lanes){ 0 } + (scalar))
/// Lane i is lane i XOR 4, 2 or 1.
#if QK_LANES == 16
#define SWAP4(v) __builtin_shufflevector((v), (v), 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define SWAP2(v) __builtin_shufflevector((v), (v), 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAP1(v) __builtin_shufflevector((v), (v), 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#else
#define SWAP4(v) __builtin_shufflevector((v), (v), 4, 5, 6, 7, 0, 1, 2, 3)
#define SWAP2(v) __builtin_shufflevector((v), (v), 2, 3, 0, 1, 6, 7, 4, 5)
#define SWAP1(v) __builtin_shufflevector((v), (v), 1, 0, 3, 2, 5, 4, 7, 6)
#endif

/// Requests the line `bytes` after `place`, which may be beyond the array: an address, not a pointer.
#define FETCH(place, bytes) __builtin_prefetch((const void *)((uintptr_t)(place) + (bytes)))

/// The sum, or the largest, of all lanes over a tree: of eight, ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)); sixteen are two
/// eights.
#define SUM_OF(v)                \
  ({                             \
    lanes sums_ = (v);           \
    sums_ += SWAP4(sums_);       \
    sums_ += SWAP2(sums_);       \
    sums_ += SWAP1(sums_);       \
    QK_LANES == 16 ? sums_[0] + sums_[QK_LANES - 8] : sums_[0]; \
  })
#define LARGEST_OF(v)                        \
  ({                                         \
    lanes largest_ = (v);                    \
    largest_ = LARGER(largest_, SWAP4(largest_)); \
    largest_ = LARGER(largest_, SWAP2(largest_)); \
    largest_ = LARGER(largest_, SWAP1(largest_)); \
    QK_LANES == 16 && largest_[QK_LANES - 8] > largest_[0] ? largest_[QK_LANES - 8] : largest_[0]; \
  })

#endif
