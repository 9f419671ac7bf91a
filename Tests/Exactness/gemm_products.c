// Every product of an activation and a weight: 256 codes of either sign by 256 codes of 8 bits and 16 codes of 4 bits,
// at every place of a depth of 24, through the tiles of many tokens and those of few.
#include <stdlib.h>
#include <string.h>
#include "gemm_problem.h"

enum { DEPTH = 24, ROWS8 = 256, ROWS4 = 16, ROWS = ROWS8 + ROWS4, CODES = 256 };

static arena panel_arena, output_arena;

typedef struct table {
  int8_t codes[ROWS * DEPTH];
  uint8_t bits[ROWS];
  uint8_t x[CODES * DEPTH];
  int32_t slot_row[ROWS + 32], slot_sum[ROWS + 32], bias[ROWS];
  qk_packed_weights weights;
} table;

/// Fills the table: row n has one code that is not zero, at `k`, and every 17th row has 4 bits. So the sum is one
/// product, whatever the other activations are.
static void fill(table *t, int32_t k, random_numbers *r) {
  memset(t->codes, 0, sizeof t->codes);
  int32_t next8 = -128, next4 = -8;
  for (int32_t n = 0; n < ROWS; n++) {
    const int is4 = n % 17 == 16;
    t->bits[n] = is4 ? 4 : 8;
    t->codes[n * DEPTH + k] = (int8_t)(is4 ? next4++ : next8++);
    t->bias[n] = (int32_t)next_in(r, -1000, 1000);
  }
  for (int32_t x = 0; x < CODES; x++) {
    for (int32_t i = 0; i < DEPTH; i++) t->x[x * DEPTH + i] = (uint8_t)next_bits(r);
    t->x[x * DEPTH + k] = (uint8_t)x;
  }
  uint8_t *panels = place(&panel_arena, qk_packed_bytes(ROWS8, ROWS4, DEPTH), 64, 1);
  if (qk_pack_rows(t->codes, t->bits, ROWS, DEPTH, panels, t->slot_row, t->slot_sum, &t->weights) != QK_OK) abort();
}

static void compare(const table *t, int32_t k, qk_isa isa, int is_unsigned, int32_t step) {
  int32_t *out = place(&output_arena, CODES * ROWS * sizeof(int32_t), 4, 1);
  memset(out, 0xa5, CODES * ROWS * sizeof(int32_t));
  for (int32_t first = 0; first < CODES; first += step) {
    const qk_gemm_arguments a = {
      .tokens = step, .activations_unsigned = is_unsigned, .activations = t->x + first * DEPTH,
      .activation_stride = DEPTH, .weights = &t->weights, .bias = t->bias, .form = QK_OUTPUT_ACCUMULATOR, .output = out + first * ROWS,
      .output_stride = ROWS,
    };
    if (qk_gemm_with(isa, &a) != QK_OK) abort();
  }
  for (int32_t x = 0; x < CODES; x++)
    for (int32_t n = 0; n < ROWS; n++) {
      const int32_t code = is_unsigned ? x : (int8_t)x, w = t->codes[n * DEPTH + k];
      const int32_t sum = t->bias[n] + code * w;
      count_case(isa, out[x * ROWS + n] != sum, "product %d by %d (%d bits) at k %d, %d tokens a call: %d", code, w,
                 t->bits[n], k, step, out[x * ROWS + n] - t->bias[n]);
    }
}

void check_products(void) {
  table *t = malloc(sizeof *t);
  random_numbers r = { 11 };
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int32_t k = 0; k < DEPTH; k++) {
    fill(t, k, &r);
    for (int i = 0; i < count; i++)
      for (int is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
        compare(t, k, sets[i], is_unsigned, CODES);
        if (sets[i] == QK_ISA_REFERENCE) continue;
        compare(t, k, sets[i], is_unsigned, 4);
        compare(t, k, sets[i], is_unsigned, 1);
      }
  }
  free(t);
}
