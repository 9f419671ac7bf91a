// Sources of the rows of a merge, as bytes of 64-bit words: the indices of byte shuffles.
#ifndef QK_ROW_RANKS_H
#define QK_ROW_RANKS_H

#include <stdint.h>

/// Sources of eight rows: byte i of `is8` is 1 for an 8-bit row, byte i of `rank` counts the 8-bit rows before i.
typedef struct qk_eight_rows {
  uint64_t is8, rank8, rank4;
  int32_t count8;
} qk_eight_rows;

static inline qk_eight_rows qk_look_at_rows(uint64_t bits) {
  const uint64_t ones = 0x0101010101010101u;
  // Byte i keeps bit i; adding 127 carries any set bit into bit 7.
  const uint64_t spread = (bits & 255) * ones & 0x8040201008040201u;
  const uint64_t is8 = (spread + 0x7f7f7f7f7f7f7f7fu) >> 7 & ones;
  const uint64_t sums = is8 * ones;  // byte i: the number of 8-bit rows up to i
  const uint64_t rank8 = sums - is8, places = 0x0706050403020100u;
  return (qk_eight_rows){ is8, rank8, places - rank8, (int32_t)(sums >> 56) };
}

#endif
