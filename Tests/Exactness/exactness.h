// The exactness suite in C: every kernel of every instruction set that the CPU has, compared bit for bit. It needs
// neither Swift nor a thread library, so it also runs on an emulated CPU.
#ifndef EXACTNESS_H
#define EXACTNESS_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/integer.h"

/// Memory between two unreadable pages, reused from case to case.
typedef struct arena {
  uint8_t *first;      ///< after the unreadable page in front
  size_t capacity;     ///< up to the unreadable page behind
} arena;

/// Returns `bytes` of the arena that begin after the page in front, or end (up to the alignment) before the page
/// behind.
void *place(arena *a, size_t bytes, size_t alignment, int at_end);

typedef struct random_numbers {
  uint64_t state;
} random_numbers;

uint64_t next_bits(random_numbers *r);
/// A number in lo…hi.
int64_t next_in(random_numbers *r, int64_t lo, int64_t hi);
/// As next_in, but half of the numbers are bounds, zero or their neighbours.
int64_t next_corner(random_numbers *r, int64_t lo, int64_t hi);
/// A requantiser of any sign; its shift is in least…most, and one of ten is zero.
qk_requantiser next_requantiser(random_numbers *r, int32_t least, int32_t most);

/// Counts a case of `isa`; when `bad`, also as a failure, whose description (printf form) follows.
void count_case(qk_isa isa, int bad, const char *form, ...) __attribute__((format(printf, 3, 4)));

/// Index of the first byte in which the two differ, or −1.
ptrdiff_t first_difference(const void *a, const void *b, size_t bytes);

/// The available instruction sets, the reference among them.
int instruction_sets(qk_isa sets[QK_ISA_COUNT]);

void check_training_bits(void);
void check_products(void);
void check_shapes(void);
void check_forms(void);
void check_ordered(void);
void check_extremes(void);
void check_ranges(void);
void check_micro_kernels(void);
void check_attention(void);
void check_layer_norm(void);
void check_datapath(void);

#endif
