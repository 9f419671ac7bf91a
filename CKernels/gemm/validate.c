// Argument checks of the integer layers. Nothing is written before a check has passed.
#include "validate.h"
#include "../pack/packed_layout.h"

static qk_status check_int8_range(int32_t lo, int32_t hi) {
  return lo <= hi && lo >= -128 && hi <= 127 ? QK_OK : QK_CODE_OUT_OF_RANGE;
}

static qk_status check_requantisers(const qk_requantiser *requantisers, int32_t count) {
  for (int32_t n = 0; n < count; n++)
    if (qk_requantiser_check(requantisers[n]) != QK_OK) return QK_BAD_REQUANTISER;
  return QK_OK;
}

static qk_status check_gemm_pointers(const qk_gemm_arguments *a) {
  if (!a || !a->activations || !a->weights || !a->bias || !a->output) return QK_NULL_POINTER;
  if (a->form != QK_OUTPUT_ACCUMULATOR && !a->requantisers) return QK_NULL_POINTER;
  if (a->form == QK_OUTPUT_TABLE && !a->table) return QK_NULL_POINTER;
  if (a->form == QK_OUTPUT_RESIDUAL && !a->residual) return QK_NULL_POINTER;
  return QK_OK;
}

static qk_status check_gemm_range(const qk_gemm_arguments *a) {
  switch (a->form) {
    case QK_OUTPUT_INT8:
    case QK_OUTPUT_TABLE: return check_int8_range(a->lo, a->hi);
    case QK_OUTPUT_INT32: return a->lo <= a->hi ? QK_OK : QK_CODE_OUT_OF_RANGE;
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_RESIDUAL: return QK_OK;
  }
  return QK_BAD_SPEC;
}

qk_status qk_gemm_check(const qk_gemm_arguments *a) {
  qk_status status = check_gemm_pointers(a);
  if (status != QK_OK) return status;
  status = qk_packed_check(a->weights);
  if (status != QK_OK) return status;

  const int32_t rows = a->weights->rows;
  if (a->tokens < 1) return QK_BAD_SIZE;
  if (a->activation_stride < (size_t)a->weights->depth || a->output_stride < (size_t)rows) return QK_BAD_SIZE;
  if (a->form == QK_OUTPUT_RESIDUAL && a->residual_stride < (size_t)rows) return QK_BAD_SIZE;

  status = check_gemm_range(a);
  if (status != QK_OK) return status;
  for (int32_t n = 0; n < rows; n++)
    if (a->bias[n] <= -QK_BIAS_LIMIT || a->bias[n] >= QK_BIAS_LIMIT) return QK_BIAS_OUT_OF_RANGE;
  return a->form == QK_OUTPUT_ACCUMULATOR ? QK_OK : check_requantisers(a->requantisers, rows);
}

qk_status qk_attention_check(const qk_attention_arguments *a) {
  if (!a || !a->qkv || !a->exponent_table || !a->output) return QK_NULL_POINTER;
  if (a->batch < 1 || a->heads < 1 || a->tokens < 1 || a->tokens > QK_MAX_TOKENS) return QK_BAD_SIZE;
  if (a->head_dimension < 1 || a->head_dimension > QK_MAX_HEAD_DIMENSION) return QK_BAD_SIZE;
  const int32_t bits = a->activation_bits;
  if (bits != 4 && bits != 6 && bits != 8) return QK_BAD_SPEC;
  // The row maximum must have the code 2^A − 1: then ΣP ≥ 1 and the division is defined.
  if (a->exponent_table[0] != ((1 << bits) - 1) << (16 - bits)) return QK_BAD_SPEC;
  if (a->score.multiplier < 0) return QK_BAD_REQUANTISER;
  if (qk_requantiser_check(a->score) != QK_OK) return QK_BAD_REQUANTISER;
  if (qk_requantiser_check(a->output_requantiser) != QK_OK) return QK_BAD_REQUANTISER;
  return check_int8_range(a->lo, a->hi);
}

qk_status qk_layer_norm_check(const qk_layer_norm_arguments *a) {
  if (!a || !a->input || !a->scales || !a->offsets || !a->output) return QK_NULL_POINTER;
  if (a->rows < 1 || a->width < 1 || a->width > QK_MAX_WIDTH) return QK_BAD_SIZE;
  if (a->input_stride < (size_t)a->width || a->output_stride < (size_t)a->width) return QK_BAD_SIZE;
  if (a->epsilon_code < 0 || a->epsilon_code >= (int64_t)1 << 40) return QK_CODE_OUT_OF_RANGE;
  const int64_t limit = (int64_t)1 << 62;
  for (int32_t i = 0; i < a->width; i++)
    if (a->offsets[i] <= -limit || a->offsets[i] >= limit) return QK_BIAS_OUT_OF_RANGE;
  const qk_status status = check_int8_range(a->lo, a->hi);
  return status != QK_OK ? status : check_requantisers(a->scales, a->width);
}
