#include "row_plan.h"
#include "../fixedpoint/fixed_point.h"

/// First index whose row is ≥ `row`; padding (−1, only at the end) counts as beyond every row.
static int32_t lower_bound(const int32_t *rows, int32_t count, int32_t row) {
  int32_t low = 0;
  while (count > 0) {
    const int32_t half = count / 2, probe = rows[low + half];
    if (probe >= 0 && probe < row) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

static qk_slot_range find_range(const int32_t *rows, int32_t slots, int32_t first, int32_t last) {
  qk_slot_range r;
  r.begin = lower_bound(rows, slots, first);
  r.end = lower_bound(rows, slots, last);
  r.first_panel = r.begin / QK_PANEL_ROWS;
  r.last_panel = r.begin == r.end ? r.first_panel : (r.end - 1) / QK_PANEL_ROWS + 1;
  return r;
}

void qk_find_slots(const qk_packed_weights *w, int32_t first, int32_t last,
                   qk_slot_range *range8, qk_slot_range *range4) {
  *range8 = find_range(w->slot_row, w->slots8, first, last);
  *range4 = find_range(w->slot_row + w->slots8, w->slots4, first, last);
}

void qk_make_row_plan(const qk_gemm_arguments *a, int32_t first, int32_t last,
                      const qk_slot_range *range8, const qk_slot_range *range4, qk_row_plan *plan) {
  const qk_packed_weights *w = a->weights;
  const int32_t panels8 = range8->last_panel - range8->first_panel;
  int32_t next8 = range8->begin;
  int32_t column8 = range8->begin - range8->first_panel * QK_PANEL_ROWS;
  int32_t column4 = panels8 * QK_PANEL_ROWS + range4->begin - range4->first_panel * QK_PANEL_ROWS;
  plan->first = first;
  plan->count = last - first;
  for (int32_t group = 0; group * QK_GEMM_GROUP < plan->count; group++) {
    uint8_t rank8 = 0, rank4 = 0;
    plan->column8[group] = column8;
    plan->column4[group] = column4;
    for (int32_t i = group * QK_GEMM_GROUP; i < (group + 1) * QK_GEMM_GROUP; i++) {
      const int32_t row = first + i;
      const int real = i < plan->count;
      const int is8 = real && next8 < range8->end && w->slot_row[next8] == row;
      plan->is8[i] = is8 ? -1 : 0;
      plan->rank[i] = !real ? 0 : is8 ? rank8 : rank4;
      plan->bias[i] = real ? a->bias[row] : 0;
      plan->factor[i] = real && a->form != QK_OUTPUT_ACCUMULATOR ? qk_requantiser_factor(a->requantisers[row]) : 0;
      if (is8) { next8++; rank8++; } else if (real) { rank4++; }
    }
    column8 += rank8;
    column4 += rank4;
  }
}
