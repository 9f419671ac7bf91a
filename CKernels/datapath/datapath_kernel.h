// Interface between the product driver and a vector kernel: eight slices along the rows, some groups of tokens.
#ifndef QK_DATAPATH_KERNEL_H
#define QK_DATAPATH_KERNEL_H

#include "packing.h"

enum {
  QK_TILE_SLICES = 8,         ///< slices side by side along the rows: one vector of 64-bit words
  QK_TILE_GROUPS = 16         ///< token groups of one task
};

/// A product cut into slices, chains and lanes, with the constants of its decoder.
typedef struct qk_datapath_tile {
  int32_t depth, input_lanes, chain;
  int32_t lanes, activations, products;
  int32_t atoms, restored;
  int32_t pitch;
  qk_decode decode;
  int32_t activations_unsigned;
  int32_t accumulator_bits, accumulator_saturates;
} qk_datapath_tile;

/// out[group][product][slice] = the fabric accumulators of `groups` groups of tokens.
///
/// weight_words is [depth][QK_TILE_SLICES], activation_words [groups][depth].
typedef struct qk_datapath_kernel {
  const char *name;
  void (*run)(const qk_datapath_tile *tile, const int32_t *weight_words, const int32_t *activation_words,
              int32_t groups, int64_t *out);
} qk_datapath_kernel;

/// Value of a fabric accumulator of `bits` bits after an addition gave `sum`.
static inline int64_t qk_limit_accumulator(int64_t sum, int32_t bits, int saturates) {
  const int64_t top = ((int64_t)1 << (bits - 1)) - 1;
  if (!saturates) return qk_wrap(sum, bits);
  return sum > top ? top : sum < -top - 1 ? -top - 1 : sum;
}

/// QK_OK when sizes, pointers and element of a product are usable.
qk_status qk_datapath_check(const qk_datapath_product *product);

/// Places where the tokens of a product are multiplied.
typedef enum qk_token_place { QK_IN_DSP = 0, QK_IN_FABRIC, QK_TOKEN_PLACES } qk_token_place;

/// The part of a product that runs in one place: how its words are packed, and which tokens, in order.
typedef struct qk_datapath_part {
  qk_packing_mode mode;
  int32_t count;            ///< tokens, a multiple of mode.activations
  const int32_t *tokens;    ///< row of activations and output; −1 fills up a group
} qk_datapath_part;

/// Lists the tokens of a place at the start of the workspace.
qk_datapath_part qk_datapath_tokens(const qk_datapath_product *product, qk_token_place place);
/// The rest of the workspace, 64-byte aligned.
int32_t *qk_datapath_words(const qk_datapath_product *product);

static inline int32_t qk_product_code(const qk_datapath_product *p, ptrdiff_t token, ptrdiff_t k) {
  if (token < 0) return 0;
  const uint8_t byte =
      ((const uint8_t *)p->activations)[token * p->activation_row_stride + k * p->activation_depth_stride];
  return p->activations_unsigned ? byte : (int8_t)byte;
}
static inline ptrdiff_t qk_product_row(const qk_datapath_product *p, int32_t n) {
  return n >= p->rows ? -1 : p->row_index ? p->row_index[n] : n;
}
static inline int32_t qk_product_weight(const qk_datapath_product *p, ptrdiff_t row, ptrdiff_t k) {
  return row < 0 ? 0 : p->weights[row * p->weight_row_stride + k * p->weight_depth_stride];
}

#endif
