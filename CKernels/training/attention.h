// Softmax attention of the training block on codes, per image and head: forward on products of bytes, backward on the
// products of gradient.h.
#ifndef QK_TRAINING_ATTENTION_H
#define QK_TRAINING_ATTENTION_H

#include "passes.h"

/// One head of one image; q, k and v are `inner` elements apart in rows of 3·inner codes.
typedef struct qk_head {
  const qk_block_passes *passes;  ///< for the dimension
  qk_gradient_form form;   ///< of gradients: words or bytes
  size_t tokens, dimension, inner;
  const int8_t *qkv;       ///< the head's q in the first row
  float step[3];           ///< values of one code of q, k, v
  float score_scale, levels;
  uint8_t *probabilities;  ///< [tokens][tokens] codes round(levels·e^(s − max)): written forward, read backward,
                           ///< followed by three readable bytes
} qk_head;

/// Bytes of work memory of a head.
size_t qk_head_memory(size_t tokens, size_t dimension);

/// out[i][c] = Σ_j P·v / Σ_j P; rows `stride` elements apart.
qk_status qk_head_forward(const qk_head *head, void *memory, float *out, size_t stride);

/// Computes the gradients of q, k and v, laid out like qkv, from gout, whose rows are `inner` elements apart. The
/// rounding of the probabilities is passed straight through:
///
///   p = P/ΣP; dP = dO·vᵀ; dS = scale·p⊙(dP − Σ p⊙dP); dq = dS·k; dk = dSᵀ·q; dv = pᵀ·dO
qk_status qk_head_backward(const qk_head *head, void *memory, const float *gout, float *gqkv);

#endif
