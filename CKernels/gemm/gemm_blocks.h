// The cut of a product into tasks: blocks of tokens times ranges of rows.
#ifndef QK_GEMM_BLOCKS_H
#define QK_GEMM_BLOCKS_H

#include "integer_gemm.h"

typedef struct qk_gemm_blocks {
  int32_t block_tokens, blocks;
  int32_t block_rows, ranges;
} qk_gemm_blocks;

/// Slots of one precision that hold a range of rows: rows [begin, end), panels [first_panel, last_panel).
typedef struct qk_slot_range {
  int32_t begin, end;
  int32_t first_panel, last_panel;
} qk_slot_range;

/// The cut with the least estimated time on `threads` threads; `staged` says that rows are multiplied in slot order.
qk_gemm_blocks qk_choose_gemm_blocks(const qk_gemm_kernel *kernel, const qk_gemm_arguments *arguments, int32_t staged,
                                     int32_t threads);

/// The slots of rows first…last−1 in an ascending list of rows that ends in padding (−1).
qk_slot_range qk_find_slots(const int32_t *slot_row, int32_t slots, int32_t first, int32_t last);

#endif
