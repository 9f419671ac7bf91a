// Bias and requantisers in the order of slots, and in the order of rows where it differs.
#include <string.h>
#include "../fixedpoint/fixed_point.h"
#include "../pack/packed_layout.h"
#include "integer_gemm.h"
#include "row_constants.h"
#include "validate.h"

/// Entries of every array; there are at least as many slots as rows.
static size_t entries_of(const qk_packed_weights *w) { return (size_t)(w->slots8 + w->slots4) + QK_ROW_SLACK; }

/// The arrays of one order, to be written.
typedef struct constant_arrays {
  double *factor;
  int64_t *offset, *shifted_offset;
  int32_t *bias, *shifted_bias, *multiplier;
  float *scale;
} constant_arrays;

static void *reserve(uint8_t *base, size_t *total, size_t bytes) {
  void *place = base + *total;
  *total += (bytes + 63) / 64 * 64;
  return place;
}

static constant_arrays place_arrays(uint8_t *base, size_t *total, size_t entries) {
  constant_arrays a;
  a.factor = reserve(base, total, entries * sizeof(double));
  a.offset = reserve(base, total, entries * sizeof(int64_t));
  a.shifted_offset = reserve(base, total, entries * sizeof(int64_t));
  a.bias = reserve(base, total, entries * sizeof(int32_t));
  a.shifted_bias = reserve(base, total, entries * sizeof(int32_t));
  a.multiplier = reserve(base, total, entries * sizeof(int32_t));
  a.scale = reserve(base, total, entries * sizeof(float));
  return a;
}

/// All arrays in one block of memory, each on a 64-byte boundary.
typedef struct places {
  constant_arrays slots, rows;
  uint64_t *is8;
  size_t total;
} places;

static places place_all(const qk_packed_weights *w, void *base) {
  places p = { .total = 0 };
  p.slots = p.rows = place_arrays(base, &p.total, entries_of(w));
  if (qk_is_mixed(w)) p.rows = place_arrays(base, &p.total, entries_of(w));
  p.is8 = reserve(base, &p.total, ((size_t)w->rows / 64 + 2) * sizeof(uint64_t));
  return p;
}

size_t qk_row_constants_size(const qk_packed_weights *weights) { return place_all(weights, NULL).total; }

size_t qk_row_constants_bytes(const qk_packed_weights *weights) {
  return qk_packed_check(weights) == QK_OK ? qk_row_constants_size(weights) : 0;
}

/// Puts the even entries of 16 first: 64-bit products of even and odd lanes are formed separately.
static int32_t split_place(int32_t i) {
  const int32_t lane = i % QK_PANEL_ROWS;
  return i - lane + lane / 2 + lane % 2 * (QK_PANEL_ROWS / 2);
}

/// Writes entry i: a row whose codes have this sum.
static void put_row(const constant_arrays *a, int32_t i, int32_t bias, int32_t sum, const qk_requantiser *requantiser,
                    int high_word, float scale) {
  a->bias[i] = bias;
  a->shifted_bias[i] = bias - QK_ACTIVATION_SHIFT * sum;
  a->scale[i] = scale;
  if (requantiser == NULL) return;
  a->factor[i] = qk_requantiser_factor(*requantiser);
  if (high_word) a->multiplier[i] = qk_upper_word_multiplier(*requantiser);
  const int64_t half = (int64_t)1 << 31;  // with it the product's sum stays below 2^63
  a->offset[split_place(i)] = (int64_t)a->bias[i] * a->multiplier[i] + half;
  a->shifted_offset[split_place(i)] = (int64_t)a->shifted_bias[i] * a->multiplier[i] + half;
}

static qk_ordered_constants constants_of(const constant_arrays *a) {
  return (qk_ordered_constants){ .bias = a->bias, .shifted_bias = a->shifted_bias, .multiplier = a->multiplier,
                                 .offset = a->offset, .shifted_offset = a->shifted_offset, .factor = a->factor,
                                 .scale = a->scale };
}

void qk_fill_row_constants(const qk_packed_weights *w, const int32_t *bias, const qk_requantiser *requantisers,
                           const float *scales, void *memory, qk_row_constants *out) {
  const places p = place_all(w, memory);
  memset(memory, 0, p.total);
  int high_word = 1;
  for (int32_t n = 0; requantisers && n < w->rows; n++) high_word &= qk_fits_upper_word(requantisers[n]);
  for (int32_t s = 0; s < w->slots8 + w->slots4; s++) {
    const int32_t n = w->slot_row[s];
    if (n < 0) continue;
    const qk_requantiser *requantiser = requantisers ? &requantisers[n] : NULL;
    const float scale = scales ? scales[n] : 0;
    put_row(&p.slots, s, bias[n], w->slot_sum[s], requantiser, high_word, scale);
    if (qk_is_mixed(w)) put_row(&p.rows, n, bias[n], w->slot_sum[s], requantiser, high_word, scale);
    if (s < w->slots8) p.is8[n / 64] |= (uint64_t)1 << (n % 64);
  }
  *out = (qk_row_constants){
    .panels = w->panels, .row_bias = bias, .row_requantisers = requantisers, .row_scales = scales,
    .high_word = high_word, .slots = constants_of(&p.slots), .rows = constants_of(&p.rows), .is8 = p.is8,
  };
}

size_t qk_rescaled_floats(const qk_packed_weights *w) { return (qk_is_mixed(w) ? 2 : 1) * entries_of(w); }

qk_row_constants qk_rescale_rows(const qk_packed_weights *w, const qk_row_constants *constants, const float *scales,
                                 float *memory) {
  memset(memory, 0, qk_rescaled_floats(w) * sizeof *memory);
  float *slots = memory, *rows = qk_is_mixed(w) ? memory + entries_of(w) : memory;
  for (int32_t s = 0; s < w->slots8 + w->slots4; s++)
    if (w->slot_row[s] >= 0) slots[s] = scales[w->slot_row[s]];
  if (qk_is_mixed(w)) memcpy(rows, scales, (size_t)w->rows * sizeof *rows);
  qk_row_constants out = *constants;
  out.row_scales = scales;
  out.slots.scale = slots;
  out.rows.scale = rows;
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
