// Calls the functions of the GEMM descriptors one by one. Their operands end at unreadable pages, so a read or write
// beyond what a descriptor promises is seen.
#include <stdlib.h>
#include <string.h>
#include "exactness.h"
#include "../../CKernels/dispatch/kernels.h"
#include "../../CKernels/gemm/ordered_rows.h"
#include "../../CKernels/pack/packed_layout.h"

enum { MOST_DEPTH = 56, PANELS = QK_GROUP_PANELS, ROWS = PANELS * QK_PANEL_ROWS, TOKENS = QK_GEMM_TOKEN_STEP };

static arena code_arena, x_arena, packed_arena, panel_arena, sums_arena;

typedef struct operands {
  int32_t bits, depth, padded, is_unsigned;
  int8_t w[ROWS * MOST_DEPTH];
  uint8_t x[TOKENS * MOST_DEPTH];
  int32_t slot_row[ROWS], slot_sum[ROWS];
  qk_packed_weights weights;
} operands;

static void fill(operands *o, random_numbers *r) {
  uint8_t bits[ROWS];
  memset(bits, o->bits, sizeof bits);
  const int32_t lo = o->bits == 8 ? -128 : -8;
  for (int32_t i = 0; i < ROWS * o->depth; i++) o->w[i] = (int8_t)next_corner(r, lo, -lo - 1);
  for (int32_t i = 0; i < TOKENS * o->depth; i++) o->x[i] = (uint8_t)next_corner(r, 0, 255);
  const int32_t rows8 = o->bits == 8 ? ROWS : 0;
  uint8_t *panels = place(&packed_arena, qk_packed_bytes(rows8, ROWS - rows8, o->depth), 64, 1);
  if (qk_pack_rows(o->w, bits, ROWS, o->depth, panels, o->slot_row, o->slot_sum, &o->weights) != QK_OK) abort();
  o->padded = o->weights.padded_depth;
}

/// Activations as the kernel prepares them, in rows of whole cache lines; the last row ends at its depth.
static uint8_t *prepare_activations(const qk_gemm_precision *p, const operands *o, int32_t tokens, size_t stride) {
  const size_t row = (size_t)o->padded * (size_t)p->activation_bytes;
  uint8_t *x = place(&x_arena, (size_t)(tokens - 1) * stride + row, 16, 1);
  for (int32_t t = 0; t < tokens; t++) {
    uint8_t *codes = place(&code_arena, (size_t)o->depth, 1, 1);
    memcpy(codes, o->x + t * o->depth, (size_t)o->depth);
    p->load_activations(codes, o->is_unsigned, o->depth, o->padded, x + (size_t)t * stride);
  }
  return x;
}

/// Σ_k of the activations as prepared, times 2^sum_shift, or 2^few_shift from `multiply_few`.
static int32_t expected_sum(const qk_gemm_precision *p, const operands *o, int32_t t, int32_t n, int few) {
  const int shifted = p->shifted && (QK_ACTIVATION_SHIFT > 0) != (o->is_unsigned != 0);
  int32_t sum = 0;
  for (int32_t k = 0; k < o->depth; k++) {
    const uint8_t byte = o->x[t * o->depth + k];
    const int32_t code = (o->is_unsigned ? byte : (int8_t)byte) + (shifted ? QK_ACTIVATION_SHIFT : 0);
    sum += code * o->w[n * o->depth + k];
  }
  return sum * (1 << (few ? p->few_shift : p->sum_shift));
}

static void multiply(qk_isa isa, const qk_gemm_precision *p, const operands *o, int32_t tokens, int32_t panels, int few) {
  const size_t stride = (size_t)(qk_round_up(o->padded * p->activation_bytes, 64) + (tokens % 2 ? 64 : 0));
  const uint8_t *x = prepare_activations(p, o, tokens, stride);
  const size_t packed = o->bits == 8 ? qk_panel8_bytes(o->padded) : qk_panel4_bytes(o->padded);
  const size_t skipped = (size_t)(PANELS - panels);  // the last panel ends at the unreadable page
  const uint8_t *panel = o->weights.panels + skipped * packed;
  size_t panel_stride = packed;
  if (p->panel_bytes > 0 && !few) {
    panel_stride = (size_t)p->panel_bytes * (size_t)o->padded;
    uint8_t *made = place(&panel_arena, panel_stride * (size_t)panels, 64, 1);
    for (int32_t i = 0; i < panels; i++)
      p->load_panel(panel + (size_t)i * packed, o->padded, made + (size_t)i * panel_stride);
    panel = made;
  }
  int32_t *sums = place(&sums_arena, (size_t)tokens * QK_GROUP_COLUMNS * sizeof(int32_t), 64, 1);
  (few ? p->multiply_few : p->multiply)(x, stride, tokens, panel, panel_stride, panels, o->padded, sums);
  for (int32_t t = 0; t < tokens; t++)
    for (int32_t c = 0; c < panels * QK_PANEL_ROWS; c++) {
      const int32_t n = (int32_t)skipped * QK_PANEL_ROWS + c, sum = expected_sum(p, o, t, n, few);
      count_case(isa, sums[t * QK_GROUP_COLUMNS + c] != sum, "sum of token %d of %d, column %d of %d panels, depth %d, "
                 "%d bits, few %d: %d for %d", t, tokens, c, panels, o->depth, o->bits, few,
                 sums[t * QK_GROUP_COLUMNS + c], sum);
    }
}

static void check_precision(qk_isa isa, const qk_gemm_kernel *kernel, operands *o, random_numbers *r) {
  const qk_gemm_precision *p = o->bits == 8 ? &kernel->w8 : &kernel->w4;
  for (o->depth = 1; o->depth <= MOST_DEPTH; o->depth += o->depth < 16 ? 5 : 8)
    for (o->is_unsigned = 0; o->is_unsigned < 2; o->is_unsigned++) {
      fill(o, r);
      for (int32_t panels = 1; panels <= kernel->group_panels; panels++) {
        for (int32_t tokens = 1; tokens <= TOKENS; tokens++) multiply(isa, p, o, tokens, panels, 0);
        for (int32_t tokens = 1; tokens <= p->few_tokens; tokens++) multiply(isa, p, o, tokens, panels, 1);
      }
    }
}

/// Rows of random precisions, sixteen at a time, in row order: compares every lane of every panel with the codes.
static void check_mixed_rows(qk_isa isa, const qk_gemm_kernel *kernel, operands *o, random_numbers *r) {
  if (kernel->load_rows == NULL) return;
  for (int round = 0; round < 200; round++) {
    const int32_t share = (int32_t)next_in(r, 1, 15), rows = (int32_t)next_in(r, 2, ROWS);
    uint8_t bits[ROWS];
    uint64_t is8[2] = { 0 };
    o->depth = (int32_t)next_in(r, 1, MOST_DEPTH);
    int32_t rows8 = 0;
    for (int32_t n = 0; n < rows; n++) {
      bits[n] = next_in(r, 0, 15) < share ? 8 : 4;
      rows8 += bits[n] == 8;
      const int32_t lo = bits[n] == 8 ? -128 : -8;
      for (int32_t k = 0; k < o->depth; k++) o->w[n * o->depth + k] = (int8_t)next_corner(r, lo, -lo - 1);
    }
    uint8_t *packed = place(&packed_arena, qk_packed_bytes(rows8, rows - rows8, o->depth), 64, 1);
    if (qk_pack_rows(o->w, bits, rows, o->depth, packed, o->slot_row, o->slot_sum, &o->weights) != QK_OK) abort();
    const qk_packed_weights *w = &o->weights;
    if (w->slots8 == 0 || w->slots4 == 0) continue;
    for (int32_t s = 0; s < w->slots8; s++)
      if (w->slot_row[s] >= 0) is8[w->slot_row[s] / 64] |= (uint64_t)1 << w->slot_row[s] % 64;
    qk_row_walk walk = { 0 };
    while (walk.row < rows) {
      const int32_t first = walk.row, depth = w->padded_depth;
      uint8_t *panel = place(&panel_arena, qk_panel8_bytes(depth), 64, 1);
      const qk_gemm_rows source = qk_next_rows(w, is8, &walk);
      kernel->load_rows(&source, depth, panel);
      for (int32_t n = first; n < rows && n < walk.row; n++)
        for (int32_t k = 0; k < depth; k++) {
          const int32_t code = (int8_t)panel[qk_offset8(depth, n - first, k)];
          const int32_t expected = k < o->depth ? o->w[n * o->depth + k] : 0;
          count_case(isa, code != expected, "row %d of %d in order, k %d of %d: %d for %d", n, rows, k, o->depth, code, expected);
        }
    }
  }
}

void check_micro_kernels(void) {
  operands *o = malloc(sizeof *o);
  random_numbers r = { 5 };
  qk_isa sets[QK_ISA_COUNT];
  const int count = instruction_sets(sets);
  for (int i = 0; i < count; i++) {
    const qk_gemm_kernel *kernel = qk_kernels(sets[i]).gemm;
    if (kernel == NULL) continue;
    for (o->bits = 4; o->bits <= 8; o->bits += 4) check_precision(sets[i], kernel, o, &r);
    check_mixed_rows(sets[i], kernel, o, &r);
  }
  free(o);
}
