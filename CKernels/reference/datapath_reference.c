// The definition of qk_datapath_run: slice by slice, chain by chain, through the scalar model of the DSP.
#include "../datapath/datapath_kernel.h"

/// Sums the drains of steps first…last−1 of all slices, for one group of rows and one group of tokens.
static void run_chain(const qk_datapath_product *p, const qk_datapath_part *part, int32_t row, int32_t token,
                      int32_t first, int32_t last, int64_t *sums) {
  const qk_datapath_element *e = &p->element;
  const qk_packing_mode *m = &part->mode;
  int32_t *weights = qk_datapath_words(p), *activations = weights + (ptrdiff_t)p->depth * QK_MAX_WEIGHTS;
  for (int32_t i = 0; i < qk_packing_products(m); i++) sums[i] = 0;
  for (int32_t slice = 0; slice < e->input_lanes; slice++) {
    int32_t count = 0;
    for (int32_t step = first; step < last; step++) {
      const int64_t k = slice + (int64_t)e->input_lanes * step;
      if (k >= p->depth) break;
      for (int32_t i = 0; i < m->weights; i++)
        weights[count * m->weights + i] = qk_product_weight(p, qk_product_row(p, row + i), (ptrdiff_t)k);
      for (int32_t i = 0; i < m->activations; i++)
        activations[count * m->activations + i] = qk_product_code(p, part->tokens[token + i], (ptrdiff_t)k);
      count++;
    }
    if (count == 0) break;
    int64_t products[QK_MAX_LANES];
    qk_packing_chain(m, e->decode, p->activations_unsigned, count, weights, activations, NULL, products);
    for (int32_t i = 0; i < qk_packing_products(m); i++) sums[i] += products[i];
  }
}

static void run_group(const qk_datapath_product *p, const qk_datapath_part *part, int32_t row, int32_t token) {
  const qk_datapath_element *e = &p->element;
  const qk_packing_mode *m = &part->mode;
  const int32_t steps = (p->depth - 1) / e->input_lanes + 1;
  int64_t acc[QK_MAX_LANES] = {0}, sums[QK_MAX_LANES];
  for (int32_t first = 0; first < steps; first += e->chain) {
    const int32_t last = steps - first < e->chain ? steps : first + e->chain;
    run_chain(p, part, row, token, first, last, sums);
    for (int32_t i = 0; i < qk_packing_products(m); i++)
      acc[i] = qk_limit_accumulator(acc[i] + sums[i], e->accumulator_bits, e->accumulator_saturates);
  }
  for (int32_t i = 0; i < qk_packing_products(m); i++) {
    const ptrdiff_t n = qk_product_row(p, row + i / m->activations);
    const ptrdiff_t t = part->tokens[token + i % m->activations];
    if (n >= 0 && t >= 0) p->output[t * p->output_stride + n] = (int32_t)acc[i];
  }
}

qk_status qk_datapath_run_reference(const qk_datapath_product *p) {
  const qk_status status = qk_datapath_check(p);
  if (status != QK_OK) return status;
  for (int place = 0; place < QK_TOKEN_PLACES; place++) {
    const qk_datapath_part part = qk_datapath_tokens(p, (qk_token_place)place);
    for (int32_t row = 0; row < p->rows; row += part.mode.weights)
      for (int32_t token = 0; token < part.count; token += part.mode.activations) run_group(p, &part, row, token);
  }
  return QK_OK;
}
