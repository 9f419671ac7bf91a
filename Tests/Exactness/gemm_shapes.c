// Products of many shapes: tiles and their rests, depths, forms, masks of rows, extreme sums, ranges of rows.
#include "gemm_problem.h"
#include "ckernels/parallel.h"

enum { FORMS = QK_OUTPUT_EXACT_AND_REST + 1 };

/// Varies with the number of the case, so that neighbouring shapes differ in everything else.
static gemm_shape shape_of(int32_t tokens, int32_t rows, int32_t depth, uint64_t turn) {
  return (gemm_shape){ .tokens = tokens, .rows = rows, .depth = depth, .is_unsigned = (int32_t)(turn / 2 % 2),
                       .form = (qk_output_form)(turn % FORMS), .mask = (row_mask)(turn % ROW_MASK_COUNT),
                       .high_word = (int32_t)(turn / 3 % 2), .slack = turn % 7 == 0 ? 5 : 0,
                       .seed = turn * 0x9e3779b97f4a7c15u >> 40 };
}

void check_shapes(void) {
  uint64_t turn = 0;
  // Two tiles of tokens and one, two panels of rows and one.
  for (int32_t tokens = 1; tokens <= 17; tokens++)
    for (int32_t rows = 1; rows <= 33; rows++) {
      const gemm_shape s = shape_of(tokens, rows, 1 + (int32_t)(turn * 7 % 40), turn);
      check_gemm(&s);
      turn++;
    }
  // Up to two groups of panels and one row, blocks of tokens and their rests.
  static const int32_t tokens_of[] = { 1, 3, 4, 5, 7, 8, 9, 23, 24, 25, 28, 47, 48, 49 };
  for (int32_t rows = 34; rows <= 129; rows++)
    for (int i = 0; i < 3; i++) {
      const gemm_shape s = shape_of(tokens_of[turn % 14], rows, 1 + (int32_t)(turn * 5 % 50), turn);
      check_gemm(&s);
      turn++;
    }
  // Every residue of the depth, corner values, both signs, every precision.
  for (int32_t depth = 1; depth <= 72; depth++)
    for (int32_t tokens = 1; tokens <= 9; tokens += 4)
      for (int mask = 0; mask < ROW_MASK_COUNT; mask++)
        for (int32_t is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
          gemm_shape s = shape_of(tokens, 37, depth, turn++);
          s.mask = (row_mask)mask;
          s.is_unsigned = is_unsigned;
          s.form = QK_OUTPUT_ACCUMULATOR;
          check_gemm(&s);
        }
}

void check_forms(void) {
  static const int32_t tokens_of[] = { 1, 2, 4, 6, 8, 13, 25 };
  static const int32_t rows_of[] = { 1, 7, 8, 15, 16, 17, 31, 32, 47, 48, 63, 64, 65, 80, 113, 129 };
  uint64_t turn = 0;
  for (int form = 0; form < FORMS; form++)
    for (int32_t high = 0; high < 2; high++)
      for (int32_t is_unsigned = 0; is_unsigned < 2; is_unsigned++)
        for (int mask = 0; mask < ROW_MASK_COUNT; mask++)
          for (int i = 0; i < 16; i++) {
            gemm_shape s = shape_of(tokens_of[turn % 7], rows_of[i], 1 + (int32_t)(turn * 11 % 90), turn);
            s.form = (qk_output_form)form;
            s.high_word = high;
            s.is_unsigned = is_unsigned;
            s.mask = (row_mask)mask;
            check_gemm(&s);
            turn++;
          }
}

/// Enough tokens for mixed rows to be multiplied in row order, in any form.
void check_ordered(void) {
  static const int32_t rows_of[] = { 18, 33, 64, 65, 79, 113, 200 };
  uint64_t turn = 0;
  for (int form = 0; form < FORMS; form++)
    for (int32_t high = 0; high < 2; high++)
      for (int mask = ROWS_RANDOM; mask < ROW_MASK_COUNT; mask++)
        for (int i = 0; i < 7; i++) {
          gemm_shape s = shape_of(128 + (int32_t)(turn * 5 % 9), rows_of[i], 1 + (int32_t)(turn * 11 % 90), turn);
          s.form = (qk_output_form)form;
          s.high_word = high;
          s.mask = (row_mask)mask;
          check_gemm(&s);
          turn++;
        }
}

void check_extremes(void) {
  uint64_t turn = 0;
  static const int32_t depths[] = { QK_MAX_DEPTH, QK_MAX_DEPTH - 1, 16384, 4096 };
  static const qk_output_form forms[] = { QK_OUTPUT_ACCUMULATOR, QK_OUTPUT_INT32, QK_OUTPUT_FLOAT, QK_OUTPUT_RESIDUAL,
                                         QK_OUTPUT_EXACT_AND_REST };
  for (int d = 0; d < 4; d++)
    for (int32_t is_unsigned = 0; is_unsigned < 2; is_unsigned++)
      for (int mask = 0; mask < 3; mask++)
        for (int f = 0; f < 4; f++) {
          gemm_shape s = shape_of(turn % 2 ? 3 : 9, 19, depths[d], turn);
          s.form = forms[f];
          s.mask = (row_mask)mask;
          s.is_unsigned = is_unsigned;
          s.high_word = (int32_t)(turn / 4 % 2);
          s.extreme = 1;
          check_gemm(&s);
          turn++;
        }
}

void check_ranges(void) {
  uint64_t turn = 0;
  static const int32_t threads[] = { 2, 3, 8 };
  for (int i = 0; i < 3; i++) {
    qk_set_thread_count(threads[i]);
    for (int form = 0; form < FORMS; form++)
      for (int mask = 0; mask < ROW_MASK_COUNT; mask++) {
        gemm_shape s = shape_of(turn % 2 ? 5 : turn % 4 ? 50 : 150, turn % 2 ? 900 : 330, turn % 2 ? 344 : 96, turn);
        s.form = (qk_output_form)form;
        s.mask = (row_mask)mask;
        check_gemm(&s);
        turn++;
      }
  }
  qk_set_thread_count(1);
}
