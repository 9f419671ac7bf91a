// Mixed rows in row order: a walk that finds them in the slots of both precisions.
#ifndef QK_ORDERED_ROWS_H
#define QK_ORDERED_ROWS_H

#include "integer_gemm.h"
#include "../pack/packed_layout.h"

/// The next row, a multiple of 16, and the slots of the next 8-bit and 4-bit row, each counted from the first of its
/// precision.
typedef struct qk_row_walk {
  int32_t row, slot8, slot4;
} qk_row_walk;

/// The next 16 rows; those beyond the last one count as 4-bit rows.
static inline qk_gemm_rows qk_next_rows(const qk_packed_weights *w, const uint64_t *is8, qk_row_walk *walk) {
  const qk_gemm_rows rows = {
    .from8 = w->panels, .from4 = qk_panels4(w), .panels8 = w->slots8 / QK_PANEL_ROWS, .panels4 = w->slots4 / QK_PANEL_ROWS,
    .slot8 = walk->slot8, .slot4 = walk->slot4, .is8 = (uint16_t)(is8[walk->row / 64] >> walk->row % 64),
  };
  const int32_t count8 = __builtin_popcount(rows.is8);
  *walk = (qk_row_walk){ walk->row + QK_PANEL_ROWS, walk->slot8 + count8, walk->slot4 + QK_PANEL_ROWS - count8 };
  return rows;
}

#endif
