// Interface between the driver of the backward products and its micro-kernels.
#ifndef QK_GRADIENT_GEMM_H
#define QK_GRADIENT_GEMM_H

#include "ckernels/gradient.h"

enum {
  QK_GRADIENT_TILE_ROWS = 8,    ///< rows of a tile: 8 × 3 sums of 16 columns, 3 panels and a broadcast are 28 registers
  QK_GRADIENT_TILE_PANELS = 3
};

/// Arrays that are added to a tile: element (i, j) of each of `count` arrays is values[·][at + i·stride + j].
typedef struct qk_gradient_addends {
  int32_t count;
  const float *const *values;
  size_t stride, at;
} qk_gradient_addends;

/// output[i][j] = factor·(… + (addend 1 + (addend 0 + float(Σ left·right − offset·left_sums[i])·scale[i]))) for one
/// tile. The output may be one of the addends. Steps are in bytes.
typedef struct qk_gradient_tile {
  int32_t rows, panels;         ///< 1…8, 1…3
  int32_t groups;               ///< groups of k
  int32_t columns;              ///< columns that are written, 16·panels − 15 … 16·panels
  const uint8_t *left;
  size_t row_step, group_step;
  const int32_t *left_sums;     ///< for bytes
  int32_t offset;
  const uint8_t *right;
  size_t panel_step;            ///< from a panel to the next
  const float *scale;
  float *output;
  size_t output_stride;         ///< elements
  qk_gradient_addends addends;
  float factor;
  const uint8_t *fetch;         ///< requested in the L2 cache, one line after another, during the groups
  size_t fetch_step;            ///< bytes per group
} qk_gradient_tile;

typedef struct qk_gradient_kernel {
  const char *name;
  void (*multiply[QK_GRADIENT_FORMS])(const qk_gradient_tile *tile);
} qk_gradient_kernel;

extern const qk_gradient_kernel qk_gradient_reference;

/// The four bytes of a group of the left operand.
static inline int32_t qk_group_at(const uint8_t *place) {
  int32_t bits;
  __builtin_memcpy(&bits, place, sizeof bits);
  return bits;
}

#endif
