// Fake quantisation of activations and conversions between codes and values.
#include "float_common.h"

typedef struct {
  size_t rows, width, segments;
  const float *scales, *x, *gy;
  float lo, hi;
  float *y, *partial;
} quantize_job;

static inline float clamp_float(float v, float lo, float hi) {
  v = v < lo ? lo : v;
  return v > hi ? hi : v;
}

QK_CLONES static void forward_body(void *context, size_t begin, size_t end) {
  const quantize_job *j = context;
  size_t part = j->width / j->segments, last = qk_min(end * QK_REDUCTION_ROWS, j->rows);
  for (size_t r = begin * QK_REDUCTION_ROWS; r < last; r++)
    for (size_t g = 0; g < j->segments; g++) {
      const float *x = j->x + r * j->width + g * part;
      float *y = j->y + r * j->width + g * part;
      float s = j->scales[g], inverse = 1.0f / s;
      for (size_t c = 0; c < part; c++) y[c] = s * clamp_float(rintf(x[c] * inverse), j->lo, j->hi);
    }
}

void qk_quantize_forward(size_t rows, size_t width, size_t segments, const float *scales, float lo, float hi,
                         const float *x, float *y) {
  quantize_job job = {rows, width, segments, scales, x, 0, lo, hi, y, 0};
  qk_parallel_for(qk_blocks(rows, QK_REDUCTION_ROWS), 1, &job, forward_body);
}

QK_CLONES static void backward_body(void *context, size_t begin, size_t end) {
  const quantize_job *j = context;
  size_t part = j->width / j->segments;
  for (size_t block = begin; block < end; block++) {
    float *gscale = j->partial + block * j->segments;
    memset(gscale, 0, j->segments * sizeof(float));
    size_t last = qk_min((block + 1) * QK_REDUCTION_ROWS, j->rows);
    for (size_t r = block * QK_REDUCTION_ROWS; r < last; r++)
      for (size_t g = 0; g < j->segments; g++) {
        size_t o = r * j->width + g * part;
        const float *x = j->x + o, *gy = j->gy + o;
        float *gx = j->y + o;
        float inverse = 1.0f / j->scales[g], lo = j->lo, hi = j->hi;
        float lane[QK_SIXTEEN] = {0}, term[QK_TERMS];
        for (size_t first = 0; first < part; first += QK_TERMS) {
          const size_t count = qk_min(part - first, QK_TERMS);
          for (size_t t = 0; t < count; t++) {
            const size_t c = first + t;
            float v = x[c] * inverse;
            int inside = v >= lo && v <= hi;
            float slope = inside ? rintf(v) - v : (v < lo ? lo : hi);
            term[t] = gy[c] * slope;
            gx[c] = inside ? gy[c] : 0.0f;
          }
          qk_add_lanes(count, term, lane);
        }
        gscale[g] += qk_lanes_total(lane);
      }
  }
}

void qk_quantize_backward(size_t rows, size_t width, size_t segments, const float *scales, float lo, float hi,
                          const float *x, const float *gy, float *scratch, float *gx, float *gscale) {
  quantize_job job = {rows, width, segments, scales, x, gy, lo, hi, gx, scratch};
  size_t blocks = qk_blocks(rows, QK_REDUCTION_ROWS);
  qk_parallel_for(blocks, 1, &job, backward_body);
  qk_tree_sum(blocks, segments, scratch, gscale);
}

typedef struct {
  size_t count, width, segments;
  float scale;
  int32_t zero;
  const float *scales;
  const void *codes;
  float *y;
} dequantize_job;

#define DEQUANTIZE_LOOP(type, value)                                                                     \
  const dequantize_job *j = context;                                                                     \
  const type *codes = j->codes;                                                                          \
  size_t last = qk_min(end * QK_ELEMENT_BLOCK, j->count);                                                \
  for (size_t i = begin * QK_ELEMENT_BLOCK; i < last; i++) j->y[i] = j->scale * (float)(value)

QK_CLONES static void uint8_body(void *context, size_t begin, size_t end) {
  DEQUANTIZE_LOOP(uint8_t, (int32_t)codes[i] - j->zero);
}
QK_CLONES static void int16_body(void *context, size_t begin, size_t end) {
  DEQUANTIZE_LOOP(int16_t, codes[i]);
}
QK_CLONES static void int32_body(void *context, size_t begin, size_t end) {
  DEQUANTIZE_LOOP(int32_t, codes[i]);
}

QK_CLONES static void int8_body(void *context, size_t begin, size_t end) {
  const dequantize_job *j = context;
  const int8_t *codes = j->codes;
  size_t part = j->width / j->segments, last = qk_min(end * QK_REDUCTION_ROWS, j->count);
  for (size_t r = begin * QK_REDUCTION_ROWS; r < last; r++)
    for (size_t g = 0; g < j->segments; g++) {
      size_t o = r * j->width + g * part;
      for (size_t c = 0; c < part; c++) j->y[o + c] = j->scales[g] * (float)codes[o + c];
    }
}

void qk_dequantize_int8(size_t rows, size_t width, size_t segments, const float *scales, const int8_t *codes,
                        float *y) {
  dequantize_job job = {rows, width, segments, 0, 0, scales, codes, y};
  qk_parallel_for(qk_blocks(rows, QK_REDUCTION_ROWS), 1, &job, int8_body);
}
void qk_dequantize_uint8(size_t count, float scale, int32_t zero, const uint8_t *codes, float *y) {
  dequantize_job job = {count, 0, 0, scale, zero, 0, codes, y};
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, uint8_body);
}
void qk_dequantize_int16(size_t count, float scale, const int16_t *codes, float *y) {
  dequantize_job job = {count, 0, 0, scale, 0, 0, codes, y};
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, int16_body);
}
void qk_dequantize_int32(size_t count, float scale, const int32_t *codes, float *y) {
  dequantize_job job = {count, 0, 0, scale, 0, 0, codes, y};
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, int32_body);
}
