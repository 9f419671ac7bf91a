// The definition of qk_attention: one query at a time, with the scores and probabilities of its row on the stack.
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"

/// Row `token` of q (part 0), k (1) or v (2) of one image and head.
static const int8_t *head_row(const qk_attention_arguments *a, int32_t image, int32_t head, int32_t part,
                              int32_t token) {
  const size_t row = (size_t)image * (size_t)a->tokens + (size_t)token;
  const size_t section = (size_t)part * (size_t)a->heads + (size_t)head;
  return a->qkv + (row * 3 * (size_t)a->heads + section) * (size_t)a->head_dimension;
}

/// P of one query; returns Z = Σ P.
static uint32_t probabilities(const qk_attention_arguments *a, int32_t image, int32_t head, int32_t query,
                              int32_t *p) {
  const int8_t *q = head_row(a, image, head, 0, query);
  int32_t maximum = INT32_MIN;
  for (int32_t j = 0; j < a->tokens; j++) {
    const int8_t *k = head_row(a, image, head, 1, j);
    int32_t score = 0;
    for (int32_t c = 0; c < a->head_dimension; c++) score += q[c] * k[c];
    p[j] = score;
    if (score > maximum) maximum = score;
  }
  uint32_t z = 0;
  for (int32_t j = 0; j < a->tokens; j++) {
    const int64_t exponent = qk_exponent_inline(maximum - p[j], a->score);
    p[j] = (int32_t)qk_probability_of_exponent(exponent, a->activation_bits, a->exponent_table);
    z += (uint32_t)p[j];
  }
  return z;
}

static void attend(const qk_attention_arguments *a, int32_t image, int32_t head, int32_t query) {
  int32_t p[QK_MAX_TOKENS];
  int32_t k = 0;
  const uint32_t reciprocal = qk_reciprocal16_inline(probabilities(a, image, head, query, p), &k);
  const size_t row = (size_t)image * (size_t)a->tokens + (size_t)query;
  int8_t *out = a->output + (row * (size_t)a->heads + (size_t)head) * (size_t)a->head_dimension;
  for (int32_t c = 0; c < a->head_dimension; c++) {
    int32_t sum = 0;  // |sum| ≤ 4096·2^8·128 = 2^27
    for (int32_t j = 0; j < a->tokens; j++) sum += p[j] * head_row(a, image, head, 2, j)[c];
    const int32_t context = qk_normalise_context_inline(sum, reciprocal, k);
    out[c] = (int8_t)qk_requantise_inline(context, a->output_requantiser, a->lo, a->hi);
  }
}

qk_status qk_attention_reference(const qk_attention_arguments *a) {
  const qk_status status = qk_attention_check(a);
  if (status != QK_OK) return status;
  for (int32_t image = 0; image < a->batch; image++)
    for (int32_t head = 0; head < a->heads; head++)
      for (int32_t query = 0; query < a->tokens; query++) attend(a, image, head, query);
  return QK_OK;
}
