// Shared by attention kernels with probabilities in bytes.
#ifndef QK_BYTE_ATTENTION_H
#define QK_BYTE_ATTENTION_H

#include "integer_attention.h"

/// table[f] = (E[f] >> (15 − A)) − base; returns base, the least E >> (15 − A) that the contract allows. E is between
/// E[0]/2 and E[0] = (2^A − 1)·2^(16−A), so the differences fit into a byte.
static inline int32_t qk_make_byte_table(const qk_attention_arguments *a, uint8_t table[QK_EXPONENT_TABLE_SIZE]) {
  const int32_t shift = 15 - a->activation_bits, base = a->exponent_table[0] / 2 >> shift;
  for (int f = 0; f < QK_EXPONENT_TABLE_SIZE; f++) table[f] = (uint8_t)((a->exponent_table[f] >> shift) - base);
  return base;
}

#endif
