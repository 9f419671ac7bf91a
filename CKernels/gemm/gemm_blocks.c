#include "gemm_blocks.h"
#include "../pack/packed_layout.h"
#include "validate.h"

enum {
  ACTIVATION_BYTES = 384 * 1024,  ///< prepared activations of a block, which stay in the L2 cache
  STAGED_BYTES = 384 * 1024,      ///< codes of a block in slot order
  /// A task of T tokens and P panels costs about P·(T + 6): loading a panel takes as long as 6 tokens of products.
  PANEL_COST = 6,
  STAGED_ROWS = 64                ///< ranges of staged rows start at a word of the precision bits
};

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t maximum(int32_t a, int32_t b) { return a > b ? a : b; }
static int32_t divide_up(int32_t a, int32_t b) { return (a - 1) / b + 1; }

/// Largest block of tokens whose activations and staged codes stay within their limits.
static int32_t most_tokens(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a, int32_t staged) {
  const qk_packed_weights *w = a->weights;
  const int32_t bytes = (w->slots8 > 0 ? kernel->w8.activation_bytes : 0)
      + (w->slots4 > 0 && (!qk_is_mixed(w) || kernel->w4.load_activations != kernel->w8.load_activations)
             ? kernel->w4.activation_bytes : 0);
  int32_t tokens = ACTIVATION_BYTES / (w->padded_depth * bytes);
  if (staged) {
    const int64_t codes = (int64_t)(w->slots8 + w->slots4) * (int64_t)(qk_output_bytes(a->form) * qk_output_planes(a->form));
    tokens = minimum(tokens, (int32_t)(STAGED_BYTES / codes));
  }
  return maximum(tokens / QK_GEMM_TOKEN_STEP * QK_GEMM_TOKEN_STEP, QK_GEMM_TOKEN_STEP);
}

static int32_t tile_tokens(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a) {
  return (a->weights->slots8 > 0 ? &kernel->w8 : &kernel->w4)->tile_tokens;
}

static qk_gemm_blocks cut(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a, int32_t blocks, int32_t ranges,
                          int32_t row_step) {
  qk_gemm_blocks c;
  const int32_t tile = tile_tokens(kernel, a);
  c.block_tokens = minimum(qk_round_up(divide_up(a->tokens, blocks), tile), a->tokens);
  c.blocks = divide_up(a->tokens, c.block_tokens);
  c.block_rows = qk_round_up(divide_up(a->weights->rows, ranges), row_step);
  c.ranges = divide_up(a->weights->rows, c.block_rows);
  return c;
}

static int64_t cost(int32_t tile, const qk_gemm_blocks *c, int32_t extra_panels, int32_t threads) {
  const int64_t panels = divide_up(c->block_rows, QK_PANEL_ROWS) + (c->ranges > 1 ? extra_panels : 0);
  const int64_t task = panels * (qk_round_up(c->block_tokens, tile) + PANEL_COST);
  return task * divide_up(c->blocks * c->ranges, threads);
}

qk_gemm_blocks qk_choose_gemm_blocks(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a, int32_t staged,
                                     int32_t threads) {
  const int32_t row_step = staged ? STAGED_ROWS : QK_PANEL_ROWS;
  // A range of staged rows also multiplies up to one panel of each precision that it shares with its neighbour.
  const int32_t extra_panels = staged ? 2 : 0;
  const int32_t least = divide_up(a->tokens, most_tokens(kernel, a, staged));
  qk_gemm_blocks best = cut(kernel, a, least, 1, row_step);
  if (threads == 1) return best;
  const int32_t tile = tile_tokens(kernel, a);
  int64_t best_cost = cost(tile, &best, extra_panels, threads);
  for (int32_t blocks = least; blocks <= least + 2 * threads; blocks++)
    for (int32_t ranges = 1; ranges == 1 || blocks * ranges <= 4 * threads; ranges++) {
      const qk_gemm_blocks candidate = cut(kernel, a, blocks, ranges, row_step);
      const int64_t candidate_cost = cost(tile, &candidate, extra_panels, threads);
      if (candidate_cost < best_cost) {
        best = candidate;
        best_cost = candidate_cost;
      }
    }
  return best;
}

/// First index whose row is ≥ `row`; padding counts as beyond every row.
static int32_t lower_bound(const int32_t *rows, int32_t count, int32_t row) {
  int32_t low = 0;
  while (count > 0) {
    const int32_t half = count / 2, probe = rows[low + half];
    if (probe >= 0 && probe < row) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

qk_slot_range qk_find_slots(const int32_t *slot_row, int32_t slots, int32_t first, int32_t last) {
  qk_slot_range r;
  r.begin = lower_bound(slot_row, slots, first);
  r.end = lower_bound(slot_row, slots, last);
  r.first_panel = r.begin / QK_PANEL_ROWS;
  r.last_panel = r.begin == r.end ? r.first_panel : (r.end - 1) / QK_PANEL_ROWS + 1;
  return r;
}
