// Packs rows of mixed precision into panels, and unpacks them.
#include <string.h>
#include "../elementwise/float_common.h"
#include "packed_layout.h"
#include "ckernels/arithmetic.h"

/// Number of 4-bit rows that are stored with 8 bits.
static int32_t widened_rows(int32_t n8, int32_t n4) {
  const int32_t rest = n4 % QK_PANEL_ROWS, padding = qk_round_up(n8, QK_PANEL_ROWS) - n8;
  return rest <= padding ? rest : 0;
}

size_t qk_packed_slots(int32_t n8, int32_t n4) {
  return (size_t)qk_round_up(n8, QK_PANEL_ROWS) + (size_t)qk_round_up(n4 - widened_rows(n8, n4), QK_PANEL_ROWS);
}

size_t qk_packed_bytes(int32_t n8, int32_t n4, int32_t depth) {
  n4 -= widened_rows(n8, n4);
  const int32_t padded = qk_padded_depth(depth);
  return (size_t)qk_round_up(n8, QK_PANEL_ROWS) / QK_PANEL_ROWS * qk_panel8_bytes(padded)
      + (size_t)qk_round_up(n4, QK_PANEL_ROWS) / QK_PANEL_ROWS * qk_panel4_bytes(padded);
}

/// 1 when all codes are in −8…7.
QK_CLONES static int has_four_bits(const int8_t *row, int32_t depth) {
  uint8_t outside = 0;
  for (int32_t k = 0; k < depth; k++) outside |= (uint8_t)(row[k] + 8) & 0xf0;
  return outside == 0;
}

QK_CLONES static int32_t sum_of(const int8_t *row, int32_t depth) {
  int32_t sum = 0;
  for (int32_t k = 0; k < depth; k++) sum += row[k];
  return sum;
}

static qk_status check_source(const int8_t *codes, const uint8_t *row_bits, int32_t rows, int32_t depth) {
  if (rows < 1 || depth < 1) return QK_BAD_SIZE;
  if (depth > QK_MAX_DEPTH) return QK_DEPTH_BEYOND_PROOF;
  for (int32_t n = 0; n < rows; n++) {
    if (row_bits[n] != 4 && row_bits[n] != 8) return QK_BAD_SIZE;
    if (row_bits[n] == 4 && !has_four_bits(codes + (size_t)n * (size_t)depth, depth)) return QK_CODE_OUT_OF_RANGE;
  }
  return QK_OK;
}

/// Writes one row into its slot of zeroed panels, eight codes at a time.
static void pack_row(const int8_t *row, int32_t bits, int32_t depth, int32_t padded, int32_t slot, uint8_t *panels) {
  int32_t k = 0;
  for (; k + 8 <= depth; k += 8) {
    if (bits == 8) {
      memcpy(panels + qk_offset8(padded, slot, k), row + k, 4);
      memcpy(panels + qk_offset8(padded, slot, k + 4), row + k + 4, 4);
    } else {
      uint32_t low, high;
      memcpy(&low, row + k, 4);
      memcpy(&high, row + k + 4, 4);
      const uint32_t pairs = (low & 0x0f0f0f0f) | (high & 0x0f0f0f0f) << 4;
      memcpy(panels + qk_offset4(padded, slot, k), &pairs, 4);
    }
  }
  for (; k < depth; k++) {
    if (bits == 8) panels[qk_offset8(padded, slot, k)] = (uint8_t)row[k];
    else panels[qk_offset4(padded, slot, k)] |= (uint8_t)((row[k] & 15) << 4 * qk_high_nibble(k));
  }
}

qk_status qk_pack_rows(const int8_t *codes, const uint8_t *row_bits, int32_t rows, int32_t depth,
                       uint8_t *panels, int32_t *slot_row, int32_t *slot_sum, qk_packed_weights *out) {
  if (!codes || !row_bits || !panels || !slot_row || !slot_sum || !out) return QK_NULL_POINTER;
  const qk_status status = check_source(codes, row_bits, rows, depth);
  if (status != QK_OK) return status;

  int32_t n8 = 0;
  for (int32_t n = 0; n < rows; n++) n8 += row_bits[n] == 8;
  const int32_t rows4 = rows - n8 - widened_rows(n8, rows - n8);
  const int32_t slots8 = qk_round_up(n8, QK_PANEL_ROWS), slots4 = qk_round_up(rows4, QK_PANEL_ROWS);
  const int32_t padded = qk_padded_depth(depth);
  uint8_t *panels4 = panels + (size_t)slots8 * (size_t)padded;
  memset(panels, 0, qk_packed_bytes(n8, rows - n8, depth));
  for (int32_t s = 0; s < slots8 + slots4; s++) {
    slot_row[s] = -1;
    slot_sum[s] = 0;
  }

  int32_t next8 = 0, next4 = 0;
  for (int32_t n = 0; n < rows; n++) {
    const int is8 = row_bits[n] == 8 || next4 == rows4;
    const int32_t place = is8 ? next8++ : next4++, slot = is8 ? place : slots8 + place;
    const int8_t *row = codes + (size_t)n * (size_t)depth;
    slot_row[slot] = n;
    slot_sum[slot] = sum_of(row, depth);
    pack_row(row, is8 ? 8 : 4, depth, padded, place, is8 ? panels : panels4);
  }
  *out = (qk_packed_weights){ .rows = rows, .depth = depth, .padded_depth = padded, .slots8 = slots8,
                              .slots4 = slots4, .panels = panels, .slot_row = slot_row, .slot_sum = slot_sum };
  return QK_OK;
}

qk_status qk_packed_check(const qk_packed_weights *w) {
  if (!w || !w->panels || !w->slot_row || !w->slot_sum) return QK_NULL_POINTER;
  if (w->rows < 1 || w->depth < 1) return QK_BAD_SIZE;
  if (w->depth > QK_MAX_DEPTH) return QK_DEPTH_BEYOND_PROOF;
  if (w->padded_depth != qk_padded_depth(w->depth)) return QK_BAD_SIZE;
  if (w->slots8 < 0 || w->slots4 < 0 || w->slots8 % QK_PANEL_ROWS || w->slots4 % QK_PANEL_ROWS) return QK_BAD_SIZE;
  // Merging the two ascending lists must give 0…rows−1; the rest must be padding.
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

qk_status qk_unpack_rows(const qk_packed_weights *packed, int8_t *codes) {
  if (!codes) return QK_NULL_POINTER;
  const qk_status status = qk_packed_check(packed);
  if (status != QK_OK) return status;
  for (int32_t s = 0; s < packed->slots8 + packed->slots4; s++) {
    const int32_t n = packed->slot_row[s];
    if (n < 0) continue;
    for (int32_t k = 0; k < packed->depth; k++)
      codes[(size_t)n * (size_t)packed->depth + (size_t)k] = (int8_t)qk_packed_code(packed, s, k);
  }
  return QK_OK;
}
