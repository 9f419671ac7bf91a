// What bias and requantisers become in slot order.
#include <string.h>
#include "../fixedpoint/fixed_point.h"
#include "../pack/packed_layout.h"
#include "integer_gemm.h"
#include "row_constants.h"
#include "validate.h"

/// The arrays of qk_row_constants in one piece of memory, each on a 64-byte boundary.
typedef struct places {
  size_t factor, offset, shifted_offset, bias, shifted_bias, multiplier, scale, is8, total;
} places;

static size_t reserve(size_t *total, size_t bytes) {
  const size_t begin = *total;
  *total += (bytes + 63) / 64 * 64;
  return begin;
}

static places place_arrays(const qk_packed_weights *w) {
  const size_t slots = (size_t)(w->slots8 + w->slots4) + QK_ROW_SLACK;
  places p = { .total = 0 };
  p.factor = reserve(&p.total, slots * sizeof(double));
  p.offset = reserve(&p.total, slots * sizeof(int64_t));
  p.shifted_offset = reserve(&p.total, slots * sizeof(int64_t));
  p.bias = reserve(&p.total, slots * sizeof(int32_t));
  p.shifted_bias = reserve(&p.total, slots * sizeof(int32_t));
  p.multiplier = reserve(&p.total, slots * sizeof(int32_t));
  p.scale = reserve(&p.total, slots * sizeof(float));
  p.is8 = reserve(&p.total, ((size_t)w->rows / 64 + 2) * sizeof(uint64_t));
  return p;
}

size_t qk_row_constants_size(const qk_packed_weights *weights) { return place_arrays(weights).total; }

size_t qk_row_constants_bytes(const qk_packed_weights *weights) {
  return qk_packed_check(weights) == QK_OK ? qk_row_constants_size(weights) : 0;
}

/// Even slots of a panel first: 64-bit products of even and odd lanes are formed apart.
static int32_t split_place(int32_t slot) {
  const int32_t lane = slot % QK_PANEL_ROWS;
  return slot - lane + lane / 2 + lane % 2 * (QK_PANEL_ROWS / 2);
}

void qk_fill_row_constants(const qk_packed_weights *w, const int32_t *bias, const qk_requantiser *requantisers,
                           const float *scales, void *memory, qk_row_constants *out) {
  const places p = place_arrays(w);
  uint8_t *base = memory;
  memset(base, 0, p.total);
  double *factor = (double *)(base + p.factor);
  int64_t *offset = (int64_t *)(base + p.offset), *shifted_offset = (int64_t *)(base + p.shifted_offset);
  int32_t *slot_bias = (int32_t *)(base + p.bias), *shifted_bias = (int32_t *)(base + p.shifted_bias);
  int32_t *multiplier = (int32_t *)(base + p.multiplier);
  float *scale = (float *)(base + p.scale);
  uint64_t *is8 = (uint64_t *)(base + p.is8);

  int high_word = 1;
  for (int32_t n = 0; requantisers && n < w->rows; n++) high_word &= qk_fits_upper_word(requantisers[n]);
  for (int32_t s = 0; s < w->slots8 + w->slots4; s++) {
    const int32_t n = w->slot_row[s];
    if (n < 0) continue;
    slot_bias[s] = bias[n];
    shifted_bias[s] = bias[n] - QK_ACTIVATION_SHIFT * w->slot_sum[s];
    if (requantisers) {
      const qk_requantiser r = requantisers[n];
      factor[s] = qk_requantiser_factor(r);
      if (high_word) multiplier[s] = qk_upper_word_multiplier(r);
      const int64_t half = (int64_t)1 << 31;  // with it the product's sum stays below 2^63
      offset[split_place(s)] = (int64_t)slot_bias[s] * multiplier[s] + half;
      shifted_offset[split_place(s)] = (int64_t)shifted_bias[s] * multiplier[s] + half;
    }
    if (scales) scale[s] = scales[n];
    if (s < w->slots8) is8[n / 64] |= (uint64_t)1 << (n % 64);
  }
  *out = (qk_row_constants){
    .panels = w->panels, .row_bias = bias, .row_requantisers = requantisers, .row_scales = scales,
    .high_word = high_word, .bias = slot_bias, .shifted_bias = shifted_bias, .multiplier = multiplier,
    .offset = offset, .shifted_offset = shifted_offset, .factor = factor, .scale = scale, .is8 = is8,
  };
}

qk_row_constants qk_rescale_rows(const qk_packed_weights *w, const qk_row_constants *constants, const float *scales,
                                 float *slot_scales) {
  const int32_t slots = w->slots8 + w->slots4;
  for (int32_t s = 0; s < slots; s++) slot_scales[s] = w->slot_row[s] < 0 ? 0 : scales[w->slot_row[s]];
  memset(slot_scales + slots, 0, QK_ROW_SLACK * sizeof *slot_scales);
  qk_row_constants out = *constants;
  out.row_scales = scales;
  out.scale = slot_scales;
  return out;
}

qk_status qk_prepare_rows(const qk_packed_weights *w, const int32_t *bias, const qk_requantiser *requantisers,
                          const float *scales, void *memory, qk_row_constants *out) {
  if (!bias || !memory || !out) return QK_NULL_POINTER;
  const qk_status status = qk_rows_check(w, bias, requantisers);
  if (status != QK_OK) return status;
  if ((uintptr_t)memory % 64 || (uintptr_t)w->panels % 64) return QK_MISALIGNED;
  qk_fill_row_constants(w, bias, requantisers, scales, memory, out);
  return QK_OK;
}
