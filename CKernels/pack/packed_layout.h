// Places of packed codes: the layout of qk_packed_weights as arithmetic.
#ifndef QK_PACKED_LAYOUT_H
#define QK_PACKED_LAYOUT_H

#include "ckernels/pack.h"

static inline int32_t qk_round_up(int32_t n, int32_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Bytes of one 16-row panel: 16·Kd codes of 8 bits, half of that for 4 bits.
static inline size_t qk_panel8_bytes(int32_t padded_depth) { return (size_t)padded_depth * QK_PANEL_ROWS; }
static inline size_t qk_panel4_bytes(int32_t padded_depth) { return (size_t)padded_depth * QK_PANEL_ROWS / 2; }

/// The stored depth.
static inline int32_t qk_padded_depth(int32_t depth) { return qk_round_up(depth, 8); }

/// Byte offset of code (slot, k), slot < slots8.
static inline size_t qk_offset8(int32_t padded_depth, int32_t slot, int32_t k) {
  return (size_t)(slot / QK_PANEL_ROWS) * qk_panel8_bytes(padded_depth)
      + ((size_t)(k / 4) * QK_PANEL_ROWS + (size_t)(slot % QK_PANEL_ROWS)) * 4 + (size_t)(k % 4);
}

/// Byte offset of the pair of codes k and k ^ 4, counted from the first 4-bit panel; slot counts from slots8.
static inline size_t qk_offset4(int32_t padded_depth, int32_t slot, int32_t k) {
  return (size_t)(slot / QK_PANEL_ROWS) * qk_panel4_bytes(padded_depth)
      + ((size_t)(k / 8) * QK_PANEL_ROWS + (size_t)(slot % QK_PANEL_ROWS)) * 4 + (size_t)(k % 4);
}

/// 1 when k is in the high nibble of its byte.
static inline int32_t qk_high_nibble(int32_t k) { return k >> 2 & 1; }

/// 1 when there are slots of both precisions.
static inline int qk_is_mixed(const qk_packed_weights *w) { return w->slots8 > 0 && w->slots4 > 0; }

/// The first 4-bit panel.
static inline const uint8_t *qk_panels4(const qk_packed_weights *w) {
  return w->panels + (size_t)w->slots8 * (size_t)w->padded_depth;
}

/// The code W[slot_row[slot], k].
static inline int32_t qk_packed_code(const qk_packed_weights *w, int32_t slot, int32_t k) {
  if (slot < w->slots8) return (int8_t)w->panels[qk_offset8(w->padded_depth, slot, k)];
  const uint8_t pair = qk_panels4(w)[qk_offset4(w->padded_depth, slot - w->slots8, k)];
  const int32_t nibble = qk_high_nibble(k) ? pair >> 4 : pair & 15;
  return (nibble ^ 8) - 8;
}

/// QK_OK when sizes fit each other and every row has exactly one slot, ascending in each precision.
qk_status qk_packed_check(const qk_packed_weights *packed);

#endif
