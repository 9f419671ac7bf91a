// Operands of the attention products, laid out once per task: keys in panels [dimension/4][16 keys][4], values in
// panels [tokens/4][16 dimensions][4 tokens], queries as code + 128. Included inside the target of the kernel.
#ifndef QK_ATTENTION_OPERANDS_AVX512_H
#define QK_ATTENTION_OPERANDS_AVX512_H

#include <immintrin.h>
#include "vectors_avx512.h"

/// Turns rows of 16 dwords into columns.
static inline void transpose16(__m512i r[16]) {
  __m512i t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  __m512i u[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // u[4b + j] lane L holds column 4L + j of rows 4b…4b+3; gather the lanes of one column from the four b.
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) {
    const __m512i a = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88), b = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd), d = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
    r[j] = _mm512_shuffle_i32x4(a, b, 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(a, b, 0xdd);
    r[4 + j] = _mm512_shuffle_i32x4(c, d, 0x88);
    r[12 + j] = _mm512_shuffle_i32x4(c, d, 0xdd);
  }
}

/// Lays out one panel of up to 16 keys, and −128·Σ k of each.
static void load_key_panel(const int8_t *keys, size_t stride, int32_t count, int32_t dimension, int32_t depth,
                           uint8_t *panel, int32_t *start) {
  // Four chains of sums, because one step of a chain takes four cycles.
  __m512i sums[4] = { _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512() };
  for (int32_t c = 0; c < dimension; c += 64) {
    const __mmask64 bytes = qk_first_lanes(dimension - c);
    __m512i rows[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++)
      rows[i] = _mm512_maskz_loadu_epi8(i < count ? bytes : 0, keys + (size_t)(i < count ? i : 0) * stride + c);
    transpose16(rows);
    const int32_t quads = (depth - c) / 4;
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      if (i < quads) _mm512_storeu_si512(panel + 16 * c + 64 * i, rows[i]);
      sums[i % 4] = _mm512_dpbusd_epi32(sums[i % 4], _mm512_set1_epi8(1), rows[i]);
    }
  }
  const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3]));
  _mm512_storeu_si512(start, _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), sum), 7));
}

/// Lays out four panels of 16 dimensions; a step holds four tokens of each dimension.
static void load_value_group(const int8_t *values, size_t stride, int32_t tokens, int32_t dimensions, int32_t steps,
                             uint8_t *group) {
  const __mmask64 bytes = qk_first_lanes(dimensions);
  // Lane L of a row gets the dwords L, 4 + L, 8 + L, 12 + L. The byte and word interleaves then leave panel r in order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const size_t panel_bytes = (size_t)steps * 64;
  for (int32_t step = 0; step < steps; step++) {
    __m512i row[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
      const int32_t token = 4 * step + i;
      const __m512i v = _mm512_maskz_loadu_epi8(token < tokens ? bytes : 0, values + (size_t)(token < tokens ? token : 0) * stride);
      row[i] = _mm512_permutexvar_epi32(order, v);
    }
    const __m512i low01 = _mm512_unpacklo_epi8(row[0], row[1]), high01 = _mm512_unpackhi_epi8(row[0], row[1]);
    const __m512i low23 = _mm512_unpacklo_epi8(row[2], row[3]), high23 = _mm512_unpackhi_epi8(row[2], row[3]);
    uint8_t *out = group + 64 * (size_t)step;
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(low01, low23));
    _mm512_storeu_si512(out + panel_bytes, _mm512_unpackhi_epi16(low01, low23));
    _mm512_storeu_si512(out + 2 * panel_bytes, _mm512_unpacklo_epi16(high01, high23));
    _mm512_storeu_si512(out + 3 * panel_bytes, _mm512_unpackhi_epi16(high01, high23));
  }
}

/// Lays out rows of queries, `stride` bytes apart, as rows of whole 64 bytes.
static void load_queries(const int8_t *queries, size_t stride, int32_t count, int32_t dimension, uint8_t *out) {
  for (int32_t i = 0; i < count; i++)
    for (int32_t c = 0; c < dimension; c += 64, out += 64) {
      const __m512i v = _mm512_maskz_loadu_epi8(qk_first_lanes(dimension - c), queries + (size_t)i * stride + c);
      _mm512_storeu_si512(out, _mm512_xor_si512(v, _mm512_set1_epi8(-128)));
    }
}

#endif
