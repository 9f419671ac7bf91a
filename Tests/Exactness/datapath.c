// Products on processing elements: every kernel against the definition, within the proved depth and beyond it.
#include <stdlib.h>
#include <string.h>
#include "exactness.h"
#include "ckernels/datapath.h"

enum { MOST_ROWS = 40 };

static arena weight_arena, activation_arena, index_arena, output_arena, work_arena;

typedef struct packing {
  qk_packing_mode mode;
  int32_t weight_bits, activation_bits;
} packing;

static const packing packings[] = {
  { { QK_DSP48E2, 2, 1, 18, 0, QK_REPAIR_NONE }, 8, 8 }, { { QK_DSP48E2, 2, 1, 22, 0, QK_REPAIR_NONE }, 4, 8 },
  { { QK_DSP48E2, 3, 1, 11, 0, QK_REPAIR_NONE }, 4, 8 }, { { QK_DSP48E2, 2, 2, 11, 0, QK_REPAIR_NONE }, 4, 6 },
  { { QK_DSP48E2, 1, 1, 22, 1, QK_REPAIR_NONE }, 8, 8 }, { { QK_DSP48E2, 1, 2, 11, 1, QK_REPAIR_NONE }, 8, 6 },
  { { QK_DSP48E1, 2, 1, 17, 0, QK_REPAIR_NONE }, 8, 6 }, { { QK_DSP48E1, 2, 2, 10, 0, QK_REPAIR_NONE }, 4, 6 },
  { { QK_DSP48E2, 3, 1, 11, 0, QK_REPAIR_RESTORED_BIT }, 4, 8 },
  { { QK_DSP48E2, 3, 1, 11, 0, QK_REPAIR_CARRY_COUNTERS }, 4, 8 },
};

static void check(const packing *p, uint64_t seed) {
  random_numbers r = { seed * 0x2545f4914f6cdd1du + 9 };
  const int at_end = (int)(next_bits(&r) % 2);
  const int32_t is_unsigned = (int32_t)(next_bits(&r) % 2), restored = p->mode.repair == QK_REPAIR_RESTORED_BIT;
  const int32_t matrix_rows = (int32_t)next_in(&r, 1, MOST_ROWS), depth = (int32_t)next_in(&r, 1, 70);
  qk_datapath_product product = {
    .element = { .mode = p->mode, .decode = (qk_decode)next_in(&r, 0, QK_DECODE_NAIVE),
                 .chain = restored ? 1 : (int32_t)next_in(&r, 1, 20), .input_lanes = (int32_t)next_in(&r, 1, 5),
                 .dsp_tokens = p->mode.activations * (int32_t)next_in(&r, 1, 3),
                 .fabric_tokens = (int32_t)next_in(&r, 0, 2), .accumulator_bits = next_bits(&r) % 2 ? 32 : (int32_t)next_in(&r, 8, 31),
                 .accumulator_saturates = (int32_t)(next_bits(&r) % 2) },
    .images = (int32_t)next_in(&r, 1, 3), .tokens = (int32_t)next_in(&r, 1, 40), .depth = depth,
    .weight_row_stride = depth, .weight_depth_stride = 1, .activation_row_stride = depth, .activation_depth_stride = 1,
    .activations_unsigned = is_unsigned, .output_stride = matrix_rows,
  };
  const size_t tokens = (size_t)product.images * (size_t)product.tokens;
  int32_t *index = place(&index_arena, (size_t)matrix_rows * sizeof *index, 4, at_end);
  for (int32_t n = 0; n < matrix_rows; n++)
    if (next_bits(&r) % 4) index[product.rows++] = n;
  if (product.rows == 0) index[product.rows++] = 0;
  const int32_t w = (1 << (p->weight_bits - 1)) - 1;
  int8_t *weights = place(&weight_arena, (size_t)(matrix_rows * depth), 1, at_end);
  for (int32_t i = 0; i < matrix_rows * depth; i++) weights[i] = (int8_t)next_corner(&r, -w, w);
  const int32_t x = (1 << (is_unsigned ? p->activation_bits : p->activation_bits - 1)) - 1;
  uint8_t *activations = place(&activation_arena, tokens * (size_t)depth, 1, at_end);
  for (size_t i = 0; i < tokens * (size_t)depth; i++) activations[i] = (uint8_t)next_corner(&r, is_unsigned ? 0 : -x, x);
  product.row_index = index;
  product.weights = weights;
  product.activations = activations;
  const size_t work = qk_datapath_workspace(product.rows, product.images, product.tokens, depth);
  product.workspace = place(&work_arena, (work + 63) / 64 * 64, 64, 1);

  const size_t bytes = tokens * (size_t)matrix_rows * sizeof(int32_t);
  int32_t *expected = malloc(bytes);
  memset(expected, 0xa5, bytes);
  product.output = expected;
  const qk_status defined = qk_datapath_run_reference(&product);
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int i = 0; i < count; i++) {
    if (sets[i] == QK_ISA_REFERENCE) continue;
    product.output = place(&output_arena, bytes, 4, at_end);
    memset(product.output, 0xa5, bytes);
    const qk_status status = qk_datapath_run_with(sets[i], &product);
    const ptrdiff_t where = defined == QK_OK && status == QK_OK ? first_difference(product.output, expected, bytes) : 0;
    count_case(sets[i], where >= 0, "datapath weights %d activations %d pitch %d seed %llu status %d, %d byte %td",
               p->mode.weights, p->mode.activations, p->mode.pitch, (unsigned long long)seed, (int)defined, (int)status,
               where);
  }
  free(expected);
}

void check_datapath(void) {
  uint64_t seed = 0;
  for (size_t p = 0; p < sizeof packings / sizeof *packings; p++)
    for (int repeat = 0; repeat < 40; repeat++) check(&packings[p], seed++);
}
