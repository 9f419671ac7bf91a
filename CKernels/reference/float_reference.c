// The definition of a product of packed floats: one chain of fused multiply–adds over k per sum.
#include <math.h>
#include <string.h>
#include "../gemm/packed_gemm.h"

/// Writes word (line, k) to out[line·line_place + k·k_place].
static void pack(const qk_packed_lines *l, uint32_t *out, size_t line_place, size_t k_place) {
  for (size_t line = 0; line < l->lines; line++)
    for (size_t k = 0; k < l->depth; k++)
      memcpy(out + line * line_place + k * k_place, (const float *)l->values + line * l->line_step + k * l->k_step,
             sizeof(float));
}

static void pack_rows(const qk_packed_lines *l, uint32_t *out, size_t stride) { pack(l, out, stride, 1); }

static void pack_panel(const qk_packed_lines *l, uint32_t *out, size_t step) { pack(l, out, 1, step); }

/// Columns after the last line of a panel are computed too; nobody reads them.
static void multiply(const qk_packed_words *left, size_t rows, const qk_packed_words *right, size_t panels, size_t words,
                     const qk_packed_sums *sums, const qk_packed_fetch *fetch) {
  (void)fetch;
  const float *a = (const float *)(const void *)left->words, *panel = (const float *)(const void *)right->words;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < panels * QK_PACKED_LINES; c++) {
      const float *b = panel + c / QK_PACKED_LINES * right->stride + c % QK_PACKED_LINES;
      float *value = sums->values + r * sums->stride + c;
      float sum = sums->fresh ? 0 : *value;
      for (size_t k = 0; k < words; k++) sum = fmaf(a[r * left->stride + k * left->step], b[k * right->step], sum);
      *value = sum;
    }
}

const qk_packed_kernel qk_float_reference = {
  .name = "gemm_f32_reference", .depth_of_word = 1, .pack_rows = pack_rows, .pack_panel = pack_panel,
  .multiply = multiply,
};
