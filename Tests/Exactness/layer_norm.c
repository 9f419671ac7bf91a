// LayerNorm on every instruction set against the definition.
#include <stdlib.h>
#include <string.h>
#include "exactness.h"

static arena input_arena, scale_arena, offset_arena, output_arena;

static void check(int32_t rows, int32_t width, int extreme, uint64_t seed) {
  random_numbers r = { seed * 0x2545f4914f6cdd1du + 7 };
  const int at_end = (int)(next_bits(&r) % 2);
  const size_t slack = next_bits(&r) % 3 ? 0 : 5, columns = (size_t)width;
  const size_t before = (size_t)(rows - 1), inputs = before * (columns + slack) + columns;
  const size_t outputs = before * (columns + 2 * slack) + columns;
  int16_t *input = place(&input_arena, inputs * sizeof *input, 2, at_end);
  // With a small spread about the mean the root is small, and an error of one in the variance moves it. Spread 0: a
  // variance of 0.
  static const int32_t spreads[] = { 0, 1, 3, 1000, 0x10000 };
  const int32_t spread = spreads[next_bits(&r) % 5], mean = (int32_t)next_in(&r, -30000, 30000);
  for (size_t i = 0; i < inputs; i++)
    input[i] = (int16_t)(extreme ? (next_bits(&r) % 2 ? INT16_MAX : INT16_MIN)
                         : spread > INT16_MAX ? next_corner(&r, INT16_MIN, INT16_MAX) : mean + next_in(&r, -spread, spread));
  qk_requantiser *scales = place(&scale_arena, columns * sizeof *scales, 4, at_end);
  int64_t *offsets = place(&offset_arena, columns * sizeof *offsets, 8, at_end);
  const int64_t limit = ((int64_t)1 << 62) - 1;
  const int any = next_bits(&r) % 2;
  for (int32_t i = 0; i < width; i++) {
    scales[i] = any ? next_requantiser(&r, 1, QK_REQUANTISER_MAX_SHIFT) : next_requantiser(&r, 36, 40);
    offsets[i] = next_bits(&r) % 4 == 0 ? next_corner(&r, -limit, limit)
                                        : next_in(&r, -((int64_t)1 << 44), (int64_t)1 << 44);
  }
  static const int32_t ranges[][2] = { { -128, 127 }, { -127, 127 }, { -31, 31 }, { 4, 4 } };
  const int32_t *range = ranges[next_bits(&r) % 4];
  qk_layer_norm_arguments a = {
    .rows = rows, .width = width, .input = input, .input_stride = columns + slack,
    .epsilon_code = spread <= 3 ? next_in(&r, 0, 2) : next_corner(&r, 0, ((int64_t)1 << 40) - 1),
    .scales = scales, .offsets = offsets, .lo = range[0], .hi = range[1], .output_stride = columns + 2 * slack,
  };
  int8_t *expected = malloc(outputs);
  memset(expected, 0xa5, outputs);
  a.output = expected;
  if (qk_layer_norm_reference(&a) != QK_OK) abort();
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int i = 0; i < count; i++) {
    if (sets[i] == QK_ISA_REFERENCE) continue;
    a.output = place(&output_arena, outputs, 1, at_end);
    memset(a.output, 0xa5, outputs);
    const qk_status status = qk_layer_norm_with(sets[i], &a);
    const ptrdiff_t where = status == QK_OK ? first_difference(a.output, expected, outputs) : 0;
    count_case(sets[i], where >= 0, "layer norm rows %d width %d extreme %d seed %llu status %d byte %td", rows, width,
               extreme, (unsigned long long)seed, (int)status, where);
  }
  free(expected);
}

void check_layer_norm(void) {
  uint64_t seed = 0;
  for (int32_t width = 1; width <= 80; width++)
    for (int32_t rows = 1; rows <= 3; rows++)
      for (int repeat = 0; repeat < 8; repeat++) check(rows, width, repeat == 0, seed++);
  static const int32_t widths[] = { 127, 128, 192, 384, 768, 1000, 4096, 8191, 8192 };
  for (int i = 0; i < 9; i++)
    for (int repeat = 0; repeat < 8; repeat++) check(3, widths[i], repeat < 2, seed++);
}
