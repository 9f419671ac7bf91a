// Leaves of a training block, and what the forward and backward passes share.
#ifndef QK_BLOCK_LEAF_H
#define QK_BLOCK_LEAF_H

#include <math.h>
#include "attention.h"
#include "ckernels/profile.h"
#include "passes.h"

/// Largest code in front of GELU, where codes always have 8 bits.
#define QK_HIDDEN_LIMIT 127

typedef struct qk_block_leaf {
  const qk_training_block *block;
  int32_t index, image, images;
  size_t row, rows;
} qk_block_leaf;

static inline size_t qk_block_inner(const qk_training_block *b) { return (size_t)b->heads * (size_t)b->head_dimension; }

static inline size_t qk_block_widest(const qk_training_block *b) {
  const size_t inner = 3 * qk_block_inner(b), hidden = (size_t)b->hidden, width = (size_t)b->width;
  const size_t wider = inner > hidden ? inner : hidden;
  return wider > width ? wider : width;
}

/// The passes for the granule that divides all widths.
static inline const qk_block_passes *qk_block_row_passes(const qk_training_block *b) {
  return (b->width | b->hidden | b->head_dimension) % 16 == 0 ? &qk_passes16 : &qk_passes8;
}

/// Largest activation code.
static inline float qk_block_limit(const qk_training_block *b) { return (float)((1 << (b->activation_bits - 1)) - 1); }

/// Largest probability code.
static inline float qk_block_levels(const qk_training_block *b) { return (float)((1 << b->activation_bits) - 1); }

static inline float qk_block_score_scale(const qk_training_block *b) { return 1.0f / sqrtf((float)b->head_dimension); }

static inline int32_t qk_block_leaves(const qk_training_block *b) {
  const int32_t images = qk_training_leaf_images(b->tokens);
  return (b->images + images - 1) / images;
}

static inline qk_block_leaf qk_block_leaf_at(const qk_training_block *b, int32_t index) {
  const int32_t most = qk_training_leaf_images(b->tokens), first = index * most;
  const int32_t images = b->images - first < most ? b->images - first : most;
  return (qk_block_leaf){ .block = b, .index = index, .image = first, .images = images,
                          .row = (size_t)first * (size_t)b->tokens, .rows = (size_t)images * (size_t)b->tokens };
}

/// Head `head` of image `image` of the leaf.
static inline qk_head qk_leaf_head(const qk_block_leaf *l, size_t image, size_t head) {
  const qk_training_block *b = l->block;
  const size_t tokens = (size_t)b->tokens, inner = qk_block_inner(b);
  const size_t index = ((size_t)l->image + image) * (size_t)b->heads + head;
  return (qk_head){
    .passes = qk_block_row_passes(b), .form = b->gradient_form, .tokens = tokens,
    .dimension = (size_t)b->head_dimension, .inner = inner,
    .qkv = b->qkv_codes + (l->row + image * tokens) * 3 * inner + head * (size_t)b->head_dimension,
    .step = { b->qkv_step[0], b->qkv_step[1], b->qkv_step[2] }, .score_scale = qk_block_score_scale(b),
    .levels = qk_block_levels(b), .probabilities = b->probabilities + index * tokens * tokens,
  };
}

/// Bytes of a pass over the rows of a leaf that reads and writes `bytes` per element: the work of its interval.
static inline double qk_leaf_bytes(const qk_block_leaf *l, size_t width, double bytes) {
  return (double)l->rows * (double)width * bytes;
}

/// QK_OK when sizes are in range and nothing is missing that both passes read.
qk_status qk_block_check(const qk_training_block *block);

#endif
