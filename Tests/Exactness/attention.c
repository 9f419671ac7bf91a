// Attention on every instruction set against the definition.
#include <stdlib.h>
#include <string.h>
#include "exactness.h"
#include "ckernels/parallel.h"

static arena qkv_arena, table_arena, output_arena;

typedef struct attention_shape {
  int32_t batch, tokens, heads, dimension, bits;
  int32_t extreme;      ///< 1: all codes are −128 or 127
  int32_t score_word;   ///< 1: the score factor fits the upper word of a product
  uint64_t seed;
} attention_shape;

static void check(const attention_shape *s) {
  random_numbers r = { s->seed * 0x2545f4914f6cdd1du + 3 };
  const int at_end = (int)(next_bits(&r) % 2);
  const size_t rows = (size_t)s->batch * (size_t)s->tokens, width = (size_t)s->heads * (size_t)s->dimension;
  int8_t *qkv = place(&qkv_arena, rows * 3 * width, 1, at_end);
  for (size_t i = 0; i < rows * 3 * width; i++)
    qkv[i] = (int8_t)(s->extreme ? (next_bits(&r) % 2 ? 127 : -128) : next_corner(&r, -128, 127));
  uint16_t *table = place(&table_arena, QK_EXPONENT_TABLE_SIZE * sizeof *table, 2, at_end);
  if (qk_exponent_table(s->bits, table) != QK_OK) abort();
  static const int32_t ranges[][2] = { { -128, 127 }, { -127, 127 }, { -31, 31 }, { 4, 4 } };
  const int32_t *range = ranges[next_bits(&r) % 4];
  qk_requantiser score = next_requantiser(&r, s->score_word ? 17 : 1, s->score_word ? 32 : QK_REQUANTISER_MAX_SHIFT);
  if (score.multiplier < 0) score.multiplier = -score.multiplier;
  // Products of common sizes spread over the exponents where probabilities differ.
  if (next_bits(&r) % 2) score.shift = (int32_t)next_in(&r, 16, 22);
  qk_attention_arguments a = {
    .batch = s->batch, .tokens = s->tokens, .heads = s->heads, .head_dimension = s->dimension, .activation_bits = s->bits,
    .qkv = qkv, .score = score, .exponent_table = table,
    .output_requantiser = next_bits(&r) % 2 ? next_requantiser(&r, 22, 26)
                                            : next_requantiser(&r, 1, QK_REQUANTISER_MAX_SHIFT),
    .lo = range[0], .hi = range[1],
  };
  int8_t *expected = malloc(rows * width);
  a.output = expected;
  if (qk_attention_reference(&a) != QK_OK) abort();
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int i = 0; i < count; i++) {
    if (sets[i] == QK_ISA_REFERENCE) continue;
    a.output = place(&output_arena, rows * width, 1, at_end);
    memset(a.output, 0xa5, rows * width);
    const qk_status status = qk_attention_with(sets[i], &a);
    const ptrdiff_t where = status == QK_OK ? first_difference(a.output, expected, rows * width) : 0;
    count_case(sets[i], where >= 0, "attention batch %d tokens %d heads %d dimension %d bits %d extreme %d word %d seed "
               "%llu status %d byte %td", s->batch, s->tokens, s->heads, s->dimension, s->bits, s->extreme,
               s->score_word, (unsigned long long)s->seed, (int)status, where);
  }
  free(expected);
}

static attention_shape shape_of(int32_t tokens, int32_t dimension, uint64_t turn) {
  static const int32_t bits[] = { 8, 4, 6 };
  return (attention_shape){ .batch = 1 + (int32_t)(turn % 2), .tokens = tokens, .heads = 1 + (int32_t)(turn / 2 % 2),
                            .dimension = dimension, .bits = bits[turn % 3], .extreme = turn % 5 == 0,
                            .score_word = turn % 4 < 2, .seed = turn };
}

void check_attention(void) {
  uint64_t turn = 0;
  for (int32_t tokens = 1; tokens <= 37; tokens++)
    for (int32_t dimension = 1; dimension <= 40; dimension++) {
      const attention_shape s = shape_of(tokens, dimension, turn++);
      check(&s);
    }
  static const int32_t tokens_of[] = { 48, 49, 64, 65, 127, 128, 197, 257 };
  static const int32_t dimensions_of[] = { 16, 48, 64, 65, 80, 127, 128, 255, 256 };
  for (int t = 0; t < 8; t++)
    for (int d = 0; d < 9; d++) {
      qk_set_thread_count(turn % 2 ? 1 : 4);
      const attention_shape s = shape_of(tokens_of[t], dimensions_of[d], turn++);
      check(&s);
    }
  qk_set_thread_count(1);
  // Several tiles of queries, which kernels may have under way at the same time. Every turn is another kind of
  // requantiser and range.
  static const int32_t tiles_of[] = { 12, 18, 24, 66, 126, 129, 133, 193, 197 };
  static const int32_t narrow[] = { 8, 28, 32, 60, 64 };
  for (int t = 0; t < 9; t++)
    for (int d = 0; d < 5; d++)
      for (int i = 0; i < 4; i++) {
        const attention_shape s = shape_of(tiles_of[t], narrow[d], turn++);
        check(&s);
      }
  // The largest sums of probabilities and scores.
  for (int32_t bits = 4; bits <= 8; bits += 2) {
    const attention_shape s = { .batch = 1, .tokens = 1030, .heads = 1, .dimension = 24, .bits = bits, .extreme = 1,
                                .seed = turn++ };
    check(&s);
  }
  const attention_shape longest = { .batch = 1, .tokens = QK_MAX_TOKENS, .heads = 1, .dimension = 3, .bits = 8,
                                    .seed = turn++ };
  check(&longest);
}
