#include "gemm_problem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static arena activation_arena, panel_arena, bias_arena, requantiser_arena, scale_arena, table_arena, residual_arena,
    output_arena, rest_arena, constants_arena, slot_arena, sum_arena;

/// Upper limits on the sizes of all cases of a run.
enum { MOST_ROWS = 1024 };

typedef struct problem {
  qk_gemm_arguments arguments;
  qk_packed_weights weights;
  const int8_t *codes;
  size_t element, output_bytes, residual_bytes;
} problem;

static int32_t precision_of(random_numbers *r, row_mask mask) {
  switch (mask) {
    case ROWS_ALL8: return 8;
    case ROWS_ALL4: return 4;
    case ROWS_FEW8: return next_bits(r) % 10 == 0 ? 8 : 4;
    case ROWS_FEW4: return next_bits(r) % 10 == 0 ? 4 : 8;
    default: return next_bits(r) % 2 ? 8 : 4;
  }
}

static int64_t code(random_numbers *r, int extreme, int64_t lo, int64_t hi) {
  if (extreme) return next_bits(r) % 64 == 0 ? next_in(r, lo, hi) : lo;
  return next_corner(r, lo, hi);
}

static void fill_weights(const gemm_shape *s, random_numbers *r, int at_end, problem *p) {
  const size_t count = (size_t)s->rows * (size_t)s->depth;
  int8_t *codes = malloc(count);
  uint8_t bits[MOST_ROWS];
  int32_t n8 = 0;
  for (int32_t n = 0; n < s->rows; n++) {
    bits[n] = (uint8_t)precision_of(r, s->mask);
    n8 += bits[n] == 8;
    const int64_t lo = bits[n] == 8 ? -128 : -8, hi = -lo - 1;
    const int upper = (int)(next_bits(r) % 2);
    for (int32_t k = 0; k < s->depth; k++) {
      const int64_t c = code(r, s->extreme, lo, hi);
      codes[(size_t)n * (size_t)s->depth + (size_t)k] = (int8_t)(s->extreme && upper ? -1 - c : c);
    }
  }
  const size_t slots = qk_packed_slots(n8, s->rows - n8);
  uint8_t *panels = place(&panel_arena, qk_packed_bytes(n8, s->rows - n8, s->depth), 64, at_end);
  if (qk_pack_rows(codes, bits, s->rows, s->depth, panels, place(&slot_arena, slots * 4, 4, at_end),
                   place(&sum_arena, slots * 4, 4, at_end), &p->weights) != QK_OK) abort();
  p->codes = codes;
}

static void choose_range(const gemm_shape *s, random_numbers *r, qk_gemm_arguments *a) {
  static const int32_t bytes[][2] = { { -128, 127 }, { -127, 127 }, { 0, 63 }, { -31, 31 }, { 5, 5 } };
  static const int32_t words[][2] = { { INT16_MIN, INT16_MAX }, { -3000, 2999 }, { 7, 9 } };
  static const int32_t longs[][2] = { { INT32_MIN, INT32_MAX }, { -1000000, 900000 }, { INT32_MAX, INT32_MAX } };
  static const int32_t unsigned_bytes[][2] = { { 0, 255 }, { 3, 200 }, { 255, 255 } };
  const int32_t *range = bytes[next_bits(r) % 5];
  if (s->form == QK_OUTPUT_INT16) range = words[next_bits(r) % 3];
  if (s->form == QK_OUTPUT_INT32) range = longs[next_bits(r) % 3];
  if (s->form == QK_OUTPUT_UINT8) range = unsigned_bytes[next_bits(r) % 3];
  a->lo = range[0];
  a->hi = range[1];
}

static void fill_rows(const gemm_shape *s, random_numbers *r, int at_end, qk_gemm_arguments *a) {
  const size_t rows = (size_t)s->rows;
  int32_t *bias = place(&bias_arena, rows * sizeof *bias, 4, at_end);
  qk_requantiser *q = place(&requantiser_arena, rows * sizeof *q, 4, at_end);
  float *scale = place(&scale_arena, rows * sizeof *scale, 4, at_end);
  uint8_t *table = place(&table_arena, 256, 1, at_end);
  const int64_t limit = QK_BIAS_LIMIT - 1;
  const int wide = s->extreme || next_bits(r) % 2;
  for (int32_t n = 0; n < s->rows; n++) {
    bias[n] = (int32_t)(wide ? next_corner(r, -limit, limit) : next_in(r, -9999, 9999));
    // From 18 on, a multiplier can also be doubled.
    q[n] = s->high_word ? next_requantiser(r, 17 + (int32_t)(s->seed % 2), 32) : next_requantiser(r, 1, QK_REQUANTISER_MAX_SHIFT);
    // Below 2; for codes, whose range holds 256 values, often far below.
    scale[n] = (float)next_in(r, -(1 << 24), 1 << 24) * (s->form > QK_OUTPUT_FLOAT && next_bits(r) % 4 ? 0x1p-36f : 0x1p-23f);
  }
  for (int i = 0; i < 256; i++) table[i] = (uint8_t)next_bits(r);
  a->bias = bias;
  a->requantisers = q;
  a->scales = scale;
  a->table = table;
}

static int has_rest(qk_output_form form) { return form == QK_OUTPUT_CODE_AND_REST || form == QK_OUTPUT_EXACT_AND_REST; }

static problem make_problem(const gemm_shape *s) {
  random_numbers r = { s->seed * 0x2545f4914f6cdd1du + 1 };
  const int at_end = (int)(s->seed % 2);
  problem p = { .element = qk_output_bytes(s->form) };
  qk_gemm_arguments *a = &p.arguments;
  fill_weights(s, &r, at_end, &p);
  fill_rows(s, &r, at_end, a);
  choose_range(s, &r, a);
  a->tokens = s->tokens;
  a->activations_unsigned = s->is_unsigned;
  a->activation_stride = (size_t)(s->depth + s->slack);
  a->output_stride = (size_t)(s->rows + s->slack);
  a->residual_stride = (size_t)(s->rows + 2 * s->slack);
  a->form = s->form;
  // The last row ends at the unreadable page, so it has no slack after it.
  const size_t rows_before = (size_t)(s->tokens - 1);
  uint8_t *x = place(&activation_arena, rows_before * a->activation_stride + (size_t)s->depth, 1, at_end);
  const int64_t lo = s->is_unsigned ? 0 : -128, hi = s->is_unsigned ? 255 : 127;
  for (int32_t t = 0; t < s->tokens; t++) {
    const int upper = (int)(next_bits(&r) % 2);
    for (int32_t k = 0; k < s->depth; k++) {
      const int64_t c = code(&r, s->extreme, lo, hi);
      x[(size_t)t * a->activation_stride + (size_t)k] = (uint8_t)(s->extreme && upper ? lo + hi - c : c);
    }
  }
  a->activations = x;
  p.residual_bytes = (rows_before * a->residual_stride + (size_t)s->rows) * sizeof(int16_t);
  int16_t *residual = place(&residual_arena, p.residual_bytes, 2, at_end);
  for (size_t i = 0; i < p.residual_bytes / 2; i++) residual[i] = (int16_t)next_corner(&r, INT16_MIN, INT16_MAX);
  a->residual = residual;
  p.output_bytes = (rows_before * a->output_stride + (size_t)s->rows) * p.element;
  a->output = place(&output_arena, p.output_bytes, p.element, at_end);
  if (has_rest(s->form)) a->rest = place(&rest_arena, p.output_bytes, 1, at_end);
  return p;
}

/// round(252·(c − v)) with c = round(v), ties to even; −128 and 127 for v below and above the range. Writes the code
/// too.
static int64_t rest_of(float v, int64_t lo, int64_t hi, int64_t *code) {
  // |v| < 2^31·2, where doubles have all fractions of a float; c − v is exact.
  const double whole = floor((double)v), fraction = (double)v - whole;
  int64_t rounded = (int64_t)whole;
  if (fraction > 0.5 || (fraction == 0.5 && rounded % 2 != 0)) rounded++;
  *code = rounded < lo ? lo : rounded > hi ? hi : rounded;
  if ((double)v < (double)lo) return -128;
  if ((double)v > (double)hi) return 127;
  const double taken = (float)((double)(float)((double)*code - (double)v) * 252.0), below = floor(taken);
  const double part = taken - below;
  return (int64_t)below + (part > 0.5 || (part == 0.5 && (int64_t)below % 2 != 0));
}

/// ⌊(acc·M + 2^(S−1)) / 2^S⌋ by division, clamped.
static int64_t requantised(int64_t acc, qk_requantiser r, int64_t lo, int64_t hi) {
  const int64_t divisor = (int64_t)1 << r.shift, value = acc * r.multiplier + divisor / 2;
  int64_t quotient = value / divisor;
  if (value % divisor < 0) quotient--;
  return quotient < lo ? lo : quotient > hi ? hi : quotient;
}

void write_expected(const qk_gemm_arguments *a, int32_t t, int32_t n, int64_t sum, uint8_t *out, uint8_t *rest_out) {
  const size_t element = qk_output_bytes(a->form);
  uint8_t *place = out + ((size_t)t * a->output_stride + (size_t)n) * element;
  const int residual = a->form == QK_OUTPUT_RESIDUAL;
  int64_t value = sum;
  if (a->form == QK_OUTPUT_FLOAT) {
    const float product = (float)sum * a->scales[n];
    memcpy(place, &product, sizeof product);
    return;
  }
  if (has_rest(a->form)) {
    int64_t code;
    const int64_t rest = rest_of((float)sum * a->scales[n], a->lo, a->hi, &code);
    if (a->form == QK_OUTPUT_EXACT_AND_REST) code = requantised(sum, a->requantisers[n], a->lo, a->hi);
    *place = (uint8_t)code;
    rest_out[(size_t)t * a->output_stride + (size_t)n] = (uint8_t)rest;
    return;
  }
  if (a->form != QK_OUTPUT_ACCUMULATOR)
    value = requantised(sum, a->requantisers[n], residual ? INT16_MIN : a->lo, residual ? INT16_MAX : a->hi);
  if (a->form == QK_OUTPUT_TABLE) value = a->table[value + 128];
  if (residual) {
    value += a->residual[(size_t)t * a->residual_stride + (size_t)n];
    value = value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value;
  }
  const int32_t word = (int32_t)value;
  memcpy(place, &word, element);  // little-endian
}

/// The output, followed by the rests.
static uint8_t *expected_output(const problem *p) {
  const qk_gemm_arguments *a = &p->arguments;
  const int32_t depth = p->weights.depth;
  uint8_t *out = malloc(2 * p->output_bytes);
  memset(out, 0xa5, 2 * p->output_bytes);
  for (int32_t t = 0; t < a->tokens; t++) {
    const uint8_t *x = (const uint8_t *)a->activations + (size_t)t * a->activation_stride;
    for (int32_t n = 0; n < p->weights.rows; n++) {
      const int8_t *w = p->codes + (size_t)n * (size_t)depth;
      int32_t sum = a->bias[n];
      if (a->activations_unsigned) for (int32_t k = 0; k < depth; k++) sum += x[k] * w[k];
      else for (int32_t k = 0; k < depth; k++) sum += (int8_t)x[k] * w[k];
      write_expected(a, t, n, sum, out, out + p->output_bytes);
    }
  }
  return out;
}

void check_gemm(const gemm_shape *s) {
  problem p = make_problem(s);
  p.arguments.weights = &p.weights;
  uint8_t *expected = expected_output(&p);
  qk_row_constants constants;
  if (s->seed % 4 < 2) {
    void *memory = place(&constants_arena, qk_row_constants_bytes(&p.weights), 64, 1);
    const int plain = s->form == QK_OUTPUT_ACCUMULATOR || s->form == QK_OUTPUT_FLOAT
        || s->form == QK_OUTPUT_CODE_AND_REST;
    if (plain && s->seed % 8 < 4) p.arguments.requantisers = NULL;
    if (qk_prepare_rows(&p.weights, p.arguments.bias, p.arguments.requantisers, p.arguments.scales, memory, &constants)
        != QK_OK) abort();
    p.arguments.constants = &constants;
  }
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int i = 0; i < count; i++) {
    memset(p.arguments.output, 0xa5, p.output_bytes);
    if (has_rest(s->form)) memset(p.arguments.rest, 0xa5, p.output_bytes);
    const qk_status status = qk_gemm_with(sets[i], &p.arguments);
    ptrdiff_t where = status == QK_OK ? first_difference(p.arguments.output, expected, p.output_bytes) : 0;
    if (where < 0 && has_rest(s->form)) where = first_difference(p.arguments.rest, expected + p.output_bytes, p.output_bytes);
    count_case(sets[i], where >= 0, "product tokens %d rows %d depth %d unsigned %d form %d mask %d high %d slack %d "
               "extreme %d seed %llu status %d byte %td", s->tokens, s->rows, s->depth, s->is_unsigned, (int)s->form,
               (int)s->mask, s->high_word, s->slack, s->extreme, (unsigned long long)s->seed, (int)status, where);
  }
  free(expected);
  free((void *)(uintptr_t)p.codes);
}
