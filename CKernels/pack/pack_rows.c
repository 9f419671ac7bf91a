// Packs rows of mixed precision into panels, and back.
#include <string.h>
#include "packed_layout.h"
#include "ckernels/arithmetic.h"

size_t qk_packed_slots(int32_t n8, int32_t n4) {
  return (size_t)qk_round_up(n8, QK_PANEL_ROWS) + (size_t)qk_round_up(n4, QK_PANEL_ROWS);
}

size_t qk_packed_bytes(int32_t n8, int32_t n4, int32_t depth) {
  const int32_t padded = qk_round_up(depth, 4);
  return (size_t)qk_round_up(n8, QK_PANEL_ROWS) / QK_PANEL_ROWS * qk_panel8_bytes(padded)
      + (size_t)qk_round_up(n4, QK_PANEL_ROWS) / QK_PANEL_ROWS * qk_panel4_bytes(padded);
}

static qk_status check_source(const int8_t *codes, const uint8_t *row_bits, int32_t rows, int32_t depth) {
  if (rows < 1 || depth < 1) return QK_BAD_SIZE;
  if (depth > QK_MAX_DEPTH) return QK_DEPTH_BEYOND_PROOF;
  for (int32_t n = 0; n < rows; n++) {
    if (row_bits[n] != 4 && row_bits[n] != 8) return QK_BAD_SIZE;
    if (row_bits[n] == 8) continue;
    for (int32_t k = 0; k < depth; k++) {
      const int8_t code = codes[(size_t)n * (size_t)depth + (size_t)k];
      if (code < -8 || code > 7) return QK_CODE_OUT_OF_RANGE;
    }
  }
  return QK_OK;
}

qk_status qk_pack_rows(const int8_t *codes, const uint8_t *row_bits, int32_t rows, int32_t depth,
                       uint8_t *panels, int32_t *slot_row, qk_packed_weights *out) {
  if (!codes || !row_bits || !panels || !slot_row || !out) return QK_NULL_POINTER;
  const qk_status status = check_source(codes, row_bits, rows, depth);
  if (status != QK_OK) return status;

  int32_t n8 = 0;
  for (int32_t n = 0; n < rows; n++) n8 += row_bits[n] == 8;
  const int32_t slots8 = qk_round_up(n8, QK_PANEL_ROWS), slots4 = qk_round_up(rows - n8, QK_PANEL_ROWS);
  const int32_t padded = qk_round_up(depth, 4);
  uint8_t *panels4 = panels + (size_t)slots8 * (size_t)padded;
  memset(panels, 0, qk_packed_bytes(n8, rows - n8, depth));
  for (int32_t s = 0; s < slots8 + slots4; s++) slot_row[s] = -1;

  int32_t next8 = 0, next4 = 0;
  for (int32_t n = 0; n < rows; n++) {
    const int8_t *row = codes + (size_t)n * (size_t)depth;
    if (row_bits[n] == 8) {
      for (int32_t k = 0; k < depth; k++) panels[qk_offset8(padded, next8, k)] = (uint8_t)row[k];
      slot_row[next8++] = n;
    } else {
      for (int32_t k = 0; k < depth; k++)
        panels4[qk_offset4(padded, next4, k)] |= (uint8_t)((row[k] & 15) << (k % 2 * 4));
      slot_row[slots8 + next4++] = n;
    }
  }
  *out = (qk_packed_weights){ .rows = rows, .depth = depth, .padded_depth = padded, .slots8 = slots8,
                              .slots4 = slots4, .panels = panels, .slot_row = slot_row };
  return QK_OK;
}

qk_status qk_packed_check(const qk_packed_weights *w) {
  if (!w || !w->panels || !w->slot_row) return QK_NULL_POINTER;
  if (w->rows < 1 || w->depth < 1) return QK_BAD_SIZE;
  if (w->depth > QK_MAX_DEPTH) return QK_DEPTH_BEYOND_PROOF;
  if (w->padded_depth != qk_round_up(w->depth, 4)) return QK_BAD_SIZE;
  if (w->slots8 < 0 || w->slots4 < 0 || w->slots8 % QK_PANEL_ROWS || w->slots4 % QK_PANEL_ROWS) return QK_BAD_SIZE;
  // Merging the two ascending lists must give 0…rows−1; what is left over must be padding.
  int32_t next8 = 0, next4 = 0;
  const int32_t *rows4 = w->slot_row + w->slots8;
  for (int32_t n = 0; n < w->rows; n++) {
    if (next8 < w->slots8 && w->slot_row[next8] == n) next8++;
    else if (next4 < w->slots4 && rows4[next4] == n) next4++;
    else return QK_BAD_SIZE;
  }
  for (; next8 < w->slots8; next8++) if (w->slot_row[next8] != -1) return QK_BAD_SIZE;
  for (; next4 < w->slots4; next4++) if (rows4[next4] != -1) return QK_BAD_SIZE;
  return QK_OK;
}

qk_status qk_unpack_rows(const qk_packed_weights *packed, int8_t *codes, uint8_t *row_bits) {
  if (!codes || !row_bits) return QK_NULL_POINTER;
  const qk_status status = qk_packed_check(packed);
  if (status != QK_OK) return status;
  for (int32_t s = 0; s < packed->slots8 + packed->slots4; s++) {
    const int32_t n = packed->slot_row[s];
    if (n < 0) continue;
    row_bits[n] = s < packed->slots8 ? 8 : 4;
    for (int32_t k = 0; k < packed->depth; k++)
      codes[(size_t)n * (size_t)packed->depth + (size_t)k] = (int8_t)qk_packed_code(packed, s, k);
  }
  return QK_OK;
}
