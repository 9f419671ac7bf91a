// Attention on int16 operands, for instruction sets whose product takes pairs of int16. Score rows are formed one panel
// of keys at a time, turned into probabilities, and multiplied by the values.
#ifndef QK_WORD_ATTENTION_H
#define QK_WORD_ATTENTION_H

#include "integer_attention.h"

/// Buffers of a task: scores 96 KiB, probabilities 48 KiB, sums 48 KiB, queries 24 KiB, one panel 16 KiB.
enum {
  QK_ATTENTION_PANEL = 16,          ///< keys of a key panel, dimensions of a value panel
  QK_ATTENTION_QUERIES = 48,
  QK_ATTENTION_KEYS = 512,          ///< keys of one block of the product P·v
  QK_ATTENTION_SCORES = 24576,      ///< queries of a block times padded tokens: six queries at 4096 tokens
  QK_ATTENTION_DIMENSIONS = 256,
  /// P of every exponent z < 2^8·(A + 1), then one entry 0 for all larger z.
  QK_PROBABILITY_ENTRIES = 256 * 9 + 1
};

/// Functions of an instruction set. Queries, probabilities and panels are int16; a panel is [depth/2][16][2].
typedef struct qk_word_attention {
  /// Widens one query of `dimension` codes, with zeros up to `padded` (a multiple of 2).
  void (*load_query)(const void *codes, int is_unsigned, int32_t dimension, int32_t padded, void *out);
  /// Lays out the panel over dimensions of 1…16 keys `stride` bytes apart; missing keys are zero.
  void (*load_keys)(const int8_t *keys, size_t stride, int32_t count, int32_t dimension, int16_t *panel);
  /// Lays out the panel over keys (an odd last one paired with zero) of 1…16 dimensions; missing dimensions are zero.
  void (*load_values)(const int8_t *values, size_t stride, int32_t keys, int32_t count, int16_t *panel);
  /// acc[t][0…15] (+)= Σ_k left[t][k]·panel[k].
  void (*multiply)(const void *left, size_t stride, int32_t queries, const void *panel, int32_t depth,
                   int32_t *acc, size_t acc_stride, int accumulate);
  /// P[j] = table[min(⌊(max − scores[j])·factor + ½⌋, last)], j < tokens; returns Σ P.
  uint32_t (*probabilities)(const int32_t *scores, int32_t tokens, double factor, const uint16_t *table,
                            int32_t last, uint16_t *p);
  /// Writes the output codes of one query: normalised by R and k, then requantised.
  void (*finish)(const qk_attention_arguments *arguments, const int32_t *sums, uint32_t reciprocal, int32_t k,
                 int8_t *out);
} qk_word_attention;

/// The A-bit code of every exponent, and the score factor.
typedef struct qk_word_attention_shared {
  double score_factor;
  int32_t last_exponent;
  uint16_t table[QK_PROBABILITY_ENTRIES];
} qk_word_attention_shared;

int32_t qk_word_attention_most_queries(const qk_attention_arguments *arguments);
void qk_word_attention_prepare(const qk_attention_arguments *arguments, void *shared);
size_t qk_word_attention_scratch_bytes(const qk_attention_arguments *arguments);
void qk_word_attention_attend(const qk_word_attention *part, const qk_attention_task *task, void *scratch);

#endif
