// Output rows against panel slots: which panels hold a range of rows, and how to merge them back.
#ifndef QK_ROW_PLAN_H
#define QK_ROW_PLAN_H

#include "integer_gemm.h"

/// Slots of one precision that hold a range of rows: rows [begin, end), panels [first, last).
typedef struct qk_slot_range {
  int32_t begin, end;
  int32_t first_panel, last_panel;
} qk_slot_range;

/// The ranges of rows first…last−1 among the 8-bit slots (from 0) and the 4-bit slots (from slots8).
void qk_find_slots(const qk_packed_weights *weights, int32_t first, int32_t last,
                   qk_slot_range *range8, qk_slot_range *range4);

/// Plans rows first…last−1; accumulators hold the panels of range8 first, then those of range4.
void qk_make_row_plan(const qk_gemm_arguments *arguments, int32_t first, int32_t last,
                      const qk_slot_range *range8, const qk_slot_range *range4, qk_row_plan *plan);

#endif
