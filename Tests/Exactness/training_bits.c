// The bits of training: digests of the results of the float kernels and the fused block on fixed inputs. Their loops
// are portable C in clones for several instruction sets, chosen by the loader, so one run sees one clone. Therefore the
// digests are written down here, and every CPU must find the same. (The tests in Swift compare the numbers with
// double.) After a change that is meant to change bits, the failures name the new digests.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "exactness.h"
#include "ckernels/training.h"
#include "ckernels/training_patches.h"

typedef struct expected_digest {
  const char *name;
  uint64_t digest;
} expected_digest;

static const expected_digest expected[] = {
#include "training_digests.h"
};

static void compare(const char *name, uint64_t digest) {
  int known = 0;
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    known |= strcmp(expected[i].name, name) == 0 && expected[i].digest == digest;
  if (!known) printf("  { \"%s\", 0x%016llx },\n", name, (unsigned long long)digest);
  count_case(QK_ISA_REFERENCE, !known, "digest of %s", name);
}

#define EMPTY_DIGEST 0xcbf29ce484222325u

/// Continues FNV-1a with the bytes.
static void add_bytes(uint64_t *digest, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) *digest = (*digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

static void *zeros(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (memory == NULL) abort();
  return memset(memory, 0, (bytes + 127) / 64 * 64);
}

static float *floats(size_t count) { return zeros(count * sizeof(float)); }

/// Multiples of 2^−20 in ±limit, where limit is a power of two, so each is exact.
static float *noise(random_numbers *r, size_t count, float limit) {
  float *values = floats(count);
  for (size_t i = 0; i < count; i++) values[i] = (float)next_in(r, -(1 << 20), 1 << 20) * 0x1p-20f * limit;
  return values;
}

/// The same, but positive: 2^−3…2 times the limit.
static float *positive(random_numbers *r, size_t count, float limit) {
  float *values = floats(count);
  for (size_t i = 0; i < count; i++) values[i] = (float)next_in(r, 1 << 17, 1 << 21) * 0x1p-20f * limit;
  return values;
}

// --- float rows -----------------------------------------------------------------------------------------------

enum { ROWS = 70, WIDTH = 300, COUNT = ROWS * WIDTH };  // two blocks of rows; terms in two pieces, not a multiple of 16

static void compare_floats(const char *name, const float *a, size_t na, const float *b, size_t nb) {
  uint64_t digest = EMPTY_DIGEST;
  add_bytes(&digest, a, na * sizeof *a);
  add_bytes(&digest, b, nb * sizeof *b);
  compare(name, digest);
}

static void check_rows(void) {
  random_numbers r = { 11 };
  float *x = noise(&r, COUNT, 4), *gy = noise(&r, COUNT, 1), *out = floats(COUNT), *more = floats(COUNT);
  float *weights = positive(&r, COUNT, 0.015625f), *weight = positive(&r, WIDTH, 1), *bias = noise(&r, WIDTH, 1), *sums = floats(2 * WIDTH);
  float *scratch = floats(qk_scratch_floats(COUNT, 2) + qk_scratch_floats(ROWS, 2 * WIDTH));

  qk_gelu_forward(COUNT, x, out);
  qk_gelu_backward(COUNT, x, gy, more);
  compare_floats("gelu", out, COUNT, more, COUNT);
  qk_softmax_forward(ROWS, WIDTH, x, out);
  qk_softmax_backward(ROWS, WIDTH, out, gy, more);
  compare_floats("softmax", out, COUNT, more, COUNT);
  qk_cross_entropy_forward(ROWS, WIDTH, x, weights, out, more);
  compare_floats("cross-entropy", out, COUNT, more, ROWS);
  qk_float_layer_norm_forward(ROWS, WIDTH, x, weight, bias, 1e-5f, out, more);
  compare_floats("layer norm", out, COUNT, more, 2 * ROWS);
  qk_float_layer_norm_backward(ROWS, WIDTH, x, weight, more, gy, scratch, out, sums, sums + WIDTH);
  compare_floats("layer norm, backward", out, COUNT, sums, 2 * WIDTH);
  qk_column_dots(ROWS, WIDTH, x, gy, scratch, sums);
  sums[WIDTH] = qk_sum_of_squares(COUNT, x, scratch);
  sums[WIDTH + 1] = qk_sum(COUNT, gy, scratch);
  compare_floats("sums", sums, WIDTH + 2, sums, 0);
  const float scales[] = { 0.25f, 0.375f, 0.1f };
  qk_quantize_forward(ROWS, WIDTH, 3, scales, -7, 7, x, out);
  compare_floats("quantise", out, COUNT, out, 0);
  qk_quantize_backward(ROWS, WIDTH, 3, scales, -7, 7, x, gy, scratch, out, sums);
  compare_floats("quantise, backward", out, COUNT, sums, 3);
  float *probabilities = floats(2 * 3 * 25 * 25), *mixed = floats(2 * 25 * 24), *gqkv = floats(2 * 25 * 72);
  if (qk_float_attention_forward(2, 25, 3, 8, x, 0.35f, 63, probabilities, mixed) != QK_OK) abort();
  if (qk_float_attention_backward(2, 25, 3, 8, x, 0.35f, probabilities, gy, gqkv) != QK_OK) abort();
  compare_floats("attention", mixed, 2 * 25 * 24, gqkv, 2 * 25 * 72);
  qk_step_errors(COUNT, x, -7, 7, WIDTH, weight, sums);
  compare_floats("step errors", sums, WIDTH, sums, 0);
  qk_sgemm(0, 1, ROWS, ROWS, WIDTH, x, WIDTH, gy, WIDTH, out, ROWS);
  compare_floats("product", out, ROWS * ROWS, out, 0);

  const qk_adamw_settings settings = {
    .gradient_factor = 0.7f, .learning_rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = 0.05f,
    .correction1 = 0.1f, .correction2 = 0.001f,
  };
  float *moment1 = noise(&r, COUNT, 1), *moment2 = positive(&r, COUNT, 1);
  qk_adamw_step(COUNT, &settings, gy, x, moment1, moment2);
  compare_floats("adamw", x, COUNT, moment2, COUNT);
}

static void check_slices(void) {
  random_numbers r = { 12 };
  float *latent = noise(&r, COUNT, 1), *gy = noise(&r, COUNT, 1), *out = floats(COUNT), *glatent = floats(COUNT);
  float *scale4 = positive(&r, ROWS, 0.125f), *scale8 = positive(&r, ROWS, 0.0078125f);
  float *gscale = floats(2 * ROWS);
  int32_t rows[ROWS];
  uint8_t bits[ROWS];
  for (int i = 0; i < ROWS; i++) rows[i] = (i * 37 + 5) % ROWS, bits[i] = i % 3 ? 8 : 4;
  static const char *const names[] = { "slice, independent", "slice, tied", "slice, nested" };
  static const qk_sharing forms[] = { QK_SHARING_INDEPENDENT, QK_SHARING_TIED, QK_SHARING_NESTED };
  for (int form = 0; form < 3; form++) {
    qk_weight_slice_forward(ROWS, WIDTH, latent, WIDTH, rows, bits, scale4, scale8, forms[form], out);
    // All rows are in the slice: no NaN may remain where it is fresh.
    const int fresh = form == QK_SHARING_TIED;
    memset(glatent, fresh ? 0xff : 0, COUNT * sizeof *glatent);
    memset(gscale, 0, 2 * ROWS * sizeof *gscale);
    qk_weight_slice_backward(ROWS, WIDTH, latent, WIDTH, rows, bits, scale4, scale8, forms[form], gy, fresh, glatent,
                             gscale, gscale + ROWS);
    uint64_t digest = EMPTY_DIGEST;
    add_bytes(&digest, out, COUNT * sizeof *out);
    add_bytes(&digest, glatent, COUNT * sizeof *glatent);
    add_bytes(&digest, gscale, 2 * ROWS * sizeof *gscale);
    compare(names[form], digest);
  }
}

// --- fused layers -----------------------------------------------------------------------------------------------

static qk_training_linear linear(random_numbers *r, int32_t rows, int32_t depth) {
  int8_t *codes = zeros((size_t)(rows * depth));
  uint8_t *bits = zeros((size_t)rows);
  int32_t rows8 = 0;
  for (int32_t n = 0; n < rows; n++) {
    bits[n] = next_bits(r) % 2 ? 8 : 4;
    rows8 += bits[n] == 8;
    for (int32_t k = 0; k < depth; k++)
      codes[n * depth + k] = (int8_t)(bits[n] == 8 ? next_in(r, -127, 127) : next_in(r, -7, 7));
  }
  const size_t slots = qk_packed_slots(rows8, rows - rows8) + 1;
  qk_packed_weights *weights = zeros(sizeof *weights);
  if (qk_pack_rows(codes, bits, rows, depth, zeros(qk_packed_bytes(rows8, rows - rows8, depth)), zeros(4 * slots),
                   zeros(4 * slots), weights) != QK_OK)
    abort();
  int32_t *bias = zeros((size_t)rows * sizeof *bias);
  for (int32_t n = 0; n < rows; n++) bias[n] = (int32_t)next_in(r, -500, 500);
  qk_row_constants *constants = zeros(sizeof *constants);
  if (qk_prepare_rows(weights, bias, NULL, NULL, zeros(qk_row_constants_bytes(weights)), constants) != QK_OK) abort();
  return (qk_training_linear){ .rows = rows, .depth = depth, .weights = weights, .constants = constants, .bias = bias,
                               .row_step = positive(r, (size_t)rows, 0.0078125f), .real_bias = noise(r, (size_t)rows, 0.25f),
                               .codes = codes };
}

/// `step` is the head dimension, 8 or 16; the widths that follow from it select the granule of the row passes.
static void check_block(const char *name, qk_gradient_form form, int32_t step) {
  random_numbers r = { 13 };
  const int32_t images = 20, tokens = 17, width = 3 * step, inner = 2 * step, hidden = 5 * step;
  const size_t rows = (size_t)(images * tokens), w = (size_t)width, in = (size_t)inner, h = (size_t)hidden;
  uint8_t *table = zeros(256);
  for (int i = 0; i < 256; i++) table[i] = (uint8_t)(i < 128 ? 4 : 4 + (i - 128) * 59 / 127);
  qk_training_block b = {
    .images = images, .tokens = tokens, .width = width, .heads = 2, .head_dimension = step, .hidden = hidden,
    .activation_bits = 6, .gradient_form = form, .epsilon = 1e-5f, .norm1_weight = positive(&r, w, 1),
    .norm1_bias = noise(&r, w, 0.5f), .norm2_weight = positive(&r, w, 1), .norm2_bias = noise(&r, w, 0.5f),
    .gain1 = positive(&r, w, 0.5f), .gain2 = positive(&r, w, 0.5f), .keep1 = positive(&r, (size_t)images, 1),
    .norm1_step = 0.1f, .qkv_step = { 0.15f, 0.2f, 0.1f }, .attention_step = 0.05f, .norm2_step = 0.1f,
    .hidden_input_step = 0.03f, .hidden_step = 0.06f, .hidden_zero = 4, .hidden_table = table,
    .qkv = linear(&r, 3 * inner, width), .projection = linear(&r, width, inner),
    .expand = linear(&r, hidden, width), .contract = linear(&r, width, hidden),
    .x = noise(&r, rows * w, 2), .middle = floats(rows * w), .y = floats(rows * w),
    .qkv_codes = zeros(rows * 3 * in), .qkv_rest = zeros(rows * 3 * in), .attention_codes = zeros(rows * in),
    .attention_rest = zeros(rows * in), .hidden_codes = zeros(rows * h), .hidden_rest = zeros(rows * h),
    .probabilities = zeros((size_t)(images * 2 * tokens * tokens) + 3),
  };
  const float *gy = noise(&r, rows * w, 0.125f);
  float *gx = floats(rows * w);
  qk_training_gradients g = {
    .qkv_weight = floats(3 * in * w), .projection_weight = floats(w * in), .expand_weight = floats(h * w),
    .contract_weight = floats(w * h), .qkv_bias = floats(3 * in), .projection_bias = floats(w), .expand_bias = floats(h),
    .contract_bias = floats(w), .norm1_weight = floats(w), .norm1_bias = floats(w), .norm2_weight = floats(w),
    .norm2_bias = floats(w), .gain1 = floats(w), .gain2 = floats(w),
  };
  if (qk_training_block_forward(&b) != QK_OK || qk_training_block_backward(&b, gy, gx, &g) != QK_OK) abort();
  uint64_t digest = EMPTY_DIGEST;
  add_bytes(&digest, b.y, rows * w * sizeof(float));
  add_bytes(&digest, gx, rows * w * sizeof(float));
  add_bytes(&digest, g.qkv_weight, 3 * in * w * sizeof(float));
  add_bytes(&digest, g.contract_weight, w * h * sizeof(float));
  add_bytes(&digest, g.norm1_weight, w * sizeof(float));
  add_bytes(&digest, g.gain2, w * sizeof(float));
  add_bytes(&digest, &g.norm1_step, 8 * sizeof(float));
  compare(name, digest);
}

static void check_patches(const char *name, qk_gradient_form form) {
  random_numbers r = { 14 };
  const int32_t rows = 300, depth = 27, width = 24;
  uint8_t *codes = zeros((size_t)(rows * depth));
  for (int32_t i = 0; i < rows * depth; i++) codes[i] = (uint8_t)next_bits(&r);
  const qk_training_patches p = { .rows = rows, .gradient_form = form, .layer = linear(&r, width, depth),
                                  .codes = codes, .input_step = 1.0f / 255, .mean = positive(&r, (size_t)depth, 0.25f) };
  float *y = floats((size_t)(rows * width)), *gweight = floats((size_t)(width * depth)), *gbias = floats((size_t)width);
  const float *gy = noise(&r, (size_t)(rows * width), 1);
  if (qk_training_patches_forward(&p, y) != QK_OK || qk_training_patches_backward(&p, gy, gweight, gbias) != QK_OK) abort();
  uint64_t digest = EMPTY_DIGEST;
  add_bytes(&digest, y, (size_t)(rows * width) * sizeof(float));
  add_bytes(&digest, gweight, (size_t)(width * depth) * sizeof(float));
  add_bytes(&digest, gbias, (size_t)width * sizeof(float));
  compare(name, digest);
}

void check_training_bits(void) {
  check_rows();
  check_slices();
  check_block("block, bytes, 16 lanes", QK_GRADIENT_BYTES, 16);
  check_block("block, words, 16 lanes", QK_GRADIENT_WORDS, 16);
  check_block("block, bytes, 8 lanes", QK_GRADIENT_BYTES, 8);
  check_block("block, words, 8 lanes", QK_GRADIENT_WORDS, 8);
  check_patches("patches, bytes", QK_GRADIENT_BYTES);
  check_patches("patches, words", QK_GRADIENT_WORDS);
}
