// 64 table entries at a time.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"
#include "vectors_avx512.h"
#include "look_up_avx512vbmi.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"))), \
                             apply_to=function)

void qk_look_up_avx512vbmi(size_t count, const int8_t *codes, const uint8_t *table, uint8_t *out) {
  const __m512i offset = _mm512_set1_epi8((char)0x80);
  for (size_t i = 0; i < count; i += 64) {
    const __mmask64 lanes = qk_first_lanes(count - i < 64 ? (int32_t)(count - i) : 64);
    const __m512i index = _mm512_add_epi8(_mm512_maskz_loadu_epi8(lanes, codes + i), offset);
    _mm512_mask_storeu_epi8(out + i, lanes, qk_look_up64(table, index));
  }
}

#pragma clang attribute pop
#endif
