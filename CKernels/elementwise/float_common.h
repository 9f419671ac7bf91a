// Shared by the float kernels: clones for instruction sets, an exponential that vectorises, tree sums.
#ifndef QK_FLOAT_COMMON_H
#define QK_FLOAT_COMMON_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "ckernels/parallel.h"
#include "ckernels/training.h"

// Clones for x86-64-v4 (AVX-512) and x86-64-v3 (AVX2 and FMA) are chosen by the loader; other machines get the portable
// body. All give the same bits: nothing below is fused, and sums over a row have 16 lanes (qk_add_lanes).
#pragma clang fp contract(off)

#if defined(__x86_64__) && defined(__linux__)
#define QK_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define QK_CLONES
#endif

// Elements of one task of an elementwise loop.
#define QK_ELEMENT_BLOCK 4096

static inline size_t qk_blocks(size_t count, size_t block) { return (count + block - 1) / block; }
static inline size_t qk_min(size_t a, size_t b) { return a < b ? a : b; }

// e^x for x ≤ 88, relative error below 2e-7: 2^n·e^r, |r| ≤ ln2/2, degree-6 polynomial (Taylor, remainder 4e-8·r^7/7!…).
static inline float qk_exp(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  float n = rintf(x * 1.44269504088896341f);
  float r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
  float p = 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  union {
    int32_t i;
    float f;
  } power;
  power.i = ((int32_t)n + 127) << 23;
  return p * power.f;
}

// ln x for normal x, rounded from a double: x = 2^n·m, √½ ≤ m < √2, ln m = 2·artanh s, s = (m − 1)/(m + 1), as its
// series up to s^13 (|s| < 0.172, remainder below 1e-12). The C library's logarithm depends on the CPU.
static inline float qk_log(float x) {
  union {
    float f;
    uint32_t bits;
  } m = {x};
  const int32_t n = (int32_t)(m.bits - 0x3f3504f3u) >> 23;
  m.bits -= (uint32_t)n << 23;
  const double s = ((double)m.f - 1.0) / ((double)m.f + 1.0), q = s * s;
  double p = 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  p = p * q + 1.0;
  return (float)(2.0 * s * p + n * 0.69314718055994530942);
}

// Φ(x) by Abramowitz & Stegun 7.1.26 on |x|/√2: absolute error of erf below 1.5e-7. Writes φ(x) as well.
static inline float qk_normal_distribution(float x, float *density) {
  float a = fabsf(x);
  float e = qk_exp(-0.5f * x * x);
  *density = 0.39894228040143268f * e;
  float t = 1.0f / (1.0f + 0.3275911f * 0.70710678118654752f * a);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  float upper = 0.5f * p * t * e;  // 1 − Φ(|x|)
  return x < 0 ? upper : 1.0f - upper;
}

// 16 floats anywhere in memory. A sum or maximum in one float is not vectorised, because the order would matter.
enum { QK_SIXTEEN = 16 };
typedef float qk_sixteen __attribute__((vector_size(QK_SIXTEEN * sizeof(float)), aligned(4)));

// max x[0…width−1], width ≥ 1; a NaN counts only as the first of fewer than 16.
static inline __attribute__((always_inline)) float qk_row_maximum(size_t width, const float *x) {
  float top = x[0];
  size_t c = 0;
  if (width >= QK_SIXTEEN) {
    qk_sixteen most = *(const qk_sixteen *)x;
    for (c = QK_SIXTEEN; c + QK_SIXTEEN <= width; c += QK_SIXTEEN)
      most = __builtin_elementwise_max(most, *(const qk_sixteen *)(x + c));
    top = __builtin_reduce_max(most);
  }
  for (; c < width; c++) top = x[c] > top ? x[c] : top;
  return top;
}

// lane[i % 16] += x[i]. For a longer row in pieces, all but the last have a multiple of 16 elements.
static inline __attribute__((always_inline)) void qk_add_lanes(size_t count, const float *x, float lane[QK_SIXTEEN]) {
  qk_sixteen sum;
  memcpy(&sum, lane, sizeof sum);
  size_t i = 0;
  for (; i + QK_SIXTEEN <= count; i += QK_SIXTEEN) sum += *(const qk_sixteen *)(x + i);
  memcpy(lane, &sum, sizeof sum);
  for (int l = 0; i < count; i++, l++) lane[l] += x[i];
}

// The same for x[i]·y[i].
static inline __attribute__((always_inline)) void qk_add_product_lanes(size_t count, const float *x, const float *y,
                                                                       float lane[QK_SIXTEEN]) {
  qk_sixteen sum;
  memcpy(&sum, lane, sizeof sum);
  size_t i = 0;
  for (; i + QK_SIXTEEN <= count; i += QK_SIXTEEN) sum += *(const qk_sixteen *)(x + i) * *(const qk_sixteen *)(y + i);
  memcpy(lane, &sum, sizeof sum);
  for (int l = 0; i < count; i++, l++) lane[l] += x[i] * y[i];
}

// The sum of the lanes, in pairs.
static inline __attribute__((always_inline)) float qk_lanes_total(float lane[QK_SIXTEEN]) {
  for (int step = QK_SIXTEEN / 2; step > 0; step /= 2)
    for (int l = 0; l < step; l++) lane[l] += lane[l + step];
  return lane[0];
}

static inline __attribute__((always_inline)) float qk_row_sum(size_t count, const float *x) {
  float lane[QK_SIXTEEN] = { 0 };
  qk_add_lanes(count, x, lane);
  return qk_lanes_total(lane);
}

static inline __attribute__((always_inline)) float qk_row_dot(size_t count, const float *x, const float *y) {
  float lane[QK_SIXTEEN] = { 0 };
  qk_add_product_lanes(count, x, y, lane);
  return qk_lanes_total(lane);
}

// Terms of a row's sum that are computed before they are added: the loop that computes them then has no order.
enum { QK_TERMS = 256 };

// Sums partial[blocks][width] into out over a binary tree whose shape depends on `blocks` alone.
void qk_tree_sum(size_t blocks, size_t width, float *partial, float *out);

#endif
