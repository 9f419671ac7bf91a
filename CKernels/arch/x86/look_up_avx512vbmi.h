// A table of 256 bytes in registers.
#ifndef QK_LOOK_UP_AVX512VBMI_H
#define QK_LOOK_UP_AVX512VBMI_H

#include <immintrin.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"))), \
                             apply_to=function)

/// Two lookups of 128 entries; bit 7 of the index chooses between them.
static inline __m512i qk_look_up64(const uint8_t *table, __m512i index) {
  const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), index, _mm512_loadu_si512(table + 64));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), index, _mm512_loadu_si512(table + 192));
  return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(index), high);
}

#pragma clang attribute pop
#endif
