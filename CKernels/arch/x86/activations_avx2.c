#if defined(__x86_64__)
#include <immintrin.h>
#include "activations_x86.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to=function)

void qk_shift_activations_avx2(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out) {
  const uint8_t *in = codes, flip = is_unsigned ? 0 : 128;
  uint8_t *bytes = out;
  const __m256i flips = _mm256_set1_epi8((char)flip);
  int32_t k = 0;
  for (; k + 32 <= depth; k += 32)
    _mm256_storeu_si256((__m256i *)(bytes + k), _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(in + k)), flips));
  for (; k < depth; k++) bytes[k] = in[k] ^ flip;
  for (; k < padded; k++) bytes[k] = 0;
}

static inline __m256i widen16(const uint8_t *codes, int is_unsigned) {
  const __m128i v = _mm_loadu_si128((const __m128i *)codes);
  return is_unsigned ? _mm256_cvtepu8_epi16(v) : _mm256_cvtepi8_epi16(v);
}

void qk_widen_avx2(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out) {
  const uint8_t *in = codes;
  int16_t *wide = out;
  int32_t k = 0;
  for (; k + 16 <= depth; k += 16) _mm256_storeu_si256((__m256i *)(wide + k), widen16(in + k, is_unsigned));
  for (; k < depth; k++) wide[k] = is_unsigned ? in[k] : (int8_t)in[k];
  for (; k < padded; k++) wide[k] = 0;
}

#pragma clang attribute pop
#endif
