#include "block_norm.h"

static qk_status exact_codes(const qk_layer_norm_arguments *norm, size_t rows, size_t width, const int16_t *input,
                             int8_t *codes) {
  qk_layer_norm_arguments a = *norm;
  a.rows = (int32_t)rows;
  a.width = (int32_t)width;
  a.input = input;
  a.input_stride = a.output_stride = width;
  a.output = codes;
  return qk_layer_norm(&a);
}

static qk_status compute(const qk_block_leaf *l, int which, float *statistics, int8_t *codes) {
  const qk_training_block *b = l->block;
  const qk_exact_block *e = b->exact;
  const qk_block_passes *passes = qk_block_row_passes(b);
  const size_t width = (size_t)b->width, at = l->row * width;
  const float *x = (which == 1 ? b->x : b->middle) + at;
  if (e) {
    passes->norm_statistics(l->rows, width, x, b->epsilon, statistics);
    return exact_codes(which == 1 ? &e->norm1 : &e->norm2, l->rows, width, (which == 1 ? e->input : e->middle) + at, codes);
  }
  const float step = which == 1 ? b->norm1_step : b->norm2_step, limit = qk_block_limit(b);
  passes->norm_to_codes(l->rows, width, x, which == 1 ? b->norm1_weight : b->norm2_weight,
                        which == 1 ? b->norm1_bias : b->norm2_bias, b->epsilon, 1.0f / step, -limit, limit, codes, statistics);
  return QK_OK;
}

qk_status qk_block_norm_codes(const qk_block_leaf *l, int which, float *statistics, int8_t *codes) {
  qk_status status;
  QK_PHASE("LayerNorm to codes", QK_RESOURCE_CACHE, qk_leaf_bytes(l, (size_t)l->block->width, 4 + 1),
           status = compute(l, which, statistics, codes));
  return status;
}
