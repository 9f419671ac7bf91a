// The VNNI product tile: vpdpbusd adds four uint8·int8 products to an int32 lane, exact modulo 2^32.
//
// Left: rows of bytes, k ascending. Right: panels [depth/4][16][4]. A step of four k loads one register per panel and
// broadcasts one quad per token. Six tokens of four panels need 24 sums, 4 weights and a broadcast.
#ifndef QK_TILE_AVX512VNNI_H
#define QK_TILE_AVX512VNNI_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to=function)

enum { QK_TILE_VNNI_TOKENS = 8 };

static inline __m512i qk_broadcast_quad(const uint8_t *quad) {
  int32_t bits;
  memcpy(&bits, quad, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/// Prepares the rows of a tile, and its sums before the first step.
static inline __attribute__((always_inline)) void qk_begin_vnni(const int tokens, const int panels, const uint8_t *x,
                                                                size_t x_stride, const int32_t *start,
                                                                const uint8_t *row[QK_TILE_VNNI_TOKENS],
                                                                __m512i sum[QK_TILE_VNNI_TOKENS][4]) {
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    row[t] = x + (size_t)t * x_stride;
    // One register per row: otherwise the compiler derives the rows from each other by additions in the loop, which
    // take the ports of the products.
    __asm__("" : "+r"(row[t]));
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) sum[t][p] = start ? _mm512_loadu_si512(start + 16 * p) : _mm512_setzero_si512();
  }
}

/// sum[t][p] += Σ x·w over the four k of step k.
static inline __attribute__((always_inline)) void qk_step_vnni(const int tokens, const int panels,
                                                               const uint8_t *const row[QK_TILE_VNNI_TOKENS],
                                                               const uint8_t *panel, size_t panel_stride, int32_t k,
                                                               __m512i sum[QK_TILE_VNNI_TOKENS][4]) {
  __m512i w[4];
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(panel + (size_t)p * panel_stride + 64 * (size_t)k);
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    const __m512i codes = qk_broadcast_quad(row[t] + 4 * (size_t)k);
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) sum[t][p] = _mm512_dpbusd_epi32(sum[t][p], codes, w[p]);
  }
}

static inline __attribute__((always_inline)) void qk_end_vnni(const int tokens, const int panels,
                                                              __m512i sum[QK_TILE_VNNI_TOKENS][4], int32_t *sums,
                                                              size_t sums_stride) {
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) _mm512_storeu_si512(sums + (size_t)t * sums_stride + 16 * p, sum[t][p]);
}

/// sums[t][16p…] = start[16p…] (or 0 when null) + Σ_k x[t][k]·w[p][k]. `tokens` and `panels` are constants after inlining.
static inline __attribute__((always_inline)) void qk_tile_vnni(const int tokens, const int panels, const uint8_t *x,
                                                               size_t x_stride, const uint8_t *panel,
                                                               size_t panel_stride, int32_t steps, const int32_t *start,
                                                               int32_t *sums, size_t sums_stride) {
  __m512i sum[QK_TILE_VNNI_TOKENS][4];
  const uint8_t *row[QK_TILE_VNNI_TOKENS];
  qk_begin_vnni(tokens, panels, x, x_stride, start, row, sum);
#pragma clang loop unroll_count(2)
  for (int32_t k = 0; k < steps; k++) qk_step_vnni(tokens, panels, row, panel, panel_stride, k, sum);
  qk_end_vnni(tokens, panels, sum, sums, sums_stride);
}

#pragma clang attribute pop

#endif
