// Capacity of a packing mode: fields, ports, and the number of products that a chain may add.
#include "packing.h"

qk_status qk_packing_check(const qk_packing_mode *m) {
  if (m == NULL) return QK_NULL_POINTER;
  if (m->generation != QK_DSP48E1 && m->generation != QK_DSP48E2) return QK_BAD_SPEC;
  if (m->weights < 1 || m->weights > QK_MAX_WEIGHTS) return QK_BAD_SIZE;
  if (m->activations < 1 || m->activations > QK_MAX_PACKED_ACTIVATIONS) return QK_BAD_SIZE;
  if (m->atoms != 0 && (m->atoms != 1 || m->weights != 1)) return QK_BAD_SPEC;
  const int32_t lanes = qk_packing_lanes(m);
  if (lanes > QK_MAX_LANES) return QK_BAD_SIZE;
  // A lane needs a field of two bits at least, and the top one must begin inside P.
  if (m->pitch < 2 || m->pitch > QK_DSP_P_BITS || qk_lane_bits(m, lanes - 1) < 2) return QK_BAD_SIZE;
  switch (m->repair) {
    case QK_REPAIR_NONE: return QK_OK;
    case QK_REPAIR_RESTORED_BIT:
    case QK_REPAIR_CARRY_COUNTERS:
      // Both predict low bits of the products w·x of one activation.
      return m->activations == 1 && !m->atoms ? QK_OK : QK_BAD_SPEC;
  }
  return QK_BAD_SPEC;
}

int32_t qk_packing_products(const qk_packing_mode *m) { return m->weights * m->activations; }

typedef struct range64 { int64_t lowest, highest; } range64;

/// The codes of one part when whole weights have the codes `weight`.
static range64 part_range(const qk_packing_mode *m, int32_t part, qk_code_range weight) {
  if (!m->atoms) return (range64){ weight.lowest, weight.highest };
  if (part == 0) return (range64){ 0, 15 };
  return (range64){ weight.lowest >> 4, weight.highest >> 4 };
}

static int fits_signed(range64 r, int32_t bits) {
  const int64_t limit = (int64_t)1 << (bits - 1);
  return r.lowest >= -limit && r.highest < limit;
}

int qk_packing_fits(const qk_packing_mode *m, qk_code_range weight, qk_code_range activation) {
  range64 wide = { 0, 0 }, narrow = { 0, 0 };
  for (int32_t part = 0; part < qk_packing_parts(m); part++) {
    const range64 range = part_range(m, part, weight);
    wide.lowest += qk_shift_left(range.lowest, part * m->activations * m->pitch);
    wide.highest += qk_shift_left(range.highest, part * m->activations * m->pitch);
  }
  for (int32_t j = 0; j < m->activations; j++) {
    narrow.lowest += qk_shift_left(activation.lowest, j * m->pitch);
    narrow.highest += qk_shift_left(activation.highest, j * m->pitch);
  }
  return fits_signed(wide, qk_dsp_pre_adder_bits(m->generation)) && fits_signed(narrow, QK_DSP_B_BITS);
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/// Products of a bilinear form are between the extremes of its four corners.
static range64 product_range(range64 w, qk_code_range x) {
  const int64_t a = w.lowest * x.lowest, b = w.lowest * x.highest, c = w.highest * x.lowest, d = w.highest * x.highest;
  return (range64){ smaller(smaller(a, b), smaller(c, d)), larger(larger(a, b), larger(c, d)) };
}

static int64_t field_depth(range64 products, int32_t bits, int is_unsigned) {
  const int64_t top = is_unsigned ? ((int64_t)1 << bits) - 1 : ((int64_t)1 << (bits - 1)) - 1;
  const int64_t above = products.highest > 0 ? top / products.highest : INT64_MAX;
  if (products.lowest >= 0) return above;
  return is_unsigned ? 0 : smaller(above, (top + 1) / -products.lowest);
}

int64_t qk_packing_depth(const qk_packing_mode *m, qk_code_range weight, qk_code_range activation) {
  if (!qk_packing_fits(m, weight, activation)) return 0;
  const int activations_unsigned = activation.lowest >= 0;
  const int32_t lanes = qk_packing_lanes(m);
  int64_t depth = INT64_MAX;
  for (int32_t lane = 0; lane < lanes; lane++) {
    const int top = lane == lanes - 1;
    if (m->repair == QK_REPAIR_CARRY_COUNTERS && !top) continue;
    const int32_t bits = qk_lane_bits(m, lane) + (m->repair == QK_REPAIR_RESTORED_BIT && !top);
    const range64 products = product_range(part_range(m, lane / m->activations, weight), activation);
    depth = smaller(depth, field_depth(products, bits, qk_lane_is_unsigned(m, activations_unsigned, lane)));
  }
  return m->repair == QK_REPAIR_RESTORED_BIT ? smaller(depth, 1) : depth;
}

// The lowest part has port A to itself. It is at most 8 bits wide and sign-extended; the unsigned atom is positive.
void qk_packing_ports(const qk_packing_mode *m, const int32_t *weights, const int32_t *activations,
                      qk_dsp_ports *ports) {
  ports->a = qk_weight_part(m, weights, 0);
  ports->d = qk_weight_word(m, weights) - ports->a;
  ports->b = qk_activation_word(m, activations);
  ports->c = 0;
}
