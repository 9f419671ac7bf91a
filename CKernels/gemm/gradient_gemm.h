// What the driver of backward products asks of a micro-kernel.
#ifndef QK_GRADIENT_GEMM_H
#define QK_GRADIENT_GEMM_H

#include "ckernels/gradient.h"

enum {
  QK_GRADIENT_TILE_ROWS = 8,    ///< rows of a tile: 8 × 3 sums of 16 columns, 3 panels and a broadcast are 28 registers
  QK_GRADIENT_TILE_PANELS = 3
};

/// output[i][j] (+)= float(Σ left·right)·scale[i] for one tile.
typedef struct qk_gradient_tile {
  int32_t rows, panels;         ///< 1…8, 1…3
  int32_t pairs;                ///< of k, at most QK_GRADIENT_DEPTH / 2
  int32_t columns;              ///< that are written, 16·panels − 15 … 16·panels
  const int16_t *left;
  size_t row_step, pair_step;   ///< elements
  const int16_t *right;
  size_t panel_step;            ///< elements from a panel to the next
  const float *scale;
  float *output;
  size_t output_stride;
  int32_t accumulate;
} qk_gradient_tile;

typedef struct qk_gradient_kernel {
  const char *name;
  void (*multiply)(const qk_gradient_tile *tile);
} qk_gradient_kernel;

extern const qk_gradient_kernel qk_gradient_reference;

#endif
