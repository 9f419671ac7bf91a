#include "block_leaf.h"

enum { LEAF_ROWS = 288 };

int32_t qk_training_leaf_images(int32_t tokens) {
  int32_t images = 1;
  while (tokens > 0 && 2 * images * tokens <= LEAF_ROWS) images *= 2;
  return images;
}

static int has_layer(const qk_training_linear *l) { return l->row_step && l->real_bias && l->codes; }

static int fits(const qk_training_linear *l, size_t rows, size_t depth) {
  return (size_t)l->rows == rows && (size_t)l->depth == depth;
}

qk_status qk_block_check(const qk_training_block *b) {
  if (!b || !b->x || !b->middle || !b->y || !b->qkv_codes || !b->qkv_rest || !b->attention_codes
      || !b->attention_rest || !b->hidden_codes || !b->hidden_rest || !b->probabilities || !b->hidden_table
      || !b->norm1_weight || !b->norm1_bias || !b->norm2_weight || !b->norm2_bias || !b->gain1 || !b->gain2)
    return QK_NULL_POINTER;
  if (!has_layer(&b->qkv) || !has_layer(&b->projection) || !has_layer(&b->expand) || !has_layer(&b->contract))
    return QK_NULL_POINTER;
  if (b->images < 1 || b->tokens < 1 || b->tokens > QK_TRAINING_MAX_TOKENS || b->width < 1 || b->heads < 1
      || b->head_dimension < 1 || b->head_dimension > QK_TRAINING_MAX_HEAD || b->hidden < 1)
    return QK_BAD_SIZE;
  if (b->width % 8 || b->hidden % 8 || b->head_dimension % 8) return QK_BAD_SIZE;
  if (b->gradient_form != QK_GRADIENT_WORDS && b->gradient_form != QK_GRADIENT_BYTES) return QK_BAD_SPEC;
  if (b->activation_bits != 4 && b->activation_bits != 6 && b->activation_bits != 8) return QK_BAD_SPEC;
  const size_t inner = qk_block_inner(b), width = (size_t)b->width, hidden = (size_t)b->hidden;
  if (!fits(&b->qkv, 3 * inner, width) || !fits(&b->projection, width, inner) || !fits(&b->expand, hidden, width)
      || !fits(&b->contract, width, hidden))
    return QK_BAD_SIZE;
  return QK_OK;
}
