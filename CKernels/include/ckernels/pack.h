// Packed weights: rows sorted by precision into panels of 16 rows, two 4-bit codes per byte.
#ifndef CKERNELS_PACK_H
#define CKERNELS_PACK_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/status.h"

/// Rows (output channels) of one panel.
#define QK_PANEL_ROWS 16

/// A weight matrix W[rows, depth] packed for the GEMM kernels.
///
/// Slots 0…slots8−1 hold the 8-bit rows in ascending row order, padded with zero rows to a multiple of 16. Slots
/// slots8…slots8+slots4−1 hold the 4-bit rows likewise. Where the 4-bit rows of a last, partly filled panel fit into
/// the padding of the 8-bit slots, the last 4-bit rows are stored there with 8 bits, which saves a panel to multiply.
/// Kd is the depth rounded up to a multiple of 8 with zero codes.
///
/// An 8-bit panel is [Kd/4][16 rows][4 codes] bytes, k ascending. A 4-bit panel is [Kd/8][16 rows][4] bytes: with
/// g = k/8 and j = k mod 4, the low nibble of byte (g, row, j) is the code of k = 8g + j, the high nibble that of
/// k = 8g + 4 + j, both two's complement. So each half of an unpacked panel is an 8-bit panel of 4 k. All 8-bit panels
/// come first.
typedef struct qk_packed_weights {
  int32_t rows;
  int32_t depth;
  int32_t padded_depth;       ///< Kd
  int32_t slots8;             ///< a multiple of 16
  int32_t slots4;             ///< a multiple of 16
  const uint8_t *panels;      ///< qk_packed_bytes(...) bytes, 64-byte aligned
  const int32_t *slot_row;    ///< [slots8 + slots4] row of each slot, −1 for padding
  const int32_t *slot_sum;    ///< [slots8 + slots4] Σ_k W of each slot, for kernels that shift activations by 128
} qk_packed_weights;

/// Slots (rows with padding) of n8 8-bit and n4 4-bit rows.
size_t qk_packed_slots(int32_t n8, int32_t n4);

/// Bytes of the panels of n8 8-bit and n4 4-bit rows of `depth` codes.
size_t qk_packed_bytes(int32_t n8, int32_t n4, int32_t depth);

/// Packs codes[rows][depth] into panels (qk_packed_bytes, 64-byte aligned), slot_row and slot_sum (qk_packed_slots
/// each).
///
/// row_bits[n] is 4 or 8 (else QK_BAD_SIZE). 4-bit codes must be in −8…7 (else QK_CODE_OUT_OF_RANGE). Fills *out with a
/// descriptor that points into the three buffers.
qk_status qk_pack_rows(const int8_t *codes, const uint8_t *row_bits, int32_t rows, int32_t depth,
                       uint8_t *panels, int32_t *slot_row, int32_t *slot_sum, qk_packed_weights *out);

/// Unpacks weights to codes[rows][depth], the inverse of qk_pack_rows.
qk_status qk_unpack_rows(const qk_packed_weights *packed, int8_t *codes);

#endif
