#include "word_attention.h"
#include "../fixedpoint/fixed_point.h"
#include "../pack/packed_layout.h"

typedef struct buffers {
  _Alignas(64) int16_t queries[QK_ATTENTION_QUERIES * QK_ATTENTION_DIMENSIONS];
  _Alignas(64) int16_t panel[QK_ATTENTION_KEYS * QK_ATTENTION_PANEL];
  _Alignas(64) int32_t scores[QK_ATTENTION_SCORES];
  _Alignas(64) uint16_t p[QK_ATTENTION_SCORES];
  _Alignas(64) int32_t sums[QK_ATTENTION_QUERIES * QK_ATTENTION_DIMENSIONS];
  uint32_t totals[QK_ATTENTION_QUERIES];
} buffers;

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }

static int32_t padded_tokens(const qk_attention_arguments *a) { return qk_round_up(a->tokens, QK_ATTENTION_PANEL); }

int32_t qk_word_attention_most_queries(const qk_attention_arguments *a) {
  return minimum(QK_ATTENTION_QUERIES, QK_ATTENTION_SCORES / padded_tokens(a));
}

size_t qk_word_attention_scratch_bytes(const qk_attention_arguments *arguments) {
  (void)arguments;
  return sizeof(buffers);
}

/// Tabulates the function of the reference, once per call.
void qk_word_attention_prepare(const qk_attention_arguments *a, void *memory) {
  qk_word_attention_shared *shared = memory;
  shared->score_factor = qk_requantiser_factor(a->score);
  shared->last_exponent = 256 * (a->activation_bits + 1);
  for (int32_t z = 0; z < shared->last_exponent; z++)
    shared->table[z] = (uint16_t)qk_probability_of_exponent(z, a->activation_bits, a->exponent_table);
  shared->table[shared->last_exponent] = 0;
}

static void make_probabilities(const qk_word_attention *part, const qk_attention_task *task, buffers *b) {
  const qk_word_attention_shared *shared = task->shared;
  const int32_t tokens = task->arguments->tokens, dimension = task->arguments->head_dimension;
  const int32_t padded = padded_tokens(task->arguments), padded_dimension = qk_round_up(dimension, 2);
  for (int32_t i = 0; i < task->queries; i++)
    part->load_query(task->q + (size_t)i * task->stride, 0, dimension, padded_dimension,
                     b->queries + i * padded_dimension);
  for (int32_t j = 0; j < tokens; j += QK_ATTENTION_PANEL) {
    part->load_keys(task->k + (size_t)j * task->stride, task->stride, minimum(QK_ATTENTION_PANEL, tokens - j), dimension,
                    b->panel);
    part->multiply(b->queries, (size_t)padded_dimension, task->queries, b->panel, padded_dimension, b->scores + j,
                   (size_t)padded, 0);
  }
  for (int32_t i = 0; i < task->queries; i++) {
    uint16_t *p = b->p + i * padded;
    b->totals[i] = part->probabilities(b->scores + i * padded, tokens, shared->score_factor, shared->table,
                                       shared->last_exponent, p);
    for (int32_t j = tokens; j < padded; j++) p[j] = 0;
  }
}

static void weigh_values(const qk_word_attention *part, const qk_attention_task *task, buffers *b) {
  const int32_t tokens = task->arguments->tokens, dimension = task->arguments->head_dimension;
  for (int32_t j = 0; j < tokens; j += QK_ATTENTION_KEYS) {
    const int32_t keys = minimum(QK_ATTENTION_KEYS, tokens - j);
    for (int32_t c = 0; c < dimension; c += QK_ATTENTION_PANEL) {
      part->load_values(task->v + (size_t)j * task->stride + c, task->stride, keys,
                        minimum(QK_ATTENTION_PANEL, dimension - c), b->panel);
      part->multiply(b->p + j, (size_t)padded_tokens(task->arguments), task->queries, b->panel, qk_round_up(keys, 2),
                     b->sums + c, QK_ATTENTION_DIMENSIONS, j > 0);
    }
  }
}

void qk_word_attention_attend(const qk_word_attention *part, const qk_attention_task *task, void *scratch) {
  buffers *b = scratch;
  make_probabilities(part, task, b);
  weigh_values(part, task, b);
  for (int32_t i = 0; i < task->queries; i++) {
    int32_t k = 0;
    const uint32_t reciprocal = qk_reciprocal16_inline(b->totals[i], &k);
    part->finish(task->arguments, b->sums + i * QK_ATTENTION_DIMENSIONS, reciprocal, k,
                 task->output + (size_t)i * task->output_stride);
  }
}
